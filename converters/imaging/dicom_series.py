"""Files of DICOM grouped into the volumes they hold, and a volume read from its slices.

The order and the names of the files, their nesting and their instance numbers mean nothing:
UIDs say what belongs together, positions say what lies where.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from converters.errors import CaseError
from converters.files import Root
from converters.imaging.dicom import DicomPixels, read_pixels
from converters.imaging.dicom_file import quiet
from converters.imaging.dicom_geometry import (
    SAME_MM,
    affine_of,
    depth_along,
    order_slices,
    plane_of,
    thinned,
)
from converters.imaging.dicom_slices import THREADS, ImageFile, SeriesFacts, Slice
from converters.imaging.dicom_split import split_slices
from converters.imaging.dicom_stack import Stack
from converters.imaging.dicom_suv import suv_of
from converters.imaging.volumes import MAX_VOXELS, Volume
from converters.records import Json


@dataclass(frozen=True, kw_only=True, slots=True)
class SeriesFiles:
    """A volume of a series: the whole series, or one of several that it holds.

    Attributes:
        facts: What names the series.
        slices: Along the normal where their places are known.
        plane: The nearest plane, or "" where it is not known.
        part: What tells this volume from others of the series (``b_value``, ``echo_time``,
            ``size``, ...); empty where the series is one volume.
        marks: What all its slices say alike.
        copies: Files with the SOP Instance UID of another file: path, and path of the other.
    """

    facts: SeriesFacts
    slices: tuple[Slice, ...]
    plane: str
    part: Mapping[str, str]
    marks: Mapping[str, str]
    copies: tuple[tuple[str, str], ...]

    @property
    def paths(self) -> tuple[str, ...]:
        """Files in the order of slices, then copies; each once."""
        own = [one.path for one in self.slices] + [path for path, _ in self.copies]
        return tuple(dict.fromkeys(own))

    @property
    def frame_of_reference_uid(self) -> str:
        """(0020,0052), or ""."""
        return self.slices[0].frame_of_reference_uid

    def __str__(self) -> str:
        """In words, for a list of candidates."""
        facts = self.facts
        first = self.slices[0]
        told = ", ".join(
            f"{name} {value or 'not said'}"
            for name, value in self.part.items()
            if name not in ("plane", "size")
        )
        return (
            f"series {facts.number or '?'} {facts.description!r} ({facts.modality}, "
            f"{self.plane or 'plane not known'}, {first.columns}x{first.rows}x{len(self.slices)}"
            f"{', ' + told if told else ''})"
        )


def group_series(files: Iterable[ImageFile]) -> list[SeriesFiles]:
    """The volumes that files hold, in the order of their first slices' paths.

    Slices of one Series Instance UID belong together. They are several volumes where their
    size, directions, pixel spacing, stack or frame of reference differ, where they are of
    several kinds (b-value, echo time, ...) wherever they lie, or where several lie at one place
    and other attributes tell them apart.
    """
    series: dict[tuple[str, str], list[ImageFile]] = {}
    for file in files:
        facts = file.facts
        series.setdefault((facts.patient_id, facts.series_uid), []).append(file)
    found = [one for members in series.values() for one in _volumes(members)]
    return sorted(found, key=lambda one: (one.paths[0], one.slices[0].frame or 0, str(one)))


def same_volume(files: Iterable[ImageFile], part: Mapping[str, str]) -> SeriesFiles | None:
    """The volume of a `part` that was found before, from its own files; None where it is gone."""
    found = [one for one in group_series(files) if one.part.items() <= part.items()]
    return found[0] if len(found) == 1 else None


def read_series(root: Root, files: SeriesFiles) -> Volume:
    """Read a volume from its slices, in modality units; PET as SUV where the tags allow.

    Files are decoded in threads, some at a time, straight into the volume.

    Raises:
        CaseError: ``geometry_invalid`` or ``shape_mismatch`` with numbers (see
            :func:`converters.imaging.dicom_geometry.affine_of`), ``file_too_large``,
            ``name_duplicate`` where two files claim one UID and differ, or what
            :func:`converters.imaging.dicom.read_pixels` raises.
        SourceError: The disk did not give a file; running again may help.
    """
    _require_same_copies(root, files)
    slices, repeated = _without_repeats(root, files.slices)
    files = replace(files, slices=slices)
    first = slices[0]
    name = first.path
    affine = affine_of(slices, name)
    shape = (len(files.slices), first.rows, first.columns)
    if (voxels := shape[0] * shape[1] * shape[2]) > MAX_VOXELS:
        raise CaseError("file_too_large", f"{name} claims {voxels:,} voxels of {MAX_VOXELS:,}")
    stack = Stack(shape, files.facts.modality, name)
    places: dict[str, list[tuple[int, int | None]]] = {}
    for at, one in enumerate(files.slices):
        places.setdefault(one.path, []).append((at, one.frame))
    for path, pixels in _read_files(root, places):
        stack.add(pixels, places[path], path)
    values, steps = stack.finished()
    if files.facts.modality == "PT":
        factor, step = suv_of(stack.headers)
        if factor is not None:
            values = values.astype(np.float32) * np.float32(factor)
        steps += (step,)
    told: dict[str, Json] = {"step": "stack_slices", "slices": shape[0], **files.part}
    told |= thinned(slices, affine)
    if repeated:
        told["repeated_slices"] = repeated
    own = tuple(one.path for one in slices) if len(places) == len(slices) else ()
    return Volume(values=values.T, affine=affine, steps=(told, *steps), slice_files=own)


def _require_same_copies(root: Root, files: SeriesFiles) -> None:
    for path, other in files.copies:
        if root.read(path) != root.read(other):
            raise CaseError(
                "name_duplicate", f"{path} and {other} have one SOP Instance UID and differ"
            )


def _without_repeats(root: Root, slices: Sequence[Slice]) -> tuple[tuple[Slice, ...], int]:
    """Slices without those that repeat, pixel by pixel, the one before them at its place."""
    depths = depth_along(slices)
    kept = [slices[0]]
    for at in range(1, len(slices)):
        is_close = depths is not None and depths[at] - depths[at - 1] < SAME_MM
        if not (is_close and _is_repeat(root, kept[-1], slices[at])):
            kept.append(slices[at])
    return tuple(kept), len(slices) - len(kept)


def _is_repeat(root: Root, one: Slice, other: Slice) -> bool:
    if one.position != other.position or one.frame is not None or other.frame is not None:
        return False
    first, second = (read_pixels(root, each.path).values for each in (one, other))
    return first.shape == second.shape and bool((first == second).all())


def _read_files(root: Root, paths: Iterable[str]) -> Iterator[tuple[str, DicomPixels]]:
    """Decoded files in order, a few read ahead: memory holds the volume, not twice the volume."""
    ordered = list(paths)

    def one(path: str) -> DicomPixels:
        return read_pixels(root, path, frames="all")

    with quiet(), ThreadPoolExecutor(THREADS) as pool:
        for start in range(0, len(ordered), 2 * THREADS):
            batch = ordered[start : start + 2 * THREADS]
            yield from zip(batch, pool.map(one, batch), strict=True)


def _volumes(members: list[ImageFile]) -> Iterator[SeriesFiles]:
    members = sorted(members, key=lambda file: file.path)
    slices, copies = _without_copies(one for file in members for one in file.slices)
    facts = {file.path: file.facts for file in members}
    for part, own in split_slices(slices):
        ordered = order_slices(own)
        uids = {one.sop_uid: one.path for one in ordered}
        yield SeriesFiles(
            facts=facts[ordered[0].path],
            slices=ordered,
            plane=next(filter(None, map(plane_of, ordered)), ""),
            part=part,
            marks=_shared_marks(ordered),
            copies=tuple((path, uids[uid]) for path, uid in copies if uid in uids),
        )


def _without_copies(slices: Iterable[Slice]) -> tuple[list[Slice], list[tuple[str, str]]]:
    """Each SOP instance once, and paths of files that say they are one that was seen."""
    kept: dict[tuple[str, int | None], Slice] = {}
    copies: dict[str, str] = {}
    for number, one in enumerate(slices):
        key = (one.sop_uid or f"no UID {number}", one.frame)
        if kept.setdefault(key, one) is not one:
            copies[one.path] = one.sop_uid
    return list(kept.values()), list(copies.items())


def _shared_marks(slices: Sequence[Slice]) -> dict[str, str]:
    first = slices[0].marks
    return {
        name: value
        for name, value in first.items()
        if all(one.marks.get(name) == value for one in slices)
    }
