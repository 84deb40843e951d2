"""Video files: single frames by their number in the order of display.

Needs the package ``av`` (PyAV). The container is told by the suffix of the name, never guessed
from the content: some formats that FFmpeg knows are lists of other files and addresses.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import av.error
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image

from converters.errors import CaseError
from converters.files import Root
from converters.imaging.pictures import MAX_PIXELS

VIDEO_BYTES = 64 << 30
MAX_FRAMES = 5_000_000
_CONTAINERS = {
    ".avi": "avi", ".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska",
    ".webm": "matroska", ".mpg": "mpeg", ".mpeg": "mpeg", ".wmv": "asf",
}  # fmt: skip
_SEEKABLE = ("mp4", "mov", "matroska")  # in others, seeking misses frames; they are counted
_SEEK_BEYOND = 64  # frames; up to here, decoding what lies between is as quick
_BROKEN = (av.error.FFmpegError, ValueError, EOFError, IndexError, MemoryError)


@dataclass(kw_only=True)
class Video:
    """An open video.

    Attributes:
        name: For messages.
        frames: Number of frames.
        rate: Frames a second as the file states them, or None.
        size: Width and height in pixels.
        codec: FFmpeg's name of the codec.
    """

    name: str
    frames: int
    rate: Fraction | None
    size: tuple[int, int]
    codec: str
    _container: InputContainer = field(repr=False)
    _stream: VideoStream = field(repr=False)
    _times: tuple[int, ...] | None = field(repr=False)

    def images(self, numbers: Sequence[int]) -> Iterator[tuple[int, Image.Image]]:
        """Decode frames.

        Args:
            numbers: Numbers of frames, counted from 0 in the order of display, rising.

        Yields:
            The number and the picture in RGB.

        Raises:
            CaseError: ``file_unreadable``, where a frame is not there or is damaged;
                ``orientation_ambiguous``, where the file asks players to turn it.
        """
        try:
            yield from self._by_time(numbers) if self._times else self._by_count(numbers)
        except _BROKEN as error:
            raise _unreadable(self.name, error) from error

    def _by_time(self, numbers: Sequence[int]) -> Iterator[tuple[int, Image.Image]]:
        assert self._times is not None
        if numbers and numbers[-1] >= self.frames:
            raise CaseError("file_unreadable", f"{self.name}: frame {numbers[-1]} is not there")
        last = -_SEEK_BEYOND - 1
        decoded: Iterator[tuple[int, VideoFrame]] = iter(())
        for number in numbers:
            if number - last > _SEEK_BEYOND:
                decoded = self._from_before(number)
            found = next((one for one in decoded if one[0] >= number), None)
            if found is None or found[0] != number:
                raise CaseError("file_unreadable", f"{self.name}: frame {number} is not there")
            last = number
            yield number, self._picture(found[1])

    def _from_before(self, number: int) -> Iterator[tuple[int, VideoFrame]]:
        """Frames from a place at or before a number on.

        Files are sought by the time of decoding, which may lie before that of display: where
        the first frame comes too late, an earlier place is tried.
        """
        assert self._times is not None
        place = {time: at for at, time in enumerate(self._times)}
        for back in (0, 8, 64, number):
            self._container.seek(
                self._times[max(0, number - back)], stream=self._stream, backward=True
            )
            frames = (
                (-1 if frame.pts is None else place.get(frame.pts, -1), frame)
                for frame in self._container.decode(self._stream)
            )
            first = next(frames, None)
            if first and first[0] <= number:
                return chain([first], frames)
        return iter(())

    def _by_count(self, numbers: Sequence[int]) -> Iterator[tuple[int, Image.Image]]:
        wanted = iter(numbers)
        number = next(wanted, None)
        self._container.seek(0)
        for count, frame in enumerate(self._container.decode(self._stream)):
            if count == number:
                yield count, self._picture(frame)
                number = next(wanted, None)
            if number is None:
                return
        raise CaseError("file_unreadable", f"{self.name}: frame {number} is not there")

    def _picture(self, frame: VideoFrame) -> Image.Image:
        if frame.is_corrupt:
            raise CaseError("file_unreadable", f"{self.name}: a frame is damaged")
        if frame.rotation:
            raise CaseError("orientation_ambiguous", f"{self.name} asks to be turned")
        if (frame.width, frame.height) != self.size:
            raise CaseError("file_unsupported", f"{self.name}: the size changes within the video")
        return Image.fromarray(frame.to_ndarray(format="rgb24"))


@contextmanager
def open_video(root: Root, relative: str) -> Iterator[Video]:
    """Open a video file of a root; its frames are counted, none is decoded.

    Raises:
        CaseError: ``file_unsupported`` (not a known container, several video streams, pixels
            that are not square), ``file_unreadable``, ``file_too_large``.
        SourceError: The disk did not give the file.
    """
    path = root.checked(relative, VIDEO_BYTES)
    container = _CONTAINERS.get(Path(relative).suffix.lower())
    if container is None:
        known = ", ".join(_CONTAINERS)
        raise CaseError("file_unsupported", f"{relative} is no video of a known kind: {known}")
    try:
        file = path.open("rb")
    except OSError as error:
        raise root.unreadable(relative, error) from error
    with file:
        try:
            opened = av.open(file, "r", format=container, metadata_errors="replace")
        except _BROKEN as error:
            raise _unreadable(relative, error) from error
        with opened:
            yield _described(opened, relative, can_seek=container in _SEEKABLE)


def _described(container: InputContainer, name: str, *, can_seek: bool) -> Video:
    if len(container.streams.video) != 1:
        count = len(container.streams.video)
        raise CaseError("file_unsupported", f"{name} has {count} streams of pictures, not one")
    stream = container.streams.video[0]
    if stream.codec_context is None:
        raise CaseError("file_unsupported", f"{name}: its codec is not known")
    width, height = stream.codec_context.width, stream.codec_context.height
    if not 0 < width * height <= MAX_PIXELS:
        raise CaseError("file_too_large", f"{name} has frames of {width}x{height} pixels")
    ratio = stream.sample_aspect_ratio
    if ratio not in (None, 0, 1):
        raise CaseError("file_unsupported", f"{name} has pixels of {ratio}, not square ones")
    stream.thread_count = 1  # a worker is one of many
    times = _times(container, stream, name)
    return Video(
        name=name,
        frames=len(times),
        rate=stream.average_rate or None,
        size=(width, height),
        codec=stream.codec_context.name,
        _container=container,
        _stream=stream,
        _times=_told_apart(times) if can_seek else None,
    )


def _times(container: InputContainer, stream: VideoStream, name: str) -> list[int | None]:
    """Presentation time of every frame; packets are read, none is decoded."""
    times: list[int | None] = []
    try:
        for packet in container.demux(stream):
            if packet.size:
                times.append(packet.pts)
            if len(times) > MAX_FRAMES:
                raise CaseError("file_too_large", f"{name} has more than {MAX_FRAMES:,} frames")
    except _BROKEN as error:
        raise _unreadable(name, error) from error
    if not times:
        raise CaseError("file_unreadable", f"{name} holds no frame")
    return times


def _told_apart(times: list[int | None]) -> tuple[int, ...] | None:
    """The times in order, or None where they do not tell frames apart."""
    known = sorted(time for time in times if time is not None)
    return tuple(known) if len(set(known)) == len(times) else None


def _unreadable(name: str, error: BaseException) -> CaseError:
    what = getattr(error, "strerror", None) or type(error).__name__
    return CaseError("file_unreadable", f"{name} is cut or broken: {what}")
