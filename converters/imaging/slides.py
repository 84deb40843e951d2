"""Whole-slide images: regions at a stated size of a pixel, and where there is tissue.

Needs the package ``openslide-python`` with the OpenSlide library (``openslide-bin``).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import openslide
from PIL import Image

from converters.errors import CaseError
from converters.files import Root

SLIDE_BYTES = 64 << 30
MAX_SIDE = 1 << 20
# Kinds of one file; others name further files, which nobody has checked.
_SUFFIXES = (".svs", ".tif", ".tiff", ".ndpi", ".scn", ".bif")
_SAME_MICRONS = 0.02  # share by which the two sizes of a pixel, or two statements, may differ
_ENLARGED = 1.05  # a pixel of the picture is never smaller than the scanner's by more than this
_OVERVIEW_PX = 4096
_READ_PIXELS = 64 << 20  # of one level, for one picture
_CHROMA = 18  # glass is grey: the brightest and the darkest colour of stained tissue lie further


@dataclass(frozen=True, kw_only=True, slots=True)
class Slide:
    """An open slide.

    Attributes:
        name: For messages.
        size: Width and height at full resolution, in pixels.
        microns: Size of a pixel at full resolution, in micrometres.
    """

    name: str
    size: tuple[int, int]
    microns: float
    _slide: openslide.OpenSlide = field(repr=False)

    def scale(self, microns: float) -> float:
        """Pixels of the full resolution along one pixel of `microns` micrometres.

        Raises:
            CaseError: ``geometry_invalid``, where the scanner's pixels are larger.
        """
        if microns * _ENLARGED < self.microns:
            raise CaseError(
                "geometry_invalid",
                f"{self.name} was scanned at {self.microns:g} micrometres a pixel; "
                f"{microns:g} would be made up",
            )
        return microns / self.microns

    def region(self, left: int, top: int, *, side_px: int, microns: float) -> Image.Image:
        """A square region as an RGB picture; what lies outside the scan is white.

        Args:
            left: Of the region, in pixels of the full resolution.
            top: Of the region.
            side_px: Width and height of the picture.
            microns: Micrometres a pixel of the picture.

        Raises:
            CaseError: ``file_unreadable``; ``file_unsupported``, where no level is near that size
                of a pixel.
        """
        scale = self.scale(microns)
        level = self._slide.get_best_level_for_downsample(scale * 1.001)
        side = max(1, round(side_px * scale / self._slide.level_downsamples[level]))
        self._require_few(side * side, level)
        try:
            read = self._slide.read_region((left, top), level, (side, side))
        except (openslide.OpenSlideError, OSError, ValueError) as error:
            raise CaseError("file_unreadable", f"{self.name} is cut or broken") from error
        image = Image.new("RGB", read.size, (255, 255, 255))
        image.paste(read, mask=read.getchannel("A"))
        if side == side_px:
            return image
        return image.resize((side_px, side_px), Image.Resampling.BOX, reducing_gap=None)

    def tissue(self) -> tuple[npt.NDArray[np.bool_], float]:
        """Where there is stained tissue, on an overview.

        Returns:
            A mask of shape (rows, columns), and how many pixels of the full resolution one
            of its pixels is wide.
        """
        largest = max(self.size)
        scale = max(1.0, largest / _OVERVIEW_PX)
        level = self._slide.get_best_level_for_downsample(scale)
        width, height = self._slide.level_dimensions[level]
        self._require_few(width * height, level)
        try:
            overview = self._slide.get_thumbnail(
                (max(1, round(self.size[0] / scale)), max(1, round(self.size[1] / scale)))
            )
        except (openslide.OpenSlideError, OSError, ValueError) as error:
            raise CaseError("file_unreadable", f"{self.name} is cut or broken") from error
        pixels = np.asarray(overview.convert("RGB")).astype(np.int16)
        chroma = pixels.max(axis=-1) - pixels.min(axis=-1)
        return chroma >= _CHROMA, self.size[0] / pixels.shape[1]

    def _require_few(self, pixels: int, level: int) -> None:
        if pixels > _READ_PIXELS:
            raise CaseError(
                "file_unsupported",
                f"{self.name} has no smaller level: {pixels:,} pixels of level {level} would be "
                "read for one picture",
            )


@contextmanager
def open_slide(root: Root, relative: str, stated: float | None = None) -> Iterator[Slide]:
    """Open a slide of a root.

    Args:
        root: Of the source.
        relative: Path of the file.
        stated: Micrometres a pixel as the owner states them, for files that say nothing.

    Raises:
        CaseError: ``file_unsupported``, ``file_unreadable``, ``file_too_large``, or
            ``geometry_invalid`` where the size of a pixel is not known, or not square.
        SourceError: The disk did not give the file.
    """
    path = root.checked(relative, SLIDE_BYTES)
    if Path(relative).suffix.lower() not in _SUFFIXES:
        known = ", ".join(_SUFFIXES)
        raise CaseError("file_unsupported", f"{relative} is no slide of a known kind: {known}")
    try:
        opened = openslide.OpenSlide(path)
    except (openslide.OpenSlideError, OSError) as error:
        raise CaseError("file_unreadable", f"{relative} is no slide, or is broken") from error
    with opened:
        width, height = opened.dimensions
        if max(width, height) > MAX_SIDE:
            raise CaseError("file_too_large", f"{relative} has {width:,}x{height:,} pixels")
        microns = _microns(opened, relative, stated)
        yield Slide(name=relative, size=(width, height), microns=microns, _slide=opened)


def _microns(slide: openslide.OpenSlide, name: str, stated: float | None) -> float:
    """Size of a pixel as the file states it, and the owner where it does not."""
    said = [slide.properties.get(f"openslide.mpp-{axis}") for axis in "xy"]
    try:
        across, down = (float(text) if text else stated for text in said)
    except ValueError as error:
        raise CaseError("geometry_invalid", f"{name}: micrometres a pixel are {said}") from error
    if not across or not down:
        raise CaseError("geometry_invalid", f"{name} does not say the size of its pixels")
    for other in (down, stated or across):
        if abs(other - across) > _SAME_MICRONS * across:
            raise CaseError(
                "geometry_invalid",
                f"{name}: {across:g} and {other:g} micrometres a pixel are both stated",
            )
    return across
