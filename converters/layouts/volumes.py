"""3-D volumes: one file, one case, several slices, each of them a sample."""

from collections.abc import Iterator
from dataclasses import replace

from converters.files import Root
from converters.imaging.volumes import read_volume
from converters.layouts.decathlon import require_index
from converters.layouts.listing import list_cases
from converters.layouts.volume_case import convert_volume
from converters.manifest import Manifest
from converters.records import Case, Outcome
from converters.specs.layouts import Volumes

VERSION = 2
_VOXELS = ("raw", "zraw", "raw.gz", "RAW")


def cases(manifest: Manifest, layout: Volumes, root: Root) -> list[Case]:
    """One case a volume, in the order of paths; then annotations without a volume.

    Raises:
        SourceError: No volume matches, or a table or label is not what the manifest says.
    """
    listing = root.listing()
    there = frozenset(listing.paths)
    found = [_with_voxel_files(c, there) for c in list_cases(manifest, layout, root, listing)]
    return require_index(manifest, layout, root, listing, found) if layout.dataset_json else found


def _with_voxel_files(case: Case, there: frozenset[str]) -> Case:
    """A case with the files that hold the voxels of its MHD headers: a change there counts."""
    stems = {path[: -len("mhd")] for path in case.files if path.lower().endswith(".mhd")}
    if not stems:
        return case
    beside = there & {stem + end for stem in stems for end in _VOXELS}
    return replace(case, companions=tuple(sorted(beside)))


def convert(manifest: Manifest, layout: Volumes, root: Root, case: Case) -> Iterator[Outcome]:
    """Yield one sample for each chosen slice.

    Raises:
        CaseError: The volume or its annotation cannot be used.
    """
    volume = read_volume(root, case.image)
    yield from convert_volume(manifest, layout, root, case, volume, sequence=layout.sequence)
