"""Decoded slices gathered into one array of one type."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from converters.errors import CaseError
from converters.imaging.dicom import DicomPixels
from converters.records import Json

_MEASURED = ("CT", "PT")  # their values have a unit, whichever way they are shown
_TOLD_SINGLY = 2  # rescalings that are told one by one


class Stack:
    """An array that is filled slice by slice.

    Args:
        shape: Slices, rows, columns.
        modality: (0008,0060).
        name: For messages.
    """

    def __init__(self, shape: tuple[int, int, int], modality: str, name: str) -> None:
        self.headers: list[Dataset] = []
        self._shape, self._modality, self._name = shape, modality, name
        self._values: npt.NDArray[Any] | None = None
        self._padding: dict[int, npt.NDArray[np.uint8]] = {}
        self._least: float | None = None
        self._steps: dict[str, dict[str, Json]] = {}

    def add(self, pixels: DicomPixels, places: Sequence[tuple[int, int | None]], path: str) -> None:
        """Put the slices of a file in: index in the stack, and of the frame.

        Raises:
            CaseError: ``file_unsupported``, ``shape_mismatch``.
        """
        self._require_grey(pixels, path)
        self.headers.append(pixels.header)
        for step in pixels.transforms:
            self._steps.setdefault(json.dumps(step, sort_keys=True), step)
        for at, frame in places:
            is_single = pixels.values.ndim == 2
            values = pixels.values if is_single else pixels.values[frame or 0]
            if values.shape != self._shape[1:]:
                raise CaseError(
                    "shape_mismatch", f"{path} has {values.shape} pixels, not {self._shape[1:]}"
                )
            self._room_for(values)[at] = values
            if pixels.padding is None:
                self._saw(values)
            else:
                self._pad(at, values, pixels.padding if is_single else pixels.padding[frame or 0])

    def _require_grey(self, pixels: DicomPixels, path: str) -> None:
        is_inverted = pixels.photometric == "MONOCHROME1" and self._modality not in _MEASURED
        if not pixels.photometric.startswith("MONOCHROME") or is_inverted:
            raise CaseError("file_unsupported", f"{path}: a slice in {pixels.photometric}")

    def _room_for(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The array, of a type that holds these values as well as those that it has."""
        if self._values is None:
            self._values = np.empty(self._shape, dtype=_stored_type(values.dtype))
        wanted = _common_type(self._values.dtype, values.dtype)
        if wanted != self._values.dtype:
            self._values = self._values.astype(wanted)
        return self._values

    def _saw(self, values: npt.NDArray[Any]) -> None:
        if values.size:
            least = float(values.min())
            self._least = least if self._least is None else min(self._least, least)

    def _pad(self, at: int, values: npt.NDArray[Any], mask: npt.NDArray[np.bool_]) -> None:
        self._padding[at] = np.packbits(mask)
        self._saw(values[~mask])

    def finished(self) -> tuple[npt.NDArray[Any], tuple[Mapping[str, Json], ...]]:
        """The array, padding shown as the smallest measured value, and what was done.

        Raises:
            CaseError: ``image_blank``, where all is padding.
        """
        assert self._values is not None
        steps = _told(list(self._steps.values()))
        if not self._padding:
            return self._values, steps
        if self._least is None:
            raise CaseError("image_blank", f"{self._name} is padding and nothing else")
        filled = 0
        for at, packed in self._padding.items():
            plane = self._values[at]
            mask = np.unpackbits(packed, count=plane.size).astype(bool).reshape(plane.shape)
            plane[mask] = self._least
            filled += int(np.count_nonzero(mask))
        return self._values, (*steps, {"step": "fill_padding", "voxels": filled})


def _stored_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.dtype(np.float32) if dtype.kind == "f" else dtype


def _common_type(one: np.dtype[Any], other: np.dtype[Any]) -> np.dtype[Any]:
    return one if one == other else _stored_type(np.result_type(one, other))


def _told(steps: Sequence[dict[str, Json]]) -> tuple[Mapping[str, Json], ...]:
    """The steps of all files; slopes that differ by slice are told by their range."""
    rescaled = [step for step in steps if step["step"] == "rescale"]
    others = [step for step in steps if step["step"] != "rescale"]
    if len(rescaled) <= _TOLD_SINGLY:
        return (*others, *rescaled)
    told: dict[str, Json] = {"step": "rescale", "unit": rescaled[0].get("unit", "")}
    for name in ("slope", "intercept"):
        values = [float(str(step[name])) for step in rescaled if name in step]
        if values:
            told[f"{name}_range"] = [min(values), max(values)]
    return (*others, told)
