"""Generated files are fresh, and the command line is the one that is written down."""

from collections.abc import Callable
from functools import cache

import pytest

from converters.manifest import json_schema
from pipeline.generated import ROOT, generated_files, help_texts


@cache
def made() -> dict[str, str]:
    return generated_files()


@pytest.mark.parametrize(
    "name",
    ["manifests/schema.json", "manifests/index.json", "manifests/README.md",
     "docs/command-line.md", "docs/sources.md", "docs/sources.svg", "docs/sources.html"],
)  # fmt: skip
def test_a_generated_file_is_fresh(name: str) -> None:
    found = (ROOT / name).read_text("utf-8")
    assert found == made()[name], "run python -m pipeline.generated"


@pytest.mark.parametrize("name", help_texts())
def test_the_command_line_is_the_golden_one(name: str, golden: Callable[[str, str], None]) -> None:
    golden(f"command_line/{name.replace(' ', '-')}.txt", help_texts()[name])


def test_the_page_of_manifests_describes_every_layout_and_annotation_block() -> None:
    page = (ROOT / "manifests/README.md").read_text("utf-8")
    models = json_schema()["$defs"]
    kinds = [name for name, said in models.items() if "kind" in said.get("properties", {})]
    assert len(kinds) > 20
    assert [name for name in kinds if f"\n### {name}\n" not in page] == []
