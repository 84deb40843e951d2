"""Which frames of a video become pictures, and what is said of them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from converters.annotations.frame_chords import outline
from converters.errors import CaseError
from converters.files import locate_root
from converters.imaging.outlines import fill_polygon
from converters.layouts.videos import choose_frames
from converters.manifest import load_manifest
from converters.records import Entry, Outcome, Rejection, Sample
from converters.select import converter_for
from converters.specs.videos import FrameChords, Frames
from tests.fakes import build_twin
from tests.fakes.videos import number_shown, video


def entries(*numbers: int) -> dict[int, Entry]:
    """What a block has for some frames."""
    return {number: Entry(values={"frame": number}) for number in numbers}


def outcomes(source: str, folder: Path) -> list[Outcome]:
    """Everything that a converter yields for a folder."""
    manifest = load_manifest(source).manifest
    root, _ = locate_root(manifest, folder)
    converter = converter_for(manifest)
    return [out for case in converter.cases(root) for out in converter.convert(root, case)]


@pytest.fixture
def cholec(tmp_path: Path) -> Path:
    """A twin of Cholec80."""
    build_twin(load_manifest("cholec80").manifest, tmp_path / "twin")
    return tmp_path / "twin"


def test_a_frame_is_taken_where_every_block_speaks_of_it() -> None:
    assert choose_frames([entries(0, 1, 2, 25), entries(0, 25, 50)], Frames()) == [0, 25]


def test_a_block_that_does_not_know_the_video_does_not_count() -> None:
    assert choose_frames([entries(4, 9), {}], Frames()) == [4, 9]


def test_frames_lie_apart_and_are_spread_over_the_video() -> None:
    said = [entries(*range(1000))]
    chosen = choose_frames(said, Frames(per_video=4, apart=10))
    assert chosen == [120, 370, 620, 870]


def test_a_row_speaks_of_the_frame_with_its_number(cholec: Path) -> None:
    import io

    for out in outcomes("cholec80", cholec):
        assert isinstance(out, Sample)
        pixels = np.asarray(Image.open(io.BytesIO(out.image)).convert("RGB"))
        assert number_shown(pixels) == out.source_index
        rows = (cholec / out.annotation_path).read_text("utf-8").splitlines()
        (code,) = (row.split("\t")[1] for row in rows if row.startswith(f"{out.source_index}\t"))
        assert code in {finding.code for finding in out.findings}


def test_a_video_of_another_rate_is_rejected(cholec: Path) -> None:
    (cholec / "videos" / "video01.mp4").write_bytes(video("mp4", 300, 50))
    found = [out for out in outcomes("cholec80", cholec) if isinstance(out, Rejection)]
    assert [(out.reason, out.case_key) for out in found] == [
        ("shape_mismatch", "videos/video01.mp4")
    ]
    assert "50 frames a second, not 25" in found[0].message


def test_a_table_that_goes_on_after_the_video_rejects_it(cholec: Path) -> None:
    (cholec / "videos" / "video01.mp4").write_bytes(video("mp4", 100, 25))
    found = [out for out in outcomes("cholec80", cholec) if isinstance(out, Rejection)]
    assert "is annotated, and it has 100 frames" in found[0].message


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Frame\tPhase\n0\tNapping\n", "value_invalid"),
        ("Frame\tPhase\nfirst\tPreparation\n", "value_invalid"),
        ("Frame\tPhase\n0\tPreparation\n0\tClippingCutting\n", "labels_contradict"),
        ("Number\tPhase\n0\tPreparation\n", "value_invalid"),
        ("", "file_empty"),
    ],
)
def test_a_table_that_cannot_be_right_rejects_its_video(
    text: str, reason: str, cholec: Path
) -> None:
    (cholec / "phase_annotations" / "video01-phase.txt").write_text(text)
    found = [out for out in outcomes("cholec80", cholec) if isinstance(out, Rejection)]
    assert [out.reason for out in found] == [reason]


def spec() -> FrameChords:
    """Chords as EchoNet-Dynamic writes them."""
    manifest = load_manifest("echonet_dynamic").manifest
    (one,) = manifest.layout.annotations
    assert isinstance(one, FrameChords)
    return one


def test_chords_span_the_pixels_between_their_ends() -> None:
    names = spec().ends
    ends = [(5, 1, 5, 9), (2, 3, 8, 3), (2, 4, 8, 4), (2, 5, 8, 5)]
    rows = [dict(zip(names, map(str, four), strict=True)) for four in ends]
    mask = fill_polygon(outline(spec(), rows, "here"), (12, 12))
    assert np.argwhere(mask).min(axis=0).tolist() == [3, 2]
    assert np.argwhere(mask).max(axis=0).tolist() in ([4, 7], [5, 8], [4, 8], [5, 7])


def test_too_few_chords_are_a_reason() -> None:
    rows = [dict.fromkeys(spec().ends, "1")] * 2
    with pytest.raises(CaseError, match="span no region"):
        outline(spec(), rows, "here")
