"""Frames of a DICOM segmentation object: where each lies, and its pixels one at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from pydicom.config import IGNORE
from pydicom.dataset import Dataset
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID, ExplicitVRBigEndian

from converters.errors import CaseError
from converters.imaging.dicom_claims import claims_of
from converters.imaging.dicom_file import BROKEN, broken, quiet
from converters.imaging.dicom_stream import require_frames
from converters.imaging.dicom_tags import (
    bytes_of,
    integer_of,
    items_of,
    name_of,
    numbers_of,
    text_of,
)
from converters.imaging.volumes import MAX_SPACING_MM, MIN_SPACING_MM, Affine

Pixels: TypeAlias = npt.NDArray[Any]  # shape (rows, columns)

KINDS = ("BINARY", "FRACTIONAL", "LABELMAP")
MAX_FRAMES = 1 << 20
_DECODERS = ("pydicom", "pylibjpeg", "gdcm")
_UNIT = 1e-3  # how far the length of a direction may be from 1
_LPS_TO_RAS = np.array([-1.0, -1.0, 1.0])


@dataclass(frozen=True, kw_only=True, slots=True)
class Frame:
    """One frame of a segmentation.

    Attributes:
        number: From 0, in the order of the file.
        segment: Number of the segment that it shows; None in a label map, which shows all.
        affine: Index of (column, row), and millimetres along the normal, to millimetres in RAS.
        step_mm: Distance of slices, where the file says it.
    """

    number: int
    segment: int | None
    affine: Affine
    step_mm: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class SegObject:
    """A segmentation object, its frames placed and not yet decoded."""

    dataset: Dataset
    kind: str
    rows: int
    columns: int
    frames: tuple[Frame, ...]

    @property
    def name(self) -> str:
        """Path of the file, for messages."""
        return name_of(self.dataset)


def describe_seg(dataset: Dataset) -> SegObject:
    """Check the head of a segmentation object and place its frames.

    Raises:
        CaseError: ``file_unsupported``, ``file_unreadable``, ``value_invalid`` or
            ``geometry_invalid``.
    """
    name = name_of(dataset)
    kind = text_of(dataset, "SegmentationType")
    if kind not in KINDS:
        raise CaseError("file_unsupported", f"{name}: segmentation type {kind!r} is not read")
    rows, columns = integer_of(dataset, "Rows"), integer_of(dataset, "Columns")
    count = integer_of(dataset, "NumberOfFrames", 1)
    groups = items_of(dataset, "PerFrameFunctionalGroupsSequence")
    if count != len(groups) or not 0 < count <= MAX_FRAMES or rows <= 0 or columns <= 0:
        raise CaseError(
            "file_unreadable",
            f"{name}: {count} frames of {rows} x {columns}, and {len(groups)} are described",
        )
    shared = items_of(dataset, "SharedFunctionalGroupsSequence")
    frames = tuple(
        _place(number, (group, *shared[:1]), kind, name) for number, group in enumerate(groups)
    )
    return SegObject(dataset=dataset, kind=kind, rows=rows, columns=columns, frames=frames)


def _place(number: int, groups: Sequence[Dataset], kind: str, name: str) -> Frame:
    where = f"{name}, frame {number + 1}"
    position = _numbers(groups, "PlanePositionSequence", "ImagePositionPatient", 3, where)
    axes = _numbers(groups, "PlaneOrientationSequence", "ImageOrientationPatient", 6, where)
    spacing = _numbers(groups, "PixelMeasuresSequence", "PixelSpacing", 2, where)
    along_row, along_column = axes[:3], axes[3:]
    directions = np.stack([along_row, along_column])
    off = float(np.abs(directions @ directions.T - np.eye(2)).max())
    if off > _UNIT or spacing.min() < MIN_SPACING_MM or spacing.max() > MAX_SPACING_MM:
        raise CaseError(
            "geometry_invalid",
            f"{where}: orientation {axes.tolist()} or spacing {spacing.tolist()} is none",
        )
    affine = np.eye(4)
    # Pixel spacing is that of rows first: the step from one row to the next (PS3.3, 10.7.1.3).
    affine[:3, 0] = along_row * spacing[1] * _LPS_TO_RAS
    affine[:3, 1] = along_column * spacing[0] * _LPS_TO_RAS
    affine[:3, 2] = np.cross(along_row, along_column) * _LPS_TO_RAS
    affine[:3, 3] = position * _LPS_TO_RAS
    segment = None if kind == "LABELMAP" else _segment(groups, where)
    return Frame(number=number, segment=segment, affine=affine, step_mm=_step(groups))


def _step(groups: Sequence[Dataset]) -> float | None:
    for group in groups:
        for item in items_of(group, "PixelMeasuresSequence")[:1]:
            found = numbers_of(item, "SpacingBetweenSlices")
            if found and MIN_SPACING_MM <= found[0] <= MAX_SPACING_MM:
                return found[0]
    return None


def _numbers(
    groups: Sequence[Dataset], sequence: str, keyword: str, count: int, where: str
) -> npt.NDArray[np.float64]:
    """Numbers of a functional group: the frame's own, else those shared by all frames."""
    for group in groups:
        for item in items_of(group, sequence)[:1]:
            found = numbers_of(item, keyword)
            if len(found) == count:
                return np.array(found)
    raise CaseError("geometry_invalid", f"{where}: {keyword} is missing or not {count} numbers")


def _segment(groups: Sequence[Dataset], where: str) -> int:
    for group in groups:
        for item in items_of(group, "SegmentIdentificationSequence")[:1]:
            return integer_of(item, "ReferencedSegmentNumber")
    raise CaseError("value_invalid", f"{where} names no segment")


class FramePixels:
    """Stored values of the frames of a segmentation, decoded one at a time.

    Raises:
        CaseError: ``file_unsupported`` or ``file_unreadable``.
    """

    def __init__(self, seg: SegObject) -> None:
        self._seg = seg
        self._bits = integer_of(seg.dataset, "BitsAllocated")
        samples = integer_of(seg.dataset, "SamplesPerPixel", 1)
        if self._bits not in (1, 8, 16) or samples != 1:
            raise CaseError(
                "file_unsupported", f"{seg.name}: {samples} samples of {self._bits} bits a pixel"
            )
        self._syntax = UID(str(seg.dataset.file_meta.get("TransferSyntaxUID", "")), IGNORE)
        # Big endian is retired, and swaps bytes within words.
        if not self._syntax.is_transfer_syntax or self._syntax == ExplicitVRBigEndian:
            raise CaseError("file_unsupported", f"{seg.name}: transfer syntax {self._syntax!r}")
        data = bytes_of(seg.dataset, "PixelData")
        self._data = data if isinstance(data, bytes) else b""
        if self._syntax.is_encapsulated:
            self._require_frames()
        needed = (seg.rows * seg.columns * len(seg.frames) * self._bits + 7) // 8
        if not self._syntax.is_encapsulated and len(self._data) < needed:
            raise CaseError(
                "file_unreadable",
                f"{seg.name} is cut: {len(self._data):,} bytes of pixels of {needed:,}",
            )

    def _require_frames(self) -> None:
        """Hold compressed frames against the header before a decoder sees them."""
        if self._bits == 1:
            raise CaseError("file_unsupported", f"{self._seg.name}: packed bits are compressed")
        try:
            with quiet():
                require_frames(self._data, claims_of(self._seg.dataset))
                get_decoder(self._syntax)
        except BROKEN as error:
            raise broken(self._seg.name, error) from error

    def read(self, frame: Frame) -> Pixels:
        """Stored values of one frame.

        Raises:
            CaseError: ``file_unsupported`` or ``file_unreadable``.
        """
        if self._syntax.is_encapsulated:
            return self._decode(frame)
        size = self._seg.rows * self._seg.columns
        if self._bits == 1:
            # Frames follow each other bit by bit; one may begin within a byte.
            first, skipped = divmod(frame.number * size, 8)
            data = self._data[first : first + (skipped + size + 7) // 8]
            bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
            return bits[skipped : skipped + size].reshape(self._seg.rows, self._seg.columns)
        dtype = np.dtype(f"<u{self._bits // 8}")
        values = np.frombuffer(self._data, dtype, size, frame.number * size * dtype.itemsize)
        return values.reshape(self._seg.rows, self._seg.columns)

    def _decode(self, frame: Frame) -> Pixels:
        name = f"{self._seg.name}, frame {frame.number + 1}"
        decoder = get_decoder(self._syntax)
        plugins = [name for name in _DECODERS if name in decoder.available_plugins]
        failure: BaseException = NotImplementedError(f"{self._syntax.name} has no decoder here")
        for plugin in plugins:
            try:
                with quiet():
                    pixels, _ = decoder.as_array(
                        self._seg.dataset, index=frame.number, raw=True, decoding_plugin=plugin
                    )
            except BROKEN as error:
                failure = error  # what one decoder does not know, the next one may
                continue
            if pixels.shape != (self._seg.rows, self._seg.columns):
                raise CaseError("file_unreadable", f"{name} decodes to {pixels.shape}")
            return pixels
        raise broken(name, failure) from failure
