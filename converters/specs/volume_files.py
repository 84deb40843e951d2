"""How the volume files of a source are stored, where their own headers do not say it all."""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from converters.specs.base import Strict, Text

_OPPOSITE = ("RL", "AP", "SI")


def _check_axes(value: str) -> str:
    letters = value.replace("*", "")
    told = {pair for pair in _OPPOSITE for letter in letters if letter in pair}
    if len(letters) != 3 or len(told) != 3 or len(value) > 4:
        raise ValueError(f"axes {value!r} must name one of R L, one of A P, one of S I")
    return value


Axes = Annotated[str, AfterValidator(_check_axes)]
Extent = Annotated[int, Field(ge=1)]
Millimetres = Annotated[float, Field(gt=0)]


class Placed(Strict):
    """Arrays carry no place in the patient: the manifest gives it.

    `axes` has a letter an axis of the array, the way in which its index grows: R or L, A or P,
    S or I (of the patient); "*" for the axis that tells volumes of a series apart. "LPS" is the
    order of DICOM, with the index along the columns of an image first. `spacing_mm` is the
    voxel size along the lettered axes, in the same order.
    """

    axes: Axes
    spacing_mm: Annotated[list[Millimetres], Field(min_length=3, max_length=3)]


class Raw(Placed):
    """Bytes without a header (`.raw`, `.img`, `.bin`; gzipped where the name ends in `.gz`).

    `shape` counts the values along `axes`; the index of the first axis grows fastest, as in
    NIfTI, NRRD and MHA. `skip_bytes` come before the first value; nothing comes after the last.
    """

    form: Literal["raw"]
    dtype: Literal[
        "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64",
        "float32", "float64",
    ]  # fmt: skip
    byte_order: Literal["little", "big"]
    shape: Annotated[list[Extent], Field(min_length=3, max_length=4)]
    skip_bytes: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _an_extent_an_axis(self) -> "Raw":
        if len(self.shape) != len(self.axes):
            raise ValueError(f"shape {self.shape} does not have an extent for each of {self.axes}")
        return self


class Variable(Placed):
    """An array in a file of NumPy (`.npy`, `.npz`), HDF5 (`.h5`, `.hdf5`) or MATLAB (`.mat`).

    `variable` is its name in the file, in HDF5 its path; a `.npy` file holds one array and
    takes none. `axes` are those of the array as NumPy (HDF5) or MATLAB shows its indices.
    """

    form: Literal["variable"]
    variable: Text | None


Stored = Annotated[Raw | Variable, Field(discriminator="form")]


class VolumeFiles(Strict):
    """How volume files are read.

    Attributes:
        stored: Arrays without a place in the patient; None for NIfTI, NRRD, MHA and MHD.
        volume: Which volume of a file of four dimensions is meant, from 0; "frame" where a
            table says it (`frames` of the layout); None where the files hold one.
        trusted_form: Which of NIfTI's two affines the owners use, where the two of a file
            differ; without it such a file is rejected.
        axes_taken_as: The way in which the indices of a file are taken to grow, where its
            directions are not those of the body, as in short-axis stacks of the heart: "LPS"
            shows the slices of the last axis as they are stored.
    """

    stored: Stored | None = None
    volume: Annotated[int, Field(ge=0)] | Literal["frame"] | None = None
    trusted_form: Literal["sform", "qform"] | None = None
    axes_taken_as: Axes | None = None

    @model_validator(mode="after")
    def _axes_are_said_once(self) -> Self:
        if self.axes_taken_as and (self.stored or "*" in self.axes_taken_as):
            raise ValueError("axes_taken_as is for files with directions, a letter an axis")
        return self

    def at_frame(self, fields: Mapping[str, str]) -> "VolumeFiles":
        """The same, with the number of the volume where the fields of a case say it."""
        if self.volume != "frame":
            return self
        return self.model_copy(update={"volume": int(fields["frame"])})


class OnImageGrid(VolumeFiles):
    """A volume that speaks of the voxels of an image.

    `if_grid_differs` says what becomes of one whose voxels are not the image's: it is rejected,
    or resampled (nearest neighbour, through physical space).
    """

    if_grid_differs: Literal["reject", "resample"] = "reject"
