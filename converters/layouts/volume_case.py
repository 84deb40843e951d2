"""What is made of a volume once it was read: slices chosen, drawn and described.

Every layout of volumes comes here with its own :class:`~converters.imaging.volumes.Volume`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from converters.annotations.contract import module_of
from converters.annotations.structures import Marked, VolumeQuestion, empty_structure
from converters.errors import CaseError
from converters.files import Root
from converters.imaging.grey import GreyRange, fill_nonfinite, grey_range
from converters.imaging.pictures import encode_png, perceptual_hash
from converters.imaging.planes import (
    AXIS,
    OBLIQUE_DEGREES,
    Grid,
    Plane,
    Raster,
    raster_of,
    to_canonical,
)
from converters.imaging.slices import Extent, choose_slices
from converters.imaging.volumes import Values, Volume
from converters.layouts.listing import annotation_path
from converters.layouts.slicing import Said3D, describe_slice, draw_slice
from converters.manifest import Manifest
from converters.records import Case, Entry, Json, Outcome, Rejection, Sample
from converters.specs.annotations import VolumeAnnotation
from converters.specs.layouts import VolumeLayout


@dataclass(frozen=True, kw_only=True, slots=True)
class _Known:
    """A volume in the canonical frame, with all that is said of it.

    Attributes:
        said: Every structure that a block speaks of.
        before: What was done to the volume before it was cut.
        after: What was done to its annotations.
        sequence: MR sequence or contrast, or "".
    """

    values: Values
    grid: Grid
    grey: GreyRange
    said: tuple[Said3D, ...]
    before: tuple[Mapping[str, Json], ...]
    after: tuple[Mapping[str, Json], ...]
    sequence: str = ""


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
    known = replace(_know(layout, root, case, volume), sequence=sequence)
    chosen = choose_slices(
        _extents(layout, known),
        per_finding=layout.slices.per_finding,
        per_volume=layout.slices.per_volume,
        min_area_px=layout.min_area_px,
    )
    if not chosen:
        raise CaseError(
            "annotation_empty",
            f"no structure on {case.image} covers {layout.min_area_px} pixels of a slice",
        )
    for plane, index in chosen:
        try:
            yield _sample(manifest, layout, case, known, plane, index)
        except CaseError as error:
            yield Rejection(
                source=case.source,
                case_key=case.key,
                reason=error.reason,
                message=error.message,
                sample_id=_sample_id(case, plane, index),
            )


def _know(layout: VolumeLayout, root: Root, case: Case, stored: Volume) -> _Known:
    volume = to_canonical(stored, case.image)
    values, filled = fill_nonfinite(volume.values, case.image)
    grey = grey_range(layout.grey, values, case.image)
    said: list[Said3D] = []
    steps: list[Mapping[str, Json]] = []
    for spec, entry in zip(layout.annotations, case.entries, strict=True):
        marked = _ask(spec, entry, root, case, volume.grid)
        is_known = spec.completeness != "partial" or entry is None
        doubtful = {*getattr(spec, "absence_unknown", ()), *marked.uncertain}
        said += [
            Said3D(structure=one, is_known=is_known and one.term not in doubtful)
            for one in marked.structures
        ]
        steps += marked.transforms
    _require_consistent(said)
    before: tuple[Mapping[str, Json], ...] = (*stored.steps, _reorientation(volume.grid))
    if filled:
        before += ({"step": "fill_nonfinite", "voxels": filled},)
    return _Known(
        values=values,
        grid=volume.grid,
        grey=grey,
        said=tuple(said),
        before=before,
        after=tuple(steps),
    )


def _ask(spec: VolumeAnnotation, entry: Entry | None, root: Root, case: Case, grid: Grid) -> Marked:
    module = module_of(spec.kind)
    if entry is None:
        names = module.terms_of(spec) if spec.if_missing == "absent" else ()
        return Marked(structures=tuple(empty_structure(name, "") for name in names))
    question = VolumeQuestion(
        root=root, path=case.image, fields=case.fields, entry=entry, grid=grid
    )
    marked: Marked = module.read_structures(spec, question)
    return marked


def _require_consistent(said: list[Said3D]) -> None:
    """Two blocks must not say that a structure is in the volume and that it is not."""
    there = {one.structure.term for one in said if one.structure.mask.size}
    missing = {one.structure.term for one in said if one.is_known and not one.structure.mask.size}
    both = sorted(there & missing)
    if both:
        raise CaseError("labels_contradict", f"{', '.join(both)}: marked and absent")


def _reorientation(grid: Grid) -> dict[str, Json]:
    step: dict[str, Json] = {"step": "reorient", "from": grid.stored_as, "to": "RAS"}
    if grid.obliquity_degrees:
        step["obliquity_degrees"] = grid.obliquity_degrees
        step["is_oblique"] = grid.obliquity_degrees > OBLIQUE_DEGREES
    return step


def _extents(layout: VolumeLayout, known: _Known) -> list[Extent]:
    extents = []
    for plane in layout.slices.planes:
        raster = raster_of(known.grid, plane)
        pixels = np.float64(np.prod(raster.native_mm) / np.prod(raster.spacing_mm))
        extents += [
            Extent(
                label=one.structure.term,
                plane=plane,
                start=one.structure.corner[AXIS[plane]],
                areas=one.structure.counts(plane) * pixels,
            )
            for one in known.said
        ]
    return extents


def _sample(
    manifest: Manifest,
    layout: VolumeLayout,
    case: Case,
    known: _Known,
    plane: Plane,
    index: int,
) -> Sample:
    raster = raster_of(known.grid, plane)
    image = draw_slice(known.values, known.grey, plane, index, raster)
    findings, absent = describe_slice(
        known.said, plane, index, grid=known.grid, raster=raster, min_area_px=layout.min_area_px
    )
    if not findings:
        raise CaseError("annotation_empty", f"{plane} slice {index}: all regions are too small")
    entries = [entry for entry in case.entries if entry]
    return Sample(
        sample_id=_sample_id(case, plane, index),
        case_key=case.key,
        image=encode_png(image),
        image_format="png",
        phash=perceptual_hash(image),
        width=image.width,
        height=image.height,
        findings=findings,
        absent=absent,
        modality=manifest.modality,
        anatomy=tuple(manifest.anatomy),
        view=plane,
        sequence=known.sequence,
        spacing_mm=raster.spacing_mm,
        source_path=case.image,
        source_index=known.grid.stored_index(plane, index),
        annotation_path=annotation_path(case, entries),
        annotation_files=tuple(file for entry in entries for file in entry.files),
        transforms=(
            *known.before,
            _cut(layout, plane, index),
            *_resampling(raster, known.grid, plane),
            known.grey.step,
            {"step": "encode", "format": "png"},
            *known.after,
        ),
    )


def _sample_id(case: Case, plane: Plane, index: int) -> str:
    return f"{case.source}/{case.key}#{plane}-{index:03d}"


def _cut(layout: VolumeLayout, plane: Plane, index: int) -> dict[str, Json]:
    """The slice, and what it was chosen by."""
    return {
        "step": "slice",
        "plane": plane,
        "index": index,
        "planes": list(layout.slices.planes),
        "per_finding": layout.slices.per_finding,
        "per_volume": layout.slices.per_volume,
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
