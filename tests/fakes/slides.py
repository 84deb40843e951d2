"""Twins of whole slides: two regions, one blank, the other of stained tissue."""

import io

import numpy as np
import tifffile

from tests.fakes import Twin, TwinImage
from tests.fakes.images import owned_values
from tests.fakes.paths import path_for

REGIONS = 2


def write(twin: Twin, count: int) -> None:
    """Write the slides; the first region of each is glass."""
    layout = twin.manifest.layout
    owned = owned_values(layout)
    side = layout.regions.side_px
    for number in range(max(3, count // 4)):
        fields = {name: values[number % len(values)] for name, values in owned.items()}
        path, fields = path_for(layout.images, fields, number)
        width, height = side * REGIONS, side
        pixels = stained(width, height, number)
        pixels[:, :side] = 240
        twin.write(path, slide(pixels, layout.regions.microns_per_pixel))
        twin.images.append(
            TwinImage(
                path=path,
                fields={"path": path, **fields},
                number=number,
                width=width,
                height=height,
            )
        )


def stained(width: int, height: int, number: int) -> np.ndarray:
    """Violet tissue with a pattern of its own."""
    y, x = np.mgrid[0 : height // 32, 0 : width // 32]
    wave = ((x + y * 3 + number * 5) % 32).astype(np.uint8)
    small = np.stack([150 + wave, 80 + wave, 160 + wave], axis=-1).astype(np.uint8)
    return small.repeat(32, axis=0).repeat(32, axis=1)


def slide(pixels: np.ndarray, microns: float | None) -> bytes:
    """A tiled pyramid of two levels."""
    out = io.BytesIO()
    scale = {}
    if microns:
        scale = {"resolution": (1e4 / microns, 1e4 / microns), "resolutionunit": "CENTIMETER"}
    with tifffile.TiffWriter(out) as writer:
        for level in (pixels, pixels[::4, ::4]):
            writer.write(
                np.ascontiguousarray(level),
                tile=(256, 256),
                compression="zlib",
                photometric="rgb",
                subfiletype=0 if level is pixels else 1,
                metadata=None,
                **(scale if level is pixels else {}),
            )
    return out.getvalue()
