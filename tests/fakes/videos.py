"""Twins of videos: a few short ones; each frame shows its own number in bright and dark fields."""

import io

import av
import numpy as np

from tests.fakes import Twin, TwinImage
from tests.fakes.images import owned_values
from tests.fakes.paths import path_for

SIZE = (96, 64)
BITS = 11
CODECS = {"avi": "mjpeg", "mp4": "mpeg4", "mkv": "mpeg4", "mpg": "mpeg2video", "mov": "mpeg4"}
CONTAINERS = {"mkv": "matroska", "mpg": "mpeg"}
ROWS = 3


def write(twin: Twin, count: int) -> None:
    """Write the videos, long enough for a few frames that lie apart."""
    layout = twin.manifest.layout
    owned = owned_values(layout)
    frames = (ROWS - 1) * layout.frames.apart + 8
    for number in range(max(3, count // 4)):
        fields = {name: values[number % len(values)] for name, values in owned.items()}
        path, fields = path_for(layout.images, fields, number)
        twin.write(
            path,
            video(path.rsplit(".", 1)[1], frames, round(layout.rate or 25), shade=30 + 9 * number),
        )
        twin.images.append(
            TwinImage(
                path=path,
                fields={"path": path, **fields},
                number=number,
                width=SIZE[0],
                height=SIZE[1],
            )
        )


def frame_numbers(twin: Twin) -> list[int]:
    """Numbers of the frames that blocks speak of."""
    return [row * twin.manifest.layout.frames.apart for row in range(ROWS)]


def video(suffix: str, frames: int, rate: int = 25, *, codec: str = "", shade: int = 40) -> bytes:
    """An encoded video."""
    out = io.BytesIO()
    codec = codec or CODECS[suffix]
    with av.open(out, "w", format=CONTAINERS.get(suffix, suffix)) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.thread_count = 1
        stream.options = {} if codec == "mjpeg" else {"bf": "2", "g": "24"}
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(numbered(number, shade), "rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return out.getvalue()


def numbered(number: int, shade: int = 40) -> np.ndarray:
    """The picture of a frame: bit by bit from left to right, bright for one."""
    pixels = np.full((SIZE[1], SIZE[0], 3), shade, dtype=np.uint8)
    pixels[40:56, 16:80] = (200, 120, 90)
    for bit in range(BITS):
        if number >> bit & 1:
            pixels[8:32, 8 * bit : 8 * bit + 8] = 220
    return pixels


def number_shown(pixels: np.ndarray) -> int:
    """The number that a picture of a frame shows."""
    grey = pixels.astype(int).mean(axis=-1) if pixels.ndim == 3 else pixels.astype(int)
    return sum(1 << bit for bit in range(BITS) if grey[20, 8 * bit + 4] > 130)
