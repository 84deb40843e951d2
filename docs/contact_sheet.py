"""One picture a modality, with the boxes and measures that the facts give, for a person to check.

    python docs/contact_sheet.py SHEET.png SOURCE=FOLDER [SOURCE=FOLDER ...] [SOURCE ...]

Each source is converted; of each modality, and within it of each arrangement of files (pictures,
volumes, DICOM series, videos, whole slides), the sample with most kinds of box is drawn, of the
first source that has one. A source without a folder is drawn from its generated twin and says
so. R and L are written where a slice has the patient's right and left; what is drawn on a
picture here is never in a picture that a build makes.
"""

import argparse
import io
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from converters.files import locate_root
from converters.manifest import load_manifest
from converters.records import Finding, Sample
from converters.select import converter_for
from converters.vocabulary import modality

SIDE_PX, LINE_PX = 480, 17
COLORS = ("#ffd400", "#00d5ff", "#ff5ea8", "#7dff5e", "#ff8c00", "#c7a6ff", "#ffffff", "#ff5050",
          "#3d8bff")  # fmt: skip
CASES = 12  # of each source


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A sample, how the files of its source are arranged, and whether it is of a generated twin."""

    sample: Sample
    layout: str
    is_twin: bool


def samples(name: str, folder: Path) -> Iterator[Sample]:
    """The samples of the first cases of a source."""
    manifest = load_manifest(name).manifest
    root, _ = locate_root(manifest, folder)
    converter = converter_for(manifest)
    for case in islice(converter.cases(root), CASES):
        yield from (out for out in converter.convert(root, case) if isinstance(out, Sample))


def richness(sample: Sample) -> tuple[int, int]:
    """How much there is to check: labels with a box, on no narrow picture."""
    labels = len({finding.label for finding in sample.findings if finding.box})
    return min(labels, 6), min(sample.width, sample.height)


def choose(sources: list[str], folder: Path) -> list[Shown]:
    """The sample of each modality and arrangement, in the order of the sources."""
    found: dict[tuple[str, str], Shown] = {}
    for given in sources:
        name, _, root = given.partition("=")
        if not root:
            from tests.fakes import build_twin  # only there in a checkout

            build_twin(load_manifest(name).manifest, folder / name)
        layout = load_manifest(name).manifest.layout.kind
        for sample in samples(name, Path(root) if root else folder / name):
            kept = found.get((sample.modality, layout))
            is_same_source = kept is None or kept.sample.sample_id.split("/")[0] == name
            if is_same_source and (kept is None or richness(sample) > richness(kept.sample)):
                shown = Shown(sample=sample, layout=layout, is_twin=not root)
                found[sample.modality, layout] = shown
    return list(found.values())


def measured(finding: Finding) -> str:
    """A finding in one line, with its measures."""
    parts = [finding.label]
    if finding.side and finding.side not in finding.label.split():
        parts.append(f"({finding.side})")
    values = (
        (finding.area_mm2, "square mm"), (finding.longest_diameter_mm, "mm long"),
        (finding.volume_ml, "ml"),
    )  # fmt: skip
    parts += [f"{value:,.4g} {unit}" for value, unit in values if value is not None]
    return ", ".join(parts)


def picture(sample: Sample) -> Image.Image:
    """The picture, as large as it fits, with its boxes."""
    image: Image.Image = Image.open(io.BytesIO(sample.image)).convert("RGB")
    scale = min(SIDE_PX / image.width, SIDE_PX / image.height)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    image = image.resize(size, Image.Resampling.BICUBIC if scale < 1 else Image.Resampling.NEAREST)
    draw = ImageDraw.Draw(image)
    for color, findings in zip(COLORS, _boxed(sample).values(), strict=False):
        for box in (finding.box for finding in findings):
            assert box is not None
            corners = [value * scale for value in (box.x_min, box.y_min, box.x_max, box.y_max)]
            draw.rectangle(corners, outline=color, width=2)
    if sample.view.removeprefix("oblique ") in ("axial", "coronal"):
        draw.text((4, image.height // 2), "R", fill="white", font=ImageFont.load_default(18))
        place = (image.width - 16, image.height // 2)
        draw.text(place, "L", fill="white", font=ImageFont.load_default(18))
    return image


def _boxed(sample: Sample) -> dict[str, list[Finding]]:
    """Findings with a box, by label; as many labels as there are colours."""
    found: dict[str, list[Finding]] = {}
    for finding in sample.findings:
        if finding.box:
            found.setdefault(finding.label, []).append(finding)
    return dict(islice(found.items(), len(COLORS)))


def tile(shown: Shown) -> Image.Image:
    """A picture and what is said of it."""
    sample = shown.sample
    out = Image.new("RGB", (SIDE_PX + 8, SIDE_PX + LINE_PX * (len(COLORS) + 3)), "#101010")
    image = picture(sample)
    out.paste(image, ((SIDE_PX + 8 - image.width) // 2, (SIDE_PX - image.height) // 2))
    draw, font = ImageDraw.Draw(out), ImageFont.load_default(13)
    source = sample.sample_id.split("/")[0] + (" (generated twin)" if shown.is_twin else "")
    spacing = " x ".join(f"{v:.3g}" for v in sample.spacing_mm) if sample.spacing_mm else "unknown"
    lines = [(f"{modality(sample.modality).name} ({shown.layout}): {source}", "white"),
             (f"{sample.view or 'no view'}, pixel {spacing} mm, {sample.width} x {sample.height}",
              "#b0b0b0")]  # fmt: skip
    for color, findings in zip(COLORS, _boxed(sample).values(), strict=False):
        count = f"{len(findings)} x " if len(findings) > 1 else ""
        said = findings[0].label if count else measured(findings[0])
        lines.append((count + said, color))
    boxed = {finding.label for finding in sample.findings if finding.box}
    whole = dict.fromkeys(f.label for f in sample.findings if f.label not in boxed)
    lines += [
        (f"{label} (no box)", "#b0b0b0")
        for label in islice(whole, max(0, len(COLORS) - len(boxed)))
    ]
    hidden = len({f.label for f in sample.findings if f.box}) - len(_boxed(sample))
    if hidden:
        lines.append((f"and {hidden} more labels, not drawn", "#b0b0b0"))
    for number, (text, color) in enumerate(lines):
        draw.text((6, SIDE_PX + 2 + number * LINE_PX), text[:78], fill=color, font=font)
    return out


def sheet(shown: list[Shown], columns: int) -> Image.Image:
    """All tiles on one sheet."""
    tiles = [tile(one) for one in shown]
    width, height = tiles[0].size
    rows = -(-len(tiles) // columns)
    out = Image.new("RGB", (width * min(columns, len(tiles)), height * rows), "#101010")
    for number, one in enumerate(tiles):
        out.paste(one, (number % columns * width, number // columns * height))
    return out


def main() -> int:
    """Draw the sheet."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("sheet", type=Path, help="picture to write")
    parser.add_argument("sources", nargs="+", metavar="SOURCE[=FOLDER]")
    parser.add_argument("--columns", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sheet(choose(arguments.sources, Path(folder)), arguments.columns).save(arguments.sheet)
    return 0


if __name__ == "__main__":
    sys.exit(main())
