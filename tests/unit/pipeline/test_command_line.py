"""What the commands share: arguments that are refused, errors in one message, exit codes."""

import argparse
import os
import subprocess
import sys

import pytest

from converters.errors import SettingsError
from pipeline.command_line import (
    EXIT_INTERRUPTED,
    EXIT_READER_LEFT,
    EXIT_USER,
    names,
    positive,
    run_command,
)


@pytest.mark.parametrize(("text", "number"), [("1", 1), ("12", 12), ("007", 7)])
def test_a_whole_number_above_zero_is_taken(text: str, number: int) -> None:
    assert positive(text) == number


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "", "x", " 1", "1e3", "²", "٣x"])
def test_any_other_number_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="not a whole number above zero"):
        positive(text)


def test_the_order_of_names_is_the_order_of_what_is_allowed() -> None:
    assert names(("a", "b", "c"))(" c, a ,c") == ("a", "c")


@pytest.mark.parametrize(
    ("text", "said"), [("a,x,y", "x, y: not known"), ("", "names are missing"), (",", "missing")]
)
def test_names_that_are_not_allowed_are_refused(text: str, said: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=f"{said}; there are: a, b"):
        names(("a", "b"))(text)


def test_the_code_of_the_work_is_the_exit_code() -> None:
    assert run_command("gmai", lambda: 1) == 1


def test_a_mistake_of_the_user_is_one_message(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> int:
        raise SettingsError("bcd", "no such source", "did you mean bccd?")

    assert run_command("gmai", work) == EXIT_USER
    said = capsys.readouterr()
    assert said.err == "gmai: bcd: no such source\n  did you mean bccd?\n"
    assert said.out == ""


def test_a_mistake_of_ours_keeps_its_traceback() -> None:
    def work() -> int:
        raise KeyError("ours")

    with pytest.raises(KeyError):
        run_command("gmai", work)


def test_ctrl_c_has_a_code_of_its_own() -> None:
    def work() -> int:
        raise KeyboardInterrupt

    assert run_command("gmai", work) == EXIT_INTERRUPTED


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_leaves_is_no_mistake(unbuffered: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)  # as `| head` does once it has its lines
    run = subprocess.run(
        [sys.executable, "-m", "pipeline.sources_cli", "list"],
        stdout=writing,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        check=False,
    )
    os.close(writing)
    assert (run.returncode, run.stderr) == (EXIT_READER_LEFT, b"")


@pytest.mark.parametrize(
    ("package", "extra"), [("pydicom", "dicom"), ("torch", "train"), ("tokenizers", "train")]
)
def test_a_package_that_is_not_installed_is_named(
    capsys: pytest.CaptureFixture[str], package: str, extra: str
) -> None:
    def work() -> int:
        raise ModuleNotFoundError(f"No module named {package!r}", name=f"{package}.inner")

    assert run_command("gmai-build", work) == 2
    assert f"pip install 'gmai[{extra}]'" in capsys.readouterr().err
