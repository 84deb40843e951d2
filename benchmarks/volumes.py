"""How fast volumes become slices, and how much memory they take, against SimpleITK.

Volumes with label maps are generated in several kinds of file. Ours is the whole conversion of
a case: the file is checked and read, turned, its body found, slices chosen, drawn and encoded,
and everything on them measured. The bare loop reads image and labels with SimpleITK and makes
the same slices with the same resampling and encoding, byte for byte; which slices, and which
grey levels, it is told. Each runs in a process of its own, in turn; the table gives the least CPU
time of the runs (what else the machine does can only add to it), and the peak of memory above
what the imports take, in bytes of the image.

    python benchmarks/volumes.py [--runs 3] [--large] [--only KIND] [--without-masks]

With --large, a volume of 1 GB is converted as well. With --without-masks, neither side reads label
maps: ten places in millimetres stand in a table, and slices are cut through them.
"""

import argparse
import gzip
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import nibabel
import numpy as np
import SimpleITK as sitk  # noqa: N813 - as its documentation writes it
from PIL import Image
from rich.console import Console
from rich.table import Table
from scipy import ndimage

from converters.files import locate_root
from converters.manifest import Manifest, parse_manifest
from converters.records import Sample
from converters.select import converter_for

MANIFEST = """
name: bench_volume
title: Generated volumes
summary: Generated.
year: null
homepage: https://example.org
citation: null
license: CC0-1.0
terms: null
access: open
obtain: It is generated.
modality: MODALITY
anatomy: [abdomen]
department: not assigned
tasks: [segmentation]
evidence: {level: generated, references: [this benchmark]}
gotchas: []
overlaps: []
benchmarks: []
layout:
  kind: volumes
  images: "image{suffix}"
  subject: "{suffix}"
  split: {by: digest}
  grey: GREY
  hu: HU
  slices: {planes: [axial, coronal, sagittal], per_finding: 3, per_volume: 12}
  annotations:
    - kind: label_map
      completeness: complete
      files: "labels{suffix}"
      ignore: [0]
      labels: {1: liver, 2: spleen, 3: left kidney, 4: right kidney, 5: pancreas}
expect: {cases: null, findings: null}
"""
# In place of label maps: places in a table.
PLACES = """
    - kind: world_boxes
      completeness: partial
      table: {path: places.csv}
      key: "{name}"
      match: "{suffix}"
      center: [x, y, z]
      frame: RAS
      size: [diameter]
      labels: {a: lung nodule}
"""
AXES = {"sagittal": 0, "coronal": 1, "axial": 2}


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of volume: its file, its extents, the type of its voxels."""

    suffix: str
    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    dtype: str
    is_ct: bool
    is_large: bool = False
    slope: float = 1.0
    has_masks: bool = True

    def manifest(self) -> Manifest:
        """The manifest that converts it."""
        text = MANIFEST.replace("MODALITY", "CT" if self.is_ct else "MR")
        text = text.replace("HU", "check" if self.is_ct else "unchecked")
        grey = "{window: soft tissue}" if self.is_ct else "{map: percentiles}"
        if not self.has_masks:
            start, end = text.index("    - kind: label_map"), text.index("expect:")
            text = text[:start] + PLACES.lstrip("\n") + text[end:]
        return parse_manifest(text.replace("GREY", grey), "bench_volume").manifest


CT = {"shape": (512, 512, 160), "spacing": (0.8, 0.8, 2.5), "dtype": "int16", "is_ct": True}
LARGE = {"shape": (512, 512, 2048), "spacing": (0.8, 0.8, 0.8)}
MR = {"shape": (256, 256, 176), "spacing": (1.0, 1.0, 1.0), "is_ct": False}
KINDS = {
    "CT 512x512x160 int16, .nii.gz": Kind(suffix=".nii.gz", **CT),
    "CT 512x512x160 int16, .nii": Kind(suffix=".nii", **CT),
    "CT 512x512x160 int16 with a slope, .nii.gz": Kind(suffix=".nii.gz", slope=0.5, **CT),
    "CT 512x512x160 int16, .nrrd (gzip)": Kind(suffix=".nrrd", **CT),
    "CT 512x512x160 int16, .mha": Kind(suffix=".mha", **CT),
    "MR 256x256x176 float32, .nii.gz": Kind(suffix=".nii.gz", dtype="float32", **MR),
    "MR 256x256x176 uint16, .nii.gz": Kind(suffix=".nii.gz", dtype="uint16", **MR),
    "CT 512x512x2048 int16 (1 GB), .nii.gz": Kind(
        suffix=".nii.gz", is_large=True, **{**CT, **LARGE}
    ),
    "CT 512x512x2048 int16 (1 GB), .nii": Kind(suffix=".nii", is_large=True, **{**CT, **LARGE}),
}


def voxels(kind: Kind) -> tuple[np.ndarray, np.ndarray]:
    """An image with a body, grain and five organs, and their codes."""
    random = np.random.default_rng(1)
    shape = kind.shape
    values = np.empty(shape, kind.dtype, order="F")
    codes = np.zeros(shape, np.uint8, order="F")
    coarse = random.random((9, 9, 40))
    plane = np.indices(shape[:2])
    x, y = ((plane[a] + 0.5) / shape[a] - 0.5 for a in range(2))
    body = (x / 0.42) ** 2 + (y / 0.34) ** 2 < 1
    organs = [(0.15, 0.05, 0.5, 0.12), (-0.2, -0.05, 0.5, 0.07), (-0.12, -0.15, 0.4, 0.05),
              (0.12, -0.15, 0.4, 0.05), (0.0, 0.05, 0.6, 0.06)]  # fmt: skip
    for k in range(shape[2]):
        z = (k + 0.5) / shape[2]
        smooth = ndimage.zoom(coarse[:, :, int(z * 40)], (shape[0] / 9, shape[1] / 9), order=1)
        slab = np.where(body, 20 + 60 * smooth, -1000.0)
        for code, (cx, cy, cz, r) in enumerate(organs, start=1):
            inside = (x - cx) ** 2 + (y - cy) ** 2 + ((z - cz) * 0.6) ** 2 < r**2
            slab[inside] += 20 * code
            codes[:, :, k][inside] = code
        slab += random.normal(0, 12, slab.shape)
        values[:, :, k] = np.rint(slab) if kind.is_ct else np.maximum(slab + 1000, 0) * 0.7
    return values, codes


def make(kind: Kind, folder: Path) -> None:
    """Write image and labels, plain or packed as is usual for the kind of file."""
    if not kind.has_masks:
        (folder / "places.csv").write_text(places(kind))
    for name, array in zip(("image", "labels"), voxels(kind), strict=True):
        if name == "labels" and not kind.has_masks:
            continue
        path = folder / f"{name}{kind.suffix}"
        if kind.suffix.startswith(".nii"):
            image = nibabel.Nifti1Image(array, np.diag([*kind.spacing, 1.0]))
            if name == "image" and kind.slope != 1.0:
                image = nibabel.Nifti1Image((array / kind.slope).astype(array.dtype), image.affine)
                image.header.set_slope_inter(kind.slope, 0.0)
            if kind.suffix == ".nii":
                nibabel.save(image, path)
                continue
            with gzip.open(path, "wb", compresslevel=1) as packed:
                image.to_stream(packed)
        else:
            image = sitk.GetImageFromArray(array.T)
            image.SetSpacing(kind.spacing)
            image.SetDirection([-1, 0, 0, 0, -1, 0, 0, 0, 1])  # to the right, to the front
            sitk.WriteImage(image, str(path), kind.suffix == ".nrrd")


def places(kind: Kind) -> str:
    """A table of ten balls, spread along a diagonal of the body."""
    rows = ["name,x,y,z,diameter"]
    for number in range(10):
        at = (0.25 + 0.05 * number) * np.multiply(kind.shape, kind.spacing)
        rows.append(f"{kind.suffix},{at[0]:.1f},{at[1]:.1f},{at[2]:.1f},40")
    return "\n".join(rows) + "\n"


def ours(kind: Kind, folder: Path) -> list[Sample]:
    """The samples of the volume."""
    manifest = kind.manifest()
    root, _ = locate_root(manifest, folder)
    converter = converter_for(manifest)
    (case,) = converter.cases(root)
    found = list(converter.convert(root, case))
    assert all(isinstance(out, Sample) for out in found), found
    return [out for out in found if isinstance(out, Sample)]


def theirs(kind: Kind, folder: Path, wanted: list[dict]) -> list[bytes]:
    """The same pictures with SimpleITK: read both volumes, cut, resample, encode."""
    image = sitk.ReadImage(str(folder / f"image{kind.suffix}"))
    if kind.has_masks:
        labels = sitk.ReadImage(str(folder / f"labels{kind.suffix}"))
        sitk.GetArrayViewFromImage(labels)
    values = sitk.GetArrayViewFromImage(image).T
    out = []
    for one in wanted:
        where: list[slice | int] = [slice(None)] * 3
        where[AXES[one["plane"]]] = one["index"]
        plane = np.ascontiguousarray(values[tuple(where)][::-1, ::-1].T, dtype=np.float32)
        resized = np.asarray(Image.fromarray(plane).resize(one["size"], Image.Resampling.BILINEAR))
        scaled = (resized - np.float32(one["low"])) * np.float32(255.0 / (one["high"] - one["low"]))
        buffer = io.BytesIO()
        grey = np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
        Image.fromarray(grey).save(buffer, format="PNG", compress_level=3)
        out.append(buffer.getvalue())
    return out


def to_be_drawn(samples: list[Sample]) -> list[dict]:
    """What the bare loop is told."""
    out = []
    for sample in samples:
        steps = {str(step["step"]): step for step in sample.transforms}
        if "window" in steps:
            window = steps["window"]
            half = window["width_hu"] / 2
            low, high = window["center_hu"] - half, window["center_hu"] + half
        else:
            low, high = steps["map_grey"]["low"], steps["map_grey"]["high"]
        cut = steps["slice"]
        size = [sample.width, sample.height]
        out.append({"plane": cut["plane"], "index": cut["index"], "size": size,
                    "low": low, "high": high})  # fmt: skip
    return out


def peak_bytes() -> int:
    """The largest resident memory of this process so far."""
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) * 1024


def one_run(name: str, who: str, folder: Path) -> None:
    """Convert one volume in this process, and print seconds and bytes above the imports."""
    kind = replace(KINDS[name], has_masks=not (folder / "places.csv").exists())
    small = Kind(suffix=".nii.gz", shape=(24, 24, 24), spacing=(8, 8, 8), dtype=kind.dtype,
                 is_ct=kind.is_ct, has_masks=kind.has_masks)  # fmt: skip
    with tempfile.TemporaryDirectory() as warm:
        make(small, Path(warm))
        theirs(small, Path(warm), to_be_drawn(ours(small, Path(warm))))
    wanted = json.loads((folder / "wanted.json").read_text())
    before, start = peak_bytes(), time.process_time()
    if who == "ours":
        ours(kind, folder)
    else:
        theirs(kind, folder, wanted)
    print(json.dumps([time.process_time() - start, peak_bytes() - before]))


def measured(name: str, who: str, folder: Path) -> tuple[float, int]:
    """Seconds and bytes of a run in a process of its own."""
    command = [sys.executable, __file__, "--one", name, who, str(folder)]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, held = json.loads(run.stdout.splitlines()[-1])
    return seconds, held


def compare(name: str, runs: int, folder: Path, *, has_masks: bool) -> list[str]:
    """One row of the table."""
    kind = replace(KINDS[name], has_masks=has_masks)
    make(kind, folder)
    samples = ours(kind, folder)
    wanted = to_be_drawn(samples)
    assert theirs(kind, folder, wanted) == [sample.image for sample in samples], "other pixels"
    (folder / "wanted.json").write_text(json.dumps(wanted))
    found: dict[str, list[tuple[float, int]]] = {"ours": [], "theirs": []}
    for _ in range(runs):
        for who, results in found.items():
            results.append(measured(name, who, folder))
    seconds = {who: min(one[0] for one in all_) for who, all_ in found.items()}
    size = int(np.prod(kind.shape)) * np.dtype(kind.dtype).itemsize
    held = {who: statistics.median(one[1] for one in all_) / size for who, all_ in found.items()}
    return [
        name,
        f"{size / 1e6:,.0f}",
        str(len(samples)),
        f"{seconds['ours']:.2f}",
        f"{seconds['theirs']:.2f}",
        f"{seconds['ours'] / seconds['theirs']:.2f}",
        f"{held['ours']:.2f}",
        f"{held['theirs']:.2f}",
    ]


def main() -> None:
    """Run the comparison and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--large", action="store_true", help="a volume of 1 GB as well")
    parser.add_argument("--only", default="", help="kinds whose name holds this")
    parser.add_argument("--without-masks", action="store_true", help="places in a table instead")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        name, who, folder = arguments.one
        one_run(name, who, Path(folder))
        return
    what = "volume" if arguments.without_masks else "volume and labels"
    table = Table(what, "image, MB", "slices", "ours, s", "SimpleITK, s", "ratio",
                  "ours, bytes a byte", "SimpleITK",
                  title=f"least of {arguments.runs} runs, {os.cpu_count()} cores")  # fmt: skip
    for name, kind in KINDS.items():
        if arguments.only in name and (arguments.large or not kind.is_large):
            with tempfile.TemporaryDirectory() as folder:
                table.add_row(
                    *compare(
                        name, arguments.runs, Path(folder), has_masks=not arguments.without_masks
                    )
                )
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
