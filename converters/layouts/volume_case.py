"""What is made of a volume once it was read: slices chosen, drawn and described.

Every layout of volumes comes here with its own :class:`~converters.imaging.volumes.Volume`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

from converters.annotations.structures import Seen
from converters.errors import CaseError
from converters.files import Root
from converters.imaging.body import Body, body_of
from converters.imaging.grey import GreyRange, fill_nonfinite, grey_ranges
from converters.imaging.pictures import encode_png
from converters.imaging.planes import (
    AXIS,
    OBLIQUE_DEGREES,
    Grid,
    Plane,
    Raster,
    raster_of,
    require_same_grid,
    to_canonical,
)
from converters.imaging.plausible import require_hounsfield, require_spacing
from converters.imaging.slices import SAME_BITS, Choice
from converters.imaging.volumes import Volume
from converters.layouts.choosing import Drawer, choose
from converters.layouts.hearing import hear
from converters.layouts.listing import annotation_path
from converters.layouts.slicing import Said3D, describe_slice
from converters.manifest import Manifest
from converters.records import Case, Json, Outcome, Rejection, Sample
from converters.specs.layouts import VolumeLayout


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """One volume of a case that gets pictures of its own.

    Attributes:
        sequence: MR sequence or contrast, or "".
        path: Its file.
        tag: Set where the path does not tell it from the others of the case.
        read: Reads it; called when its turn has come, so that few are held at a time.
    """

    sequence: str
    path: str
    tag: str = ""
    read: Callable[[], Volume]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Known:
    """A volume in the canonical frame, with all that is said of it.

    Attributes:
        drawer: The volume, and the pictures that were made of it.
        body: Where the patient is in it.
        greys: A range of grey for each picture of a slice.
        shown: What is shown of the case.
        before: What was done to the volume before it was cut.
        slice_files: Paths of its slices along the last axis as it is stored, where each is a file.
        said: Every structure that a block speaks of.
        after: What was done to its annotations.
    """

    drawer: Drawer
    body: Body
    greys: tuple[GreyRange, ...]
    shown: Shown
    before: tuple[Mapping[str, Json], ...]
    slice_files: tuple[str, ...] = ()
    said: tuple[Said3D, ...] = ()
    after: tuple[Mapping[str, Json], ...] = ()

    @property
    def grid(self) -> Grid:
        """Its grid."""
        return self.drawer.grid


def convert_volume(
    manifest: Manifest,
    layout: VolumeLayout,
    root: Root,
    case: Case,
    volume: Volume,
    *,
    sequence: str,
) -> Iterator[Outcome]:
    """Yield one sample for each chosen slice.

    Args:
        manifest: The source.
        layout: Its layout: grey, slices and annotations.
        root: Its files.
        case: The volume's case.
        volume: As it is stored; what was done to it so far stands in its steps.
        sequence: MR sequence or contrast of this volume, or "".

    Raises:
        CaseError: The volume or its annotation cannot be used.
    """
    shown = Shown(sequence=sequence, path=case.image, read=lambda: volume)
    yield from convert_sequences(manifest, layout, root, case, [shown])


def convert_sequences(
    manifest: Manifest, layout: VolumeLayout, root: Root, case: Case, shown: Iterable[Shown]
) -> Iterator[Outcome]:
    """Yield one sample for each chosen slice of each volume of a case.

    The annotations are read, and the slices chosen, on the first volume; the others must lie
    on its grid, show the same slices, and share their findings.

    Raises:
        CaseError: The first volume or the annotation cannot be used. A further volume that
            cannot becomes a rejection of its own.
    """
    first, *others = shown
    looked = _look(manifest, layout, first)
    seen = Seen(body=looked.body, slice_files=looked.slice_files)
    said, after = hear(layout, root, case, looked.grid, seen)
    known = replace(looked, said=said, after=after)
    chosen = choose(layout, known.said, known.body, known.drawer, known.greys[0])
    if not chosen:
        raise CaseError(
            "annotation_empty",
            f"no structure on {case.image} covers {layout.min_area_px} pixels of a slice",
        )
    yield from _pictures(manifest, layout, case, known, chosen)
    for other in others:
        try:
            looked = _look(manifest, layout, other)
            require_same_grid(known.grid, looked.grid, other.path)
        except CaseError as error:
            yield _rejection(case, error, _volume_id(case, other))
            continue
        also_known = replace(looked, said=said, after=after)
        yield from _pictures(manifest, layout, case, also_known, chosen)


def _pictures(
    manifest: Manifest,
    layout: VolumeLayout,
    case: Case,
    known: _Known,
    chosen: Sequence[Choice],
) -> Iterator[Outcome]:
    for choice, grey in product(chosen, known.greys):
        try:
            yield _sample(manifest, layout, case, known, choice, grey)
        except CaseError as error:
            yield _rejection(case, error, _sample_id(case, known.shown, choice, grey))


def _rejection(case: Case, error: CaseError, sample_id: str) -> Rejection:
    return Rejection(
        source=case.source,
        case_key=case.key,
        reason=error.reason,
        message=error.message,
        sample_id=sample_id,
    )


def _look(manifest: Manifest, layout: VolumeLayout, shown: Shown) -> _Known:
    """A volume in the canonical frame, held against what its scanner can have made."""
    stored = shown.read()
    volume = to_canonical(stored, shown.path)
    sizes = layout.voxel_mm
    bounds = (sizes.low, sizes.high) if sizes else None
    require_spacing(volume.grid, manifest.modality, bounds, shown.path)
    values, filled = fill_nonfinite(volume.values, shown.path)
    body = body_of(values)
    greys = grey_ranges(layout.grey, body.values, body.inside, shown.path)
    if layout.hu == "check":
        require_hounsfield(body.values, shown.path)
    before: tuple[Mapping[str, Json], ...] = (*stored.steps, _reorientation(volume.grid))
    if filled:
        before += ({"step": "fill_nonfinite", "voxels": filled},)
    drawer = Drawer(values=values, grid=volume.grid)
    return _Known(
        drawer=drawer,
        body=body,
        greys=greys,
        shown=shown,
        before=before,
        slice_files=stored.slice_files,
    )


def _reorientation(grid: Grid) -> dict[str, Json]:
    step: dict[str, Json] = {"step": "reorient", "from": grid.stored_as, "to": "RAS"}
    if grid.obliquity_degrees:
        step["obliquity_degrees"] = grid.obliquity_degrees
        step["is_oblique"] = grid.obliquity_degrees > OBLIQUE_DEGREES
    return step


def _sample(
    manifest: Manifest,
    layout: VolumeLayout,
    case: Case,
    known: _Known,
    choice: Choice,
    grey: GreyRange,
) -> Sample:
    plane, index = choice.where
    raster = raster_of(known.grid, plane)
    image, looks = known.drawer.draw(grey, plane, index)
    findings, absent = describe_slice(
        known.said, plane, index, grid=known.grid, raster=raster, min_area_px=layout.min_area_px
    )
    if choice.labels and not findings:
        raise CaseError("annotation_empty", f"{plane} slice {index}: all regions are too small")
    entries = [entry for entry in case.entries if entry]
    return Sample(
        sample_id=_sample_id(case, known.shown, choice, grey),
        case_key=case.key,
        image=encode_png(image),
        image_format="png",
        phash=looks,
        width=image.width,
        height=image.height,
        findings=findings,
        absent=absent,
        modality=manifest.modality,
        anatomy=tuple(manifest.anatomy),
        view=layout.views.get(plane) or known.grid.said_plane(plane),
        sequence=known.shown.sequence,
        spacing_mm=raster.spacing_mm,
        source_path=known.shown.path,
        source_index=known.grid.stored_index(plane, index),
        annotation_path=annotation_path(case, entries),
        annotation_files=tuple(file for entry in entries for file in entry.files),
        transforms=(
            *known.before,
            _cut(layout, choice),
            *_resampling(raster, known.grid, plane),
            grey.step,
            {"step": "encode", "format": "png"},
            *known.after,
        ),
    )


def _volume_id(case: Case, shown: Shown) -> str:
    """The case, or the file of a further sequence; with its tag where several share a file."""
    key = case.key if shown.path == case.image else shown.path
    return f"{case.source}/{key}" + (f"#{shown.tag}" if shown.tag else "")


def _sample_id(case: Case, shown: Shown, choice: Choice, grey: GreyRange) -> str:
    window = f"-{grey.name.replace(' ', '-')}" if grey.name else ""
    joint = "-" if shown.tag else "#"
    return f"{_volume_id(case, shown)}{joint}{choice.plane}-{choice.index:03d}{window}"


def _cut(layout: VolumeLayout, choice: Choice) -> dict[str, Json]:
    """The slice, and why it was chosen."""
    wanted = layout.slices
    return {
        "step": "slice",
        "plane": choice.plane,
        "index": choice.index,
        "reason": choice.reason,
        "for": list(choice.labels),
        "planes": list(wanted.planes),
        "per_finding": wanted.per_finding,
        "per_volume": wanted.per_volume,
        "normal_slices": wanted.normal_slices,
        "same_bits": SAME_BITS,
        "min_area_px": layout.min_area_px,
    }


def _resampling(raster: Raster, grid: Grid, plane: Plane) -> tuple[dict[str, Json], ...]:
    across, up = (grid.shape[axis] for axis in range(3) if axis != AXIS[plane])
    if raster.size == (across, up):
        return ()
    return (
        {
            "step": "resample",
            "image": "linear",
            "mask": "nearest",
            "from_mm": list(raster.native_mm),
            "to_mm": list(raster.spacing_mm),
        },
    )
