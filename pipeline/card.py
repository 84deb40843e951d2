"""The dataset card of a build, with the Hugging Face YAML: a config a source, and one for all."""

from collections.abc import Mapping, Sequence
from typing import Any

_SPLITS = ("train", "validation", "test")
_WORDS = (
    "Made from annotated medical images by gmai-build. Each source keeps its own licence, given "
    "in the table and in every row; `not stated` means that none was found, never that it is "
    "free. `build.json` says what was made, `rejections.parquet` what was left out and why. "
    "Not for clinical use."
)


def dataset_card(sources: Mapping[str, Mapping[str, Any]]) -> str:
    """The card as Markdown.

    Args:
        sources: Entries of the receipt, by source.
    """
    splits = {
        name: [split for split, count in entry["splits"].items() if count["pairs"]]
        for name, entry in sources.items()
    }
    lines = ["---", "pretty_name: Image-text pairs built by gmai", "task_categories:",
             "- image-text-to-text", "configs:"]  # fmt: skip
    every = {s: [name for name in splits if s in splits[name]] for s in _SPLITS}
    if any(every.values()):
        lines += [*_config("all", {s: names for s, names in every.items() if names}),
                  "  default: true"]  # fmt: skip
    for name, found in splits.items():
        if found:
            lines += _config(name, {split: [name] for split in found})
    return "\n".join([*lines, "---", "", "# Image-text pairs", "", _WORDS, "", *_table(sources)])


def _config(name: str, splits: Mapping[str, Sequence[str]]) -> list[str]:
    """A config, its folders named one by one: nothing that is not of the build is read."""
    lines = [f"- config_name: {name}", "  data_files:"]
    for split, folders in splits.items():
        lines += [f"  - split: {split}", "    path:"]
        lines += [f'    - "data/{folder}/{split}-*.parquet"' for folder in folders]
    return lines


def _table(sources: Mapping[str, Mapping[str, Any]]) -> list[str]:
    lines = [
        "| source | title | licence | images | pairs | rejected |",
        "|---|---|---|---|---|---|",
    ]
    for name, entry in sources.items():
        pairs, rejected = sum(entry["pairs"].values()), sum(entry["rejections"].values())
        title = entry["title"].replace("|", "\\|")
        lines.append(
            f"| {name} | {title} | {entry['license']} | {entry['samples']} | {pairs} | {rejected} |"
        )
    return [*lines, ""]
