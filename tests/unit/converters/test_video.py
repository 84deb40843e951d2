"""Frames of videos by number, whatever the container and the codec."""

import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from converters.errors import CaseError
from converters.files import Root
from converters.imaging.video import read_video
from tests.fakes.videos import number_shown, video

FRAMES = 150
NAMES = ["a.avi", "a.mp4", "a.mkv", "a.mov", "a.mpg"]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Root:
    """One video of each kind; MPEG-4 with pictures that are stored out of order."""
    folder = tmp_path_factory.mktemp("videos")
    for name in NAMES:
        (folder / name).write_bytes(video(name.rsplit(".", 1)[1], FRAMES))
    (folder / "b.avi").write_bytes(video("avi", FRAMES, codec="mpeg4"))
    return Root(source="toy", folder=folder)


@pytest.mark.parametrize("name", [*NAMES, "b.avi"])
@settings(max_examples=12, deadline=None)
@given(numbers=st.sets(st.integers(0, FRAMES - 1), min_size=1, max_size=6).map(sorted))
def test_a_frame_is_the_one_with_that_number(name: str, numbers: list[int], root: Root) -> None:
    images = read_video(root, name).images(numbers)
    shown = [number_shown(np.asarray(image)) for _, image in images]
    assert shown == numbers


@pytest.mark.parametrize("name", NAMES)
def test_frames_rate_and_size_are_known_without_decoding(name: str, root: Root) -> None:
    found = read_video(root, name)
    assert (found.frames, found.rate, found.size) == (FRAMES, Fraction(25), (96, 64))


@pytest.mark.parametrize("name", NAMES)
def test_a_frame_beyond_the_end_is_a_reason(name: str, root: Root) -> None:
    found = read_video(root, name)
    with pytest.raises(CaseError, match="frame 150 is not there"):
        list(found.images([FRAMES]))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9])
def test_a_cut_video_gives_true_frames_or_a_reason(
    name: str, share: float, root: Root, tmp_path: Path
) -> None:
    whole = (root.folder / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: int(len(whole) * share) + 8])
    cut = Root(source="toy", folder=tmp_path)
    shown: list[tuple[int, int]] = []
    with pytest.raises(CaseError) as raised:  # noqa: PT012
        for number, image in read_video(cut, name).images([3, 60, FRAMES - 1]):
            shown.append((number, number_shown(np.asarray(image))))
    assert raised.value.reason in ("file_unreadable", "file_unsupported")
    assert all(number == seen for number, seen in shown)


@pytest.mark.parametrize("name", ["a.mp4", "a.m3u8"])
def test_a_list_of_other_files_is_not_opened(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n")
    root = Root(source="toy", folder=tmp_path)
    with pytest.raises(CaseError, match=r"cut or broken|no video of a known kind"):
        read_video(root, name)


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv"])
def test_frames_that_players_do_not_show_are_not_counted(name: str, tmp_path: Path) -> None:
    """As a cut without encoding leaves them: an edit list begins at frame 20."""
    (tmp_path / name).write_bytes(cut_at(video(name[2:], 60), name[2:], 20))
    root = Root(source="toy", folder=tmp_path)
    found = read_video(root, name)
    with av.open(str(tmp_path / name)) as container:
        played = [number_shown(frame.to_ndarray(format="rgb24")) for frame in
                  container.decode(video=0)]  # fmt: skip
    assert found.frames == len(played) <= 60
    numbers = [0, 1, 7, len(played) - 1]
    shown = [number_shown(np.asarray(image)) for _, image in found.images(numbers)]
    assert shown == [played[number] for number in numbers]


def cut_at(data: bytes, suffix: str, first: int) -> bytes:
    """The video with its packets kept and its times moved so that `first` is shown first."""
    out = io.BytesIO()
    container = {"mkv": "matroska"}.get(suffix, suffix)
    options = {"avoid_negative_ts": "disabled"}
    if suffix != "mkv":
        options["use_editlist"] = "1"
    with (
        av.open(io.BytesIO(data), format=container) as source,
        av.open(out, "w", format=container, options=options) as target,
    ):
        stream = source.streams.video[0]
        copy = target.add_stream_from_template(stream)
        step = None
        for packet in source.demux(stream):
            if not packet.size:
                continue
            step = step or packet.duration or round(1 / (25 * packet.time_base))
            packet.pts -= first * step
            packet.dts -= first * step
            packet.stream = copy
            target.mux(packet)
    return out.getvalue()
