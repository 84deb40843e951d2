"""Where things lie: names that say something, modules of a readable size, data without code."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = [p for top in ("converters", "pipeline", "trainer") for p in (ROOT / top).rglob("*.py")]
NAMELESS = {"utils", "util", "helpers", "helper", "common", "misc"}


def test_no_file_is_named_for_nothing() -> None:
    assert [
        path for path in [*MODULES, *(ROOT / "tests").rglob("*.py")] if path.stem in NAMELESS
    ] == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_module_can_be_read_at_a_sitting(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) < 500


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_module_says_what_it_is(path: Path) -> None:
    assert path.read_text("utf-8").lstrip().startswith(('"""', 'r"""'))


@pytest.mark.parametrize("folder", ["manifests", "templates"])
def test_data_folders_hold_no_code(folder: str) -> None:
    assert list((ROOT / folder).rglob("*.py")) == []
