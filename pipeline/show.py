"""Pairs of a build, shown to a person: python -m pipeline.show OUT [--rows N] [--images DIR]."""

import argparse
import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw
from rich.console import Console
from rich.table import Table
from rich.text import Text

from converters.errors import SettingsError
from pipeline.command_line import folder, positive, run_command
from pipeline.out_folder import read_receipt
from pipeline.pointers import pixels_of
from pipeline.shards import read_shard, read_shards, shard_paths

_PROVENANCE = (
    "source", "license", "split", "subject_id", "source_path", "source_index", "source_digest",
    "annotation_path", "annotation_digest", "converter", "transforms", "template", "captioner",
    "checks", "image_digest", "build_version",
)  # fmt: skip


_CORNERS = ("x_min", "y_min", "x_max", "y_max")
_BOXES = 8


def parser() -> argparse.ArgumentParser:
    """The command line."""
    out = argparse.ArgumentParser(
        prog="python -m pipeline.show", description="Show some pairs of a build."
    )
    out.add_argument("out", type=folder, help="out folder of gmai-build")
    out.add_argument("--rows", type=positive, default=6, metavar="N", help="pairs (default: 6)")
    out.add_argument("--images", type=folder, metavar="DIR",
                     help="where pictures with boxes go (default: OUT/shown)")  # fmt: skip
    return out


def main(argv: Sequence[str] | None = None) -> int:
    """Show some pairs, the provenance of the first, and what was made in all."""
    arguments = parser().parse_args(argv)
    return run_command("show", lambda: _show(arguments))


def _show(arguments: argparse.Namespace) -> int:
    receipt = read_receipt(arguments.out)
    if not receipt:
        raise SettingsError(str(arguments.out), "no finished build is here", "run gmai-build first")
    screen = Console(highlight=False)
    folder = arguments.images or arguments.out / "shown"
    folder.mkdir(parents=True, exist_ok=True)
    rows = _one_of_each_format(arguments.out, arguments.rows)
    for number, row in enumerate(rows, start=1):
        _show_pair(screen, row, folder / f"{number:02d}-{row['format']}.png")
    if rows:
        _show_provenance(screen, rows[0])
    _show_receipt(screen, receipt)
    return 0


def _one_of_each_format(out: Path, count: int) -> list[dict[str, Any]]:
    """The first pair of each format and source, then others, from images apart."""
    chosen = _choose(out, count)
    found: dict[str, dict[str, Any]] = {}
    for path in shard_paths(out):
        for row in read_shard(path) if len(found) < len(chosen) else ():
            if row["pair_id"] in chosen:
                found[row["pair_id"]] = row
            if len(found) == len(chosen):
                break
    return [found[pair_id] for pair_id in chosen]


def _choose(out: Path, count: int) -> list[str]:
    """The pairs to show, from the narrow columns alone."""
    first: dict[tuple[str, str], str] = {}
    images: set[str] = set()
    later: list[str] = []
    for row in read_shards(out, ["pair_id", "sample_id", "source", "format"], 4096):
        kind = (row["source"], row["format"])
        if kind not in first and row["sample_id"] not in images and len(first) < count:
            first[kind] = row["pair_id"]
            images.add(row["sample_id"])
        elif len(later) < count:
            later.append(row["pair_id"])
        if len(first) == count:
            break
    return [*first.values(), *later][:count]


def _show_pair(screen: Console, row: dict[str, Any], path: Path) -> None:
    image: Image.Image = Image.open(io.BytesIO(pixels_of(row))).convert("RGB")
    scale = max(1, 512 // max(image.size))
    image = image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST)
    beside = Image.new("RGB", (2 * image.width, image.height))
    beside.paste(image, (0, 0))
    draw = ImageDraw.Draw(image)
    for box in row["boxes"]:
        x_min, y_min, x_max, y_max = (box[name] * scale for name in _CORNERS)
        draw.rectangle((x_min, y_min, x_max - 1, y_max - 1), outline="yellow")
    beside.paste(image, (image.width, 0))
    beside.save(path)
    table = Table(
        show_header=False, title=Text(f"{row['format']}: {row['sample_id']}"), title_justify="left"
    )
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for message in row["messages"]:
        table.add_row(message["role"], Text(message["content"]))
    table.add_row("labels", ", ".join(row["labels"]) or "none said to be there")
    for box in row["boxes"][:_BOXES]:
        corners = ", ".join(f"{box[name]:g}" for name in _CORNERS)
        table.add_row("box", f"{box['label']}: {corners} (pixels)")
    if row["boxes"][_BOXES:]:
        table.add_row("box", f"and {len(row['boxes']) - _BOXES} more")
    table.add_row("picture", Text(str(path)))
    screen.print(table)


def _show_provenance(screen: Console, row: dict[str, Any]) -> None:
    table = Table("column", "value", title="where the first pair comes from", title_justify="left")
    for name in _PROVENANCE:
        value = row[name]
        text = ", ".join(value) if isinstance(value, list) else str(value)
        table.add_row(name, Text(text))
    findings = json.loads(row["findings"])
    for finding in findings["present"]:
        facts = {key: value for key, value in finding.items() if key not in ("code", "role")}
        table.add_row("finding", Text(json.dumps(facts)))
    screen.print(table)


def _show_receipt(screen: Console, receipt: dict[str, Any]) -> None:
    table = Table("source", "licence", "images", "pairs", "by format", "left out")
    for name, entry in receipt["sources"].items():
        formats = ", ".join(f"{key} {value}" for key, value in entry["pairs"].items())
        left = ", ".join(f"{key} {value}" for key, value in entry["rejections"].items()) or "none"
        table.add_row(name, entry["license"], str(entry["samples"]),
                      str(sum(entry["pairs"].values())), formats, left)  # fmt: skip
    screen.print(table)


if __name__ == "__main__":
    sys.exit(main())
