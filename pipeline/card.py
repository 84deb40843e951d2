"""The dataset card of a build, with the Hugging Face YAML: a config a source, and one for all."""

from collections.abc import Mapping, Sequence
from typing import Any

from converters.licenses import license_of
from pipeline.attribution import plain
from pipeline.license_policy import terms_in
from pipeline.mixture_terms import conditions

_SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"),
          (10**7, "1M<n<10M"))  # fmt: skip
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
             "- image-text-to-text", *_facts(sources), "configs:"]  # fmt: skip
    every = {s: [name for name in splits if s in splits[name]] for s in _SPLITS}
    if any(every.values()):
        lines += [*_config("all", {s: names for s, names in every.items() if names}),
                  "  default: true"]  # fmt: skip
    for name, found in splits.items():
        if found:
            lines += _config(name, {split: [name] for split in found})
    pointers = [
        name for name, entry in sources.items() if entry["settings"]["images"] == "pointers"
    ]
    return "\n".join([
        *lines, "---", "", "# Image-text pairs", "", _WORDS, "", *_pointers(pointers),
        *_table(sources), "## Terms of the whole", "",
        *(f"- {plain(line)}" for line in conditions(terms_in(sources))), "",
        "`ATTRIBUTION.md` names every source as it asks to be named.", "",
    ])  # fmt: skip


def _facts(sources: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """License, languages, size and tags, in the words of the hub."""
    ids = {license_of(entry["license"]).hub for entry in sources.values()}
    shared = {entry["license"] for entry in sources.values()}
    license_lines = [f"license: {ids.pop() if len(ids) == 1 else 'other'}"]
    if license_lines == ["license: other"]:
        license_lines += [
            f"license_name: {shared.pop().lower() if len(shared) == 1 else 'several'}",
            "license_link: ATTRIBUTION.md",
        ]
    languages = sorted({word for e in sources.values() for word in e["settings"]["languages"]})
    pairs = sum(sum(entry["pairs"].values()) for entry in sources.values())
    size = next((word for most, word in _SIZES if pairs < most), "10M<n<100M")
    return [
        *license_lines, "language:", *(f"- {word}" for word in languages),
        "size_categories:", f"- {size}", "tags:", "- medical",
    ]  # fmt: skip


def _pointers(names: Sequence[str]) -> list[str]:
    if not names:
        return []
    return [
        f"Without images: {', '.join(names)}. Their rows point to the files of the source; "
        "`gmai-rehydrate` puts the images back from your own copy and compares their digests.", "",
    ]  # fmt: skip


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
        title = plain(entry["title"])
        lines.append(
            f"| {name} | {title} | {entry['license']} | {entry['samples']} | {pairs} | {rejected} |"
        )
    return [*lines, ""]
