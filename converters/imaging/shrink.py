"""Large pictures made smaller, and what was measured on them with them."""

import math
from dataclasses import dataclass, replace

from PIL import Image

from converters.imaging.pictures import Picture
from converters.records import Box, Finding, Json


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    """From the pixels of one picture to those of a smaller one; sizes as (width, height)."""

    from_px: tuple[int, int]
    to_px: tuple[int, int]

    def box(self, box: Box) -> Box:
        """The same box in the smaller picture: its rim stays the rim."""
        (width, height), (across, down) = self.from_px, self.to_px
        return Box(
            x_min=box.x_min / width * across,
            y_min=box.y_min / height * down,
            x_max=box.x_max / width * across,
            y_max=box.y_max / height * down,
        )

    def finding(self, finding: Finding) -> Finding:
        """The same finding in the smaller picture: what is in millimetres stays."""
        area, length = finding.area_px, finding.longest_diameter_px
        share = math.prod(self.to_px) / math.prod(self.from_px)
        return replace(
            finding,
            box=self.box(finding.box) if finding.box else None,
            area_px=None if area is None else area * share,
            longest_diameter_px=None if length is None else length * math.sqrt(share),
        )

    def spacing(self, spacing_mm: tuple[float, float] | None) -> tuple[float, float] | None:
        """Row and column spacing of the smaller picture."""
        if spacing_mm is None:
            return None
        (width, height), (across, down) = self.from_px, self.to_px
        return spacing_mm[0] * height / down, spacing_mm[1] * width / across


def shrink_picture(picture: Picture, max_side_px: int) -> tuple[Picture, Scale]:
    """Make a picture smaller whose long side has too many pixels, without aliasing.

    Args:
        picture: In 8-bit grey or RGB.
        max_side_px: What the long side may have.

    Returns:
        The picture itself where it is small enough, else a smaller one; and the scale.
    """
    width, height = picture.size
    factor = max_side_px / max(width, height)
    if factor >= 1:
        return picture, Scale(from_px=picture.size, to_px=picture.size)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    step: dict[str, Json] = {
        "step": "resample",
        "image": "lanczos",
        "from_px": [width, height],
        "to_px": [*size],
    }
    smaller = replace(
        picture,
        image=picture.image.resize(size, Image.Resampling.LANCZOS),
        transforms=(*picture.transforms, step),
    )
    return smaller, Scale(from_px=picture.size, to_px=size)
