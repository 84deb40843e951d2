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


@dataclass(frozen=True, kw_only=True, slots=True)
class Video:
    """A video whose frames were counted.

    Attributes:
        name: For messages.
        frames: Number of frames that players show; what an edit list cuts off does not count.
        rate: Frames a second as the file states them, or None.
        size: Width and height in pixels.
        codec: FFmpeg's name of the codec.
    """

    name: str
    frames: int
    rate: Fraction | None
    size: tuple[int, int]
    codec: str
    _path: Path = field(repr=False)
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
        if numbers and numbers[-1] >= self.frames:
            raise self._missing(numbers[-1])
        try:
            with _opened(self._path, self.name) as container:
                stream = container.streams.video[0]
                find = self._by_time if self._times else self._by_count
                yield from find(container, stream, numbers)
        except _BROKEN as error:
            raise _unreadable(self.name, error) from error

    def _missing(self, number: int) -> CaseError:
        return CaseError("file_unreadable", f"{self.name}: frame {number} is not there")

    def _by_time(
        self, container: InputContainer, stream: VideoStream, numbers: Sequence[int]
    ) -> Iterator[tuple[int, Image.Image]]:
        last = 0
        decoded = self._numbered(container, stream)  # from the start of the file
        for number in numbers:
            if number - last > _SEEK_BEYOND:
                decoded = self._from_before(container, stream, number)
            found = next((one for one in decoded if one[0] >= number), None)
            if found is None or found[0] != number:
                raise self._missing(number)
            last = number
            yield number, self._picture(found[1])

    def _from_before(
        self, container: InputContainer, stream: VideoStream, number: int
    ) -> Iterator[tuple[int, VideoFrame]]:
        """Frames from a place at or before a number on.

        Files are sought by the time of decoding, which may lie before that of display: where
        the first frame comes too late, an earlier place is tried.
        """
        assert self._times is not None
        for back in (0, 8, 64, number):
            container.seek(self._times[max(0, number - back)], stream=stream, backward=True)
            frames = self._numbered(container, stream)
            first = next(frames, None)
            if first and first[0] <= number:
                return chain([first], frames)
        return iter(())

    def _numbered(
        self, container: InputContainer, stream: VideoStream
    ) -> Iterator[tuple[int, VideoFrame]]:
        """Frames with their numbers, told by their times; -1 where a time is none of them."""
        assert self._times is not None
        place = {time: at for at, time in enumerate(self._times)}
        for frame in container.decode(stream):
            yield -1 if frame.pts is None else place.get(frame.pts, -1), frame

    def _by_count(
        self, container: InputContainer, stream: VideoStream, numbers: Sequence[int]
    ) -> Iterator[tuple[int, Image.Image]]:
        wanted = iter(numbers)
        number = next(wanted, None)
        for count, frame in enumerate(container.decode(stream)):
            if count == number:
                yield count, self._picture(frame)
                number = next(wanted, None)
            if number is None:
                return
        if number is not None:
            raise self._missing(number)

    def _picture(self, frame: VideoFrame) -> Image.Image:
        if frame.is_corrupt:
            raise CaseError("file_unreadable", f"{self.name}: a frame is damaged")
        if frame.rotation:
            raise CaseError("orientation_ambiguous", f"{self.name} asks to be turned")
        if (frame.width, frame.height) != self.size:
            raise CaseError("file_unsupported", f"{self.name}: the size changes within the video")
        return Image.fromarray(frame.to_ndarray(format="rgb24"))


def read_video(root: Root, relative: str) -> Video:
    """Count the frames of a video file of a root; none is decoded.

    Raises:
        CaseError: ``file_unsupported`` (not a known container, several video streams, pixels
            that are not square), ``file_unreadable``, ``file_too_large``.
        SourceError: The disk did not give the file.
    """
    path = root.checked(relative, VIDEO_BYTES)
    if _container_of(relative) is None:
        known = ", ".join(_CONTAINERS)
        raise CaseError("file_unsupported", f"{relative} is no video of a known kind: {known}")
    try:
        with _opened(path, relative) as container:
            return _described(container, path, relative)
    except _BROKEN as error:
        # What FFmpeg finds wrong with the content; an error of the disk was found by `checked`.
        raise _unreadable(relative, error) from error


def _container_of(name: str) -> str | None:
    return _CONTAINERS.get(Path(name).suffix.lower())


@contextmanager
def _opened(path: Path, name: str) -> Iterator[InputContainer]:
    with (
        path.open("rb") as file,
        av.open(file, "r", format=_container_of(name), metadata_errors="replace") as container,
    ):
        for stream in container.streams.video:
            if stream.codec_context is not None:
                stream.thread_count = 1  # a worker is one of many
        yield container


def _described(container: InputContainer, path: Path, name: str) -> Video:
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
    times = _times(container, stream, name)
    return Video(
        name=name,
        frames=len(times),
        rate=stream.average_rate or None,
        size=(width, height),
        codec=stream.codec_context.name,
        _path=path,
        _times=_told_apart(times) if _container_of(name) in _SEEKABLE else None,
    )


def _times(container: InputContainer, stream: VideoStream, name: str) -> list[int | None]:
    """Presentation time of every frame that is shown; packets are read, none is decoded."""
    times: list[int | None] = []
    for packet in container.demux(stream):
        if packet.size and not packet.is_discard:
            times.append(packet.pts)
        if len(times) > MAX_FRAMES:
            raise CaseError("file_too_large", f"{name} has more than {MAX_FRAMES:,} frames")
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
