"""One DICOM image as a picture: 8-bit grey or RGB, with all that was done to it."""

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydicom.dataset import Dataset

from converters.errors import CaseError
from converters.files import Root
from converters.imaging.dicom import DicomPixels, read_pixels
from converters.imaging.dicom_color import palette_to_rgb, rgb_to_eight_bits
from converters.imaging.dicom_place import place_of
from converters.imaging.dicom_tags import text_of
from converters.imaging.dicom_voi import voi_mapping
from converters.imaging.pictures import Picture
from converters.imaging.plausible import require_hounsfield
from converters.records import Json

Grey = npt.NDArray[np.uint8]

# What has pixels and is no picture of a patient.
_NO_PICTURES = ("SEG", "RTDOSE", "RTIMAGE", "RTSTRUCT", "PR", "KO", "SR", "M3D", "REG", "RWV")


def dicom_picture(
    root: Root, relative: str, window_hu: tuple[float, float] | None = None
) -> Picture:
    """Read a DICOM file of one image as the picture that its header asks for.

    Grey images go through their modality LUT, then through `window_hu` or the file's own VOI LUT
    or window; MONOCHROME1 is inverted, so that more is brighter; padding is black. Colour becomes
    RGB. Pixels are never moved: boxes and masks drawn on the stored image fit.

    Args:
        root: Of the source.
        relative: Path of the file.
        window_hu: Center and width in place of the file's own LUT or window.

    Raises:
        CaseError: The file is no such image, or what it says does not hold together.
        SourceError: The disk did not give the file; running again may help.
    """
    pixels = read_pixels(root, relative)
    modality = text_of(pixels.header, "Modality")
    if modality in _NO_PICTURES:
        raise CaseError("file_unsupported", f"{relative} is no picture (modality {modality})")
    intent = text_of(pixels.header, "PresentationIntentType").upper()
    if intent == "FOR PROCESSING":
        raise CaseError(
            "file_unsupported", f"{relative} is raw ({intent}): not made to be looked at"
        )
    placed = place_of(pixels.header)
    shown, steps = _shown(pixels, window_hu, relative)
    return Picture(
        data=b"",
        format="DICOM",
        image=Image.fromarray(shown),
        is_turned=False,
        transforms=(*pixels.transforms, *steps, *placed.steps),
        view=placed.view,
        side=placed.side,
        spacing_mm=placed.spacing_mm,
    )


def _shown(
    pixels: DicomPixels, window_hu: tuple[float, float] | None, name: str
) -> tuple[Grey, tuple[Any, ...]]:
    if pixels.photometric == "PALETTE COLOR":
        return palette_to_rgb(pixels.values, pixels.header)
    if pixels.photometric == "RGB":
        return rgb_to_eight_bits(pixels.values, pixels.bits, name)
    is_inverse = _is_inverse(pixels, name)
    mapping = voi_mapping(pixels.header, pixels.values, pixels.padding, window_hu)
    if window_hu:
        require_hounsfield(_measured(pixels), name)
    shown = mapping.apply(pixels.values)
    steps = [mapping.step]
    if is_inverse:
        shown = np.uint8(255) - shown
        steps.append({"step": "invert", "photometric": "MONOCHROME1"})
    if pixels.padding is not None:
        shown[pixels.padding] = 0
        count = int(np.count_nonzero(pixels.padding))
        steps.append(_padding_step(pixels.header, count))
    return shown, tuple(steps)


def _measured(pixels: DicomPixels) -> npt.NDArray[Any]:
    return pixels.values if pixels.padding is None else pixels.values[~pixels.padding]


def _is_inverse(pixels: DicomPixels, name: str) -> bool:
    """Whether the smallest value is white.

    Raises:
        CaseError: ``value_invalid``, where Photometric Interpretation and Presentation LUT Shape
            (2050,0020) do not agree: readers then differ, and the picture may be a negative.
    """
    is_inverse = pixels.photometric == "MONOCHROME1"
    shape = text_of(pixels.header, "PresentationLUTShape").upper()
    if shape == ("IDENTITY" if is_inverse else "INVERSE"):
        raise CaseError(
            "value_invalid", f"{name} is {pixels.photometric} with presentation LUT {shape}"
        )
    return is_inverse


def _padding_step(header: Dataset, count: int) -> dict[str, Json]:
    step: dict[str, Json] = {"step": "pad_black", "pixels": count}
    step["value"] = text_of(header, "PixelPaddingValue")
    limit = text_of(header, "PixelPaddingRangeLimit")
    return {**step, "limit": limit} if limit else step
