"""Pairs drawn for people to rate, their ratings kept, sources judged by them."""

import json
import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from converters.manifest import load_manifest
from pipeline import audit_cli, cli
from pipeline.audit import draw, read_ratings, rows_of, text_digest, verdicts
from pipeline.audit_judge import read_judgements
from pipeline.audit_page import audit_page
from pipeline.shards import read_shards
from tests.fakes import build_twin
from tests.fakes.model_server import ModelServer, Say, completion

SOURCES = ("bccd", "hc18")


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build of two sources."""
    folder = tmp_path_factory.mktemp("audit")
    arguments = ["--root", str(folder), "--out", str(folder / "out"), "--workers", "1"]
    for source in SOURCES:
        build_twin(load_manifest(source).manifest, folder / source)
        arguments += ["--source", source]
    assert cli.main(arguments) == 0
    return folder / "out"


def saved(out: Path, folder: Path, rating: Callable[[str], int], rater: str = "A. Reader") -> Path:
    """A file as the page saves it, with every drawn pair rated."""
    drawn = [pair_id for pairs in draw(out, 4).values() for pair_id in pairs]
    rows = rows_of(out, drawn)
    ratings = [
        {"pair_id": pair_id, "text_digest": text_digest(row["messages"]),
         "rating": rating(row["source"]), "note": ""}
        for pair_id, row in rows.items()
    ]  # fmt: skip
    path = folder / "ratings.json"
    path.write_text(json.dumps({"rater": rater, "ratings": ratings}))
    return path


def test_the_same_pairs_are_drawn_again_and_others_with_another_seed(out: Path) -> None:
    assert draw(out, 5) == draw(out, 5)
    assert draw(out, 5) != draw(out, 5, "other")


def test_so_many_pairs_of_each_source_are_drawn(out: Path) -> None:
    assert {source: len(pairs) for source, pairs in draw(out, 5).items()} == {"bccd": 5, "hc18": 5}


def test_a_source_with_fewer_pairs_gives_all(out: Path) -> None:
    every = [row["pair_id"] for row in read_shards(out, ["pair_id"])]
    drawn = draw(out, 10_000)
    assert sorted(p for pairs in drawn.values() for p in pairs) == sorted(every)


class _Page(HTMLParser):
    """Counts what a page holds."""

    def __init__(self) -> None:
        super().__init__()
        self.pairs: list[str] = []
        self.boxes = 0
        self.elsewhere: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "article":
            self.pairs.append(given["data-pair"] or "")
        self.boxes += tag == "rect"
        for name in ("src", "href"):
            if name in given and not (given[name] or "").startswith("data:"):
                self.elsewhere.append(str(given[name]))


def test_the_page_shows_every_pair_with_its_boxes_and_needs_nothing_else(
    out: Path, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    arguments = ["sample", "--data", str(out), "--pairs", "3", "--page", str(page)]
    assert audit_cli.main(arguments) == 0
    shown = _Page()
    shown.feed(page.read_text("utf-8"))
    drawn = [pair_id for pairs in draw(out, 3).values() for pair_id in pairs]
    assert shown.pairs == drawn
    assert shown.boxes == sum(len(row["boxes"]) for row in rows_of(out, drawn).values())
    assert shown.elsewhere == []


def test_texts_are_escaped(out: Path) -> None:
    (row,) = rows_of(out, draw(out, 1)["bccd"]).values()
    row["messages"][1]["content"] = "<script>alert(1)</script>"
    assert "<script>alert" not in audit_page([row])


def test_ratings_are_kept_and_judge_their_source(out: Path, tmp_path: Path) -> None:
    path = saved(out, tmp_path, {"bccd": 2, "hc18": 4}.get)  # type: ignore[arg-type]
    assert audit_cli.main(["keep", str(path), "--data", str(out)]) == 0
    found = {one.source: one for one in verdicts(out)}
    assert (found["bccd"].mean, found["hc18"].mean) == (2.0, 4.0)
    assert found["bccd"].passes(4)
    assert not found["bccd"].passes(5)
    assert not found["hc18"].passes(4)
    assert audit_cli.main(["report", "--data", str(out)]) == 0
    assert audit_cli.main(["report", "--data", str(out), "--require", "4"]) == 1


def test_a_later_rating_of_a_person_takes_the_place_of_the_earlier(
    out: Path, tmp_path: Path
) -> None:
    for value in (5, 1):
        path = saved(out, tmp_path, lambda _source, value=value: value, "B. Reader")
        audit_cli.main(["keep", str(path), "--data", str(out)])
    own = [one.rating for one in read_ratings(out) if one.rater == "B. Reader"]
    assert own == [1] * 8


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rating": 6}, "rating 6 is not 1 to 5"),
        ({"rating": True}, "rating True is not 1 to 5"),
        ({"text_digest": "sha256:0"}, "its text is another one now"),
        ({"pair_id": "nobody"}, "nobody: no such pair in this build"),
    ],
)
def test_a_rating_that_does_not_fit_is_not_kept_and_said(
    change: dict[str, object], said: str, out: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    path = saved(out, tmp_path, lambda _source: 3, "C. Reader")
    content = json.loads(path.read_text())
    content["ratings"][0].update(change)
    path.write_text(json.dumps(content))
    audit_cli.main(["keep", str(path), "--data", str(out)])
    heard = re.sub(r"\s+", " ", capsys.readouterr().err)
    assert said in heard
    assert "7 ratings kept" in heard


@pytest.mark.parametrize("content", ["{", "[]", '{"rater": "", "ratings": []}', '{"rater": "a"}'])
def test_a_file_of_another_kind_is_said(
    content: str, out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.json").write_text(content)
    assert audit_cli.main(["keep", str(tmp_path / "x.json"), "--data", str(out)]) == 2
    assert "name the file that the audit page saved" in capsys.readouterr().err


def test_a_folder_without_a_build_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit_cli.main(["sample", "--data", str(tmp_path)]) == 2
    assert "no finished build is here" in capsys.readouterr().err


RATED = {"medical_accuracy": 1, "clarity": 2, "completeness": 1, "relevance": 4, "reason": "so"}


def judged(out: Path, server: ModelServer, *more: str) -> int:
    return audit_cli.main(
        ["judge", "--data", str(out), "--pairs", "3", "--model", "m", "--base-url", server.url,
         *more]
    )  # fmt: skip


def test_a_model_answers_four_questions(copied: Path) -> None:
    with ModelServer(lambda _n, _b: Say(body=completion(json.dumps(RATED)))) as server:
        assert judged(copied, server) == 0
        assert judged(copied, server) == 0
    assert len(server.bodies) == 3 * len(SOURCES)  # the second time none is asked again
    kept = read_judgements(copied)
    assert {(one.model, one.saw_image, one.mean) for one in kept} == {("m", False, 2.0)}
    assert all("Recorded:" in text for text in server.asked)


def test_a_judge_sees_images_where_that_is_allowed(copied: Path) -> None:
    with ModelServer(lambda _n, _b: Say(body=completion(json.dumps(RATED)))) as server:
        assert judged(copied, server, "--allow-image-egress") == 0
    kinds = {body["messages"][-1]["content"][0]["type"] for body in server.bodies}
    assert kinds == {"image_url"}


@pytest.mark.parametrize(
    "said", ["I like it", "[]", json.dumps({**RATED, "clarity": 6}), json.dumps({"clarity": 1})]
)
def test_what_is_no_judgement_is_not_kept(
    said: str, copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with ModelServer(lambda _n, _b: Say(body=completion(said))) as server:
        assert judged(copied, server) == 1
    assert "not judged" in capsys.readouterr().err
    assert read_judgements(copied) == []


def test_the_report_names_what_models_say(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with ModelServer(lambda _n, _b: Say(body=completion(json.dumps(RATED)))) as server:
        assert judged(copied, server) == 0
    assert audit_cli.main(["report", "--data", str(copied)]) == 0
    assert "2.00" in capsys.readouterr().out


@pytest.fixture
def copied(out: Path, tmp_path: Path) -> Path:
    """The build, to be written beside."""
    return Path(shutil.copytree(out, tmp_path / "out"))
