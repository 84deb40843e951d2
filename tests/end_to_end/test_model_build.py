"""Builds whose captions a model writes, behind a server of this machine."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from converters.manifest import load_manifest
from pipeline import cli
from pipeline.shards import read_shards
from tests.end_to_end.test_restart import contents
from tests.fakes import build_twin
from tests.fakes.model_server import ModelServer, Say, user_text
from tests.fakes.model_writer import caption, truth, write_truth

SOURCE = "bccd"
CASES = 12


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("twin") / SOURCE
    build_twin(load_manifest(SOURCE).manifest, folder, CASES)
    return folder


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer(write_truth) as server:
        yield server


def arguments(root: Path, out: Path, url: str, *more: str) -> list[str]:
    return [
        "--source", SOURCE, "--root", str(root), "--out", str(out), "--captioner", "openai",
        "--model", "small", "--base-url", url, "--formats", "caption,region_caption,judgement",
        "--partition-cases", "4", "--workers", "2", *more,
    ]  # fmt: skip


def rows(out: Path) -> list[dict[str, Any]]:
    return list(read_shards(out))


def written(out: Path) -> list[dict[str, Any]]:
    """The rows of formats that a model writes."""
    return [row for row in rows(out) if row["format"] != "judgement"]


def test_a_row_says_who_wrote_its_text(root: Path, tmp_path: Path, server: ModelServer) -> None:
    assert cli.main(arguments(root, tmp_path, server.url, "--revision", "abc")) == 0
    for row in written(tmp_path):
        assert (row["captioner"], row["captioner_revision"], row["attempts"]) == (
            "openai", "abc", 1,
        )  # fmt: skip
        assert json.loads(row["captioner_settings"])["model"] == "small"
        assert row["request_key"].startswith("sha256:")
        assert "side" in row["checks"]
    assert {row["captioner"] for row in rows(tmp_path) if row["format"] == "judgement"} == {
        "template"
    }


def test_the_text_is_the_models(root: Path, tmp_path: Path, server: ModelServer) -> None:
    assert cli.main(arguments(root, tmp_path, server.url)) == 0
    told = {truth(body) for body in server.bodies}
    assert {row["messages"][1]["content"] for row in written(tmp_path)} <= told


def test_each_request_is_sent_once_and_never_again(
    root: Path, tmp_path: Path, server: ModelServer
) -> None:
    assert cli.main(arguments(root, tmp_path, server.url)) == 0
    asked = len(server.bodies)
    assert max(Counter(map(json.dumps, server.bodies)).values()) == 1
    # Other partitions make all shards anew, from the answers that are kept.
    assert cli.main(arguments(root, tmp_path, server.url, "--partition-cases", "3")) == 0
    assert len(server.bodies) == asked


def test_workers_change_no_byte(root: Path, tmp_path: Path, server: ModelServer) -> None:
    assert cli.main(arguments(root, tmp_path / "two", server.url)) == 0
    assert cli.main(arguments(root, tmp_path / "four", server.url, "--workers", "4")) == 0
    assert contents(tmp_path / "two") == contents(tmp_path / "four")


def test_answers_of_another_build_are_taken(
    root: Path, tmp_path: Path, server: ModelServer
) -> None:
    assert cli.main(arguments(root, tmp_path / "one", server.url)) == 0
    asked = len(server.bodies)
    reuse = ("--reuse", str(tmp_path / "one"))
    assert cli.main(arguments(root, tmp_path / "other", server.url, *reuse)) == 0
    assert len(server.bodies) == asked
    assert contents(tmp_path / "one") == contents(tmp_path / "other")


def test_a_wrong_text_goes_back_with_the_reason(root: Path, tmp_path: Path) -> None:
    def lies_at_first(_number: int, body: dict[str, Any]) -> Say:
        is_again = "was not taken" in user_text(body)
        return caption(truth(body) if is_again else "A pneumothorax of the left lung is seen.")

    with ModelServer(lies_at_first) as server:
        assert cli.main(arguments(root, tmp_path, server.url)) == 0
    again = [text for text in server.asked if "was not taken" in text]
    assert again
    assert all("no finding supports: pneumothorax" in text for text in again)
    assert {row["attempts"] for row in written(tmp_path)} == {2}


def test_the_template_takes_the_place_of_a_text_that_stays_wrong(
    root: Path, tmp_path: Path
) -> None:
    with ModelServer(lambda _number, _body: caption("A pneumothorax is seen.")) as server:
        assert cli.main(arguments(root, tmp_path, server.url, "--attempts", "2")) == 0
    for row in written(tmp_path):
        assert row["captioner"] == "template"
        assert row["attempts"] == 3
        instead = json.loads(row["captioner_settings"])["instead_of"]
        assert ["unsupported_finding" in codes for codes in instead["failed_checks"]] == [True] * 2
        assert "pneumothorax" not in row["messages"][1]["content"]
    receipt = json.loads((tmp_path / "build.json").read_text())
    assert receipt["sources"][SOURCE]["texts"] == {"template instead": len(written(tmp_path))}


def test_a_region_is_not_described_by_what_lies_elsewhere(root: Path, tmp_path: Path) -> None:
    cells = ("red blood cell", "white blood cell", "platelet")

    def sees_all(_number: int, body: dict[str, Any]) -> Say:
        is_region = "the region:" in user_text(body)
        return (
            caption(f"This region shows {', '.join(cells)}.") if is_region else caption(truth(body))
        )

    with ModelServer(sees_all) as server:
        assert cli.main(arguments(root, tmp_path, server.url, "--attempts", "1")) == 0
    texts = [row["messages"][1]["content"] for row in rows(tmp_path)
             if row["format"] == "region_caption"]  # fmt: skip
    assert texts
    assert all(sum(name in text for name in cells) <= 1 for text in texts)
    assert any(
        {one["label"] for one in json.loads(row["findings"])["present"]} >= set(cells)
        for row in rows(tmp_path)
    )


def test_a_text_that_is_not_of_the_form_is_asked_again(root: Path, tmp_path: Path) -> None:
    def babbles_at_first(_number: int, body: dict[str, Any]) -> Say:
        return write_truth(0, body) if "was not taken" in user_text(body) else Say()

    with ModelServer(babbles_at_first) as server:
        assert cli.main(arguments(root, tmp_path, server.url)) == 0
    assert any("not JSON" in text for text in server.asked)
    assert {row["captioner"] for row in written(tmp_path)} == {"openai"}


def test_what_the_model_does_not_answer_is_rejected_and_can_be_asked_again(
    root: Path, tmp_path: Path, server: ModelServer
) -> None:
    def refuses_regions(_number: int, body: dict[str, Any]) -> Say:
        is_region = "the region:" in user_text(body)
        return Say(status=422, body=b"{}") if is_region else write_truth(0, body)

    with ModelServer(refuses_regions) as other:
        assert cli.main(arguments(root, tmp_path / "out", other.url)) == 0
        answered = sum("the region:" not in text for text in other.asked)
    receipt = json.loads((tmp_path / "out" / "build.json").read_text())
    missing = receipt["sources"][SOURCE]["rejections"]["captioner_failed"]
    assert missing
    assert cli.main(arguments(root, tmp_path / "out", server.url, "--retry", "failed")) == 0
    assert len(server.bodies) == missing
    assert cli.main(arguments(root, tmp_path / "quiet", server.url)) == 0
    assert len(server.bodies) == 2 * missing + answered
    assert contents(tmp_path / "out") == contents(tmp_path / "quiet")


def test_a_spent_budget_stops_and_a_larger_one_goes_on(
    root: Path, tmp_path: Path, server: ModelServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments(root, tmp_path, server.url, "--budget-tokens", "1200")) == 2
    assert "--budget-tokens" in capsys.readouterr().err
    assert not (tmp_path / "build.json").exists()
    assert cli.main(arguments(root, tmp_path, server.url)) == 0
    assert max(Counter(map(json.dumps, server.bodies)).values()) == 1


def test_a_model_writes_chinese(root: Path, tmp_path: Path) -> None:
    def wrong(_number: int, _body: dict[str, Any]) -> Say:
        return caption("This is English.")

    with ModelServer(wrong) as server:
        more = ("--languages", "zh", "--attempts", "2")
        assert cli.main(arguments(root, tmp_path, server.url, *more)) == 0
    assert any("你上一次的文字未被采用" in text for text in server.asked)
    assert {row["captioner"] for row in written(tmp_path)} == {"template"}


def test_images_are_sent_only_where_that_is_allowed(
    root: Path, tmp_path: Path, server: ModelServer, capsys: pytest.CaptureFixture[str]
) -> None:
    vision = ("--mode", "vision")
    assert cli.main(arguments(root, tmp_path, server.url, *vision)) == 2
    assert "--allow-image-egress" in capsys.readouterr().err
    assert server.bodies == []
    assert cli.main(arguments(root, tmp_path, server.url, *vision, "--allow-image-egress")) == 0
    assert all(body["messages"][-1]["content"][0]["type"] == "image_url" for body in server.bodies)


def test_options_of_a_model_need_a_model(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--source", SOURCE, "--root", str(root), "--out", str(tmp_path), "--model", "small"]
    assert cli.main(given) == 2
    assert "--model: is for another captioner" in capsys.readouterr().err


@pytest.mark.parametrize("delay", [0.6, 1.0, 1.6])
def test_a_killed_build_goes_on_and_asks_only_what_was_in_flight(
    delay: float, root: Path, tmp_path: Path, server: ModelServer
) -> None:
    assert cli.main(arguments(root, tmp_path / "quiet", server.url)) == 0
    asked = len(server.bodies)

    def slow(_number: int, body: dict[str, Any]) -> Say:
        say = write_truth(0, body)
        return Say(body=say.body, wait_seconds=0.2)

    with ModelServer(slow) as other:
        command = arguments(root, tmp_path / "killed", other.url, "--concurrency", "4")
        process = subprocess.Popen(
            [sys.executable, "-m", "pipeline.cli", *command], start_new_session=True
        )
        while not other.bodies:
            assert process.poll() is None, "the build ended before it asked anything"
            time.sleep(0.02)
        time.sleep(delay)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert cli.main(command) == 0
        assert len(other.bodies) <= asked + 4
    assert contents(tmp_path / "killed") == contents(tmp_path / "quiet")
