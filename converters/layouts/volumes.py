"""3-D volumes: one file, one case, several slices, each of them a sample."""

from collections.abc import Iterator
from dataclasses import replace

from converters.files import Root
from converters.imaging.volumes import VOXEL_ENDINGS
from converters.layouts.decathlon import require_index
from converters.layouts.frames import convert_frames, with_frames
from converters.layouts.listing import list_cases
from converters.layouts.sequences import join_sequences, shown_volumes
from converters.layouts.volume_case import convert_sequences
from converters.manifest import Manifest
from converters.records import Case, Outcome
from converters.specs.layouts import Volumes

VERSION = 3
_HEADERS = (".mhd", ".nhdr")


def cases(manifest: Manifest, layout: Volumes, root: Root) -> list[Case]:
    """One case a volume, in the order of paths; then annotations without a volume.

    Raises:
        SourceError: No volume matches, or a table or label is not what the manifest says.
    """
    listing = root.listing()
    there = frozenset(listing.paths)
    found = list_cases(manifest, layout, root, listing)
    if isinstance(layout.sequences, dict):
        found = join_sequences(manifest, layout, root, listing, found)
    if layout.frames:
        found = with_frames(layout.frames, root, listing, found)
    found = [_with_voxel_files(case, there) for case in found]
    return require_index(manifest, layout, root, listing, found) if layout.dataset_json else found


def _with_voxel_files(case: Case, there: frozenset[str]) -> Case:
    """A case with the files that hold the voxels of its headers: a change there counts."""
    stems = {path.rpartition(".")[0] for path in case.files if path.lower().endswith(_HEADERS)}
    if not stems:
        return case
    beside = there & {f"{stem}.{end}" for stem in stems for end in VOXEL_ENDINGS}
    return replace(case, companions=(*case.companions, *sorted(beside)))


def convert(manifest: Manifest, layout: Volumes, root: Root, case: Case) -> Iterator[Outcome]:
    """Yield one sample for each chosen slice of each sequence.

    Raises:
        CaseError: The volume or its annotation cannot be used.
    """
    if layout.frames:
        yield from convert_frames(manifest, layout, root, case)
        return
    shown = shown_volumes(layout, root, case)
    yield from convert_sequences(manifest, layout, root, case, shown)
