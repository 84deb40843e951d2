"""How fast a build is, against a loop that does only what cannot be left out.

Three kinds of source are generated in the layout of a real one: pictures that pass through
(class folders of JPEG), pictures with masks (PNG with outlines to be filled), and volumes
(NIfTI with label maps). The bare loop reads and decodes the same files, renders the same
slices, and writes the same bytes to parquet with the same settings: no digests, no facts,
no text, no checks, no restart. Both run in this process, in turn; the table gives medians of
CPU time and the ratio.

    python benchmarks/convert.py [--images 400] [--runs 3] [--workers]

With --workers, one worker process and two are compared as well, by wall-clock time.
"""

import argparse
import contextlib
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from rich.console import Console
from rich.table import Table
from scipy import ndimage

from pipeline import cli
from pipeline.shards import GROUP_BYTES, read_shards


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of source: its manifest, a maker of files, and the bare loop's reader."""

    source: str
    make: Callable[[Path, int], None]
    read: Callable[[Path, list[dict]], list[bytes]]
    cases: int


def smooth(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    """Smooth noise with grain, in 0 to 255: it compresses like a photograph."""
    random = np.random.default_rng(seed)
    coarse = ndimage.zoom(random.random([max(2, side // 24) for side in shape]),
                          [side / max(2, side // 24) for side in shape], order=1)  # fmt: skip
    coarse = coarse[tuple(slice(0, side) for side in shape)]
    grain = random.normal(0, 4, coarse.shape)
    return np.clip(coarse * 220 + grain, 0, 255).astype(np.uint8)


def make_pictures(root: Path, count: int) -> None:
    """JPEG pictures of 512x512 in class folders."""
    for number in range(count):
        label = ("glioma_tumor", "no_tumor")[number % 2]
        path = root / "Training" / label / f"x{number:05d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        grey = smooth(number, (512, 512))
        Image.fromarray(np.stack([grey] * 3, -1)).save(path, quality=90)


def read_pictures(root: Path, rows: list[dict]) -> list[bytes]:
    """Read and decode; the bytes are what is written."""
    out = []
    for row in rows:
        data = (root / row["source_path"]).read_bytes()
        Image.open(io.BytesIO(data)).load()
        out.append(data)
    return out


def make_masks(root: Path, count: int) -> None:
    """PNG pictures of 800x540 with the outline of an ellipse as annotation."""
    (root / "training_set").mkdir(parents=True)
    lines = ["filename,pixel size(mm),head circumference (mm)"]
    y, x = np.mgrid[0:540, 0:800]
    for number in range(count):
        name = f"{number:03d}_HC"
        Image.fromarray(smooth(number, (540, 800))).save(root / "training_set" / f"{name}.png")
        inside = ((x - 400) / (150 + number % 90)) ** 2 + ((y - 270) / (120 + number % 70)) ** 2 < 1
        outline = inside & ~ndimage.binary_erosion(inside, iterations=3)
        rgb = np.stack([outline.astype(np.uint8) * 255] * 3, -1)
        Image.fromarray(rgb).save(root / "training_set" / f"{name}_Annotation.png")
        lines.append(f"{name}.png,0.0691,{150 + number % 90}.5")
    (root / "training_set_pixel_size_and_HC.csv").write_text("\n".join(lines) + "\n")


def read_masks(root: Path, rows: list[dict]) -> list[bytes]:
    """Read and decode the picture and its mask."""
    out = []
    for row in rows:
        data = (root / row["source_path"]).read_bytes()
        Image.open(io.BytesIO(data)).load()
        mask = root / row["source_path"].replace("_HC.png", "_HC_Annotation.png")
        np.asarray(Image.open(io.BytesIO(mask.read_bytes())))
        out.append(data)
    return out


def make_volumes(root: Path, count: int) -> None:
    """NIfTI volumes of 192x192x96 with two ellipsoids, in the layout of the Decathlon."""
    top = root / "Task04_Hippocampus"
    names = []
    i, j, k = np.mgrid[0:192, 0:192, 0:96]
    for number in range(count):
        name = f"hippocampus_{number + 1:03d}.nii.gz"
        names.append(name)
        volume = smooth(number, (192, 192, 96))
        labels = np.zeros(volume.shape, np.uint8)
        labels[((i - 80) / 20) ** 2 + ((j - 96) / 30) ** 2 + ((k - 48) / 15) ** 2 < 1] = 1
        labels[((i - 130) / 15) ** 2 + ((j - 90) / 20) ** 2 + ((k - 40) / 12) ** 2 < 1] = 2
        for folder, values in (("imagesTr", volume), ("labelsTr", labels)):
            (top / folder).mkdir(parents=True, exist_ok=True)
            nibabel.save(
                nibabel.Nifti1Image(values, np.diag([1.0, 1.0, 1.5, 1.0])), top / folder / name
            )
    content = {
        "labels": {"0": "background", "1": "Anterior", "2": "Posterior"},
        "training": [{"image": f"./imagesTr/{n}", "label": f"./labelsTr/{n}"} for n in names],
        "test": [], "numTraining": count, "numTest": 0,
    }  # fmt: skip
    (top / "dataset.json").write_text(json.dumps(content))


AXES = {"sagittal": 0, "coronal": 1, "axial": 2}


def read_volumes(root: Path, rows: list[dict]) -> list[bytes]:
    """Read both volumes once, map each wanted slice to grey and encode it.

    The range of grey is taken from the row, so that nothing is left to be found out.
    """
    out: list[bytes] = []
    path = ""
    for row in rows:
        if row["source_path"] != path:
            path = row["source_path"]
            values = np.asanyarray(nibabel.load(root / path).dataobj)
            np.asanyarray(nibabel.load(root / path.replace("imagesTr", "labelsTr")).dataobj)
        steps = {step["step"]: step for step in json.loads(row["transforms"])}
        low, high = steps["map_grey"]["low"], steps["map_grey"]["high"]
        where: list[slice | int] = [slice(None)] * 3
        where[AXES[steps["slice"]["plane"]]] = row["source_index"]
        plane = values[tuple(where)][::-1, ::-1].T.astype(np.float32)
        resized = Image.fromarray(plane).resize(
            (row["width"], row["height"]), Image.Resampling.BILINEAR
        )
        scaled = (np.asarray(resized) - np.float32(low)) * np.float32(255.0 / (high - low))
        grey = np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(grey).save(buffer, format="PNG", compress_level=3)
        out.append(buffer.getvalue())
    return out


KINDS = {
    "pictures that pass through": Kind(
        source="brain_tumor_sartaj", make=make_pictures, read=read_pictures, cases=400
    ),
    "pictures with masks": Kind(source="hc18", make=make_masks, read=read_masks, cases=200),
    "volumes": Kind(
        source="msd_task04_hippocampus", make=make_volumes, read=read_volumes, cases=16
    ),
}


def build(kind: Kind, root: Path, out: Path, workers: int = 1) -> None:
    """Our build."""
    arguments = ["--source", kind.source, "--root", str(root), "--out", str(out),
                 "--workers", str(workers)]  # fmt: skip
    if workers > 1:
        arguments += ["--partition-cases", "8" if kind.source.startswith("msd") else "50"]
    with contextlib.redirect_stderr(io.StringIO()) as said:
        code = cli.main(arguments)
    assert code == 0, said.getvalue()


def bare(kind: Kind, root: Path, out: Path, rows: list[dict]) -> None:
    """The bare loop over the same images; `rows` are the rows to be written."""
    firsts: dict[str, dict] = {}
    for row in rows:
        firsts.setdefault(row["sample_id"], row)
    images = dict(zip(firsts, kind.read(root, list(firsts.values())), strict=True))
    assert all(images[row["sample_id"]] == row["image"]["bytes"] for row in rows), "other pixels"
    table = pa.Table.from_pylist(
        [
            {**row, "image": {"bytes": images[row["sample_id"]], "path": row["image"]["path"]}}
            for row in rows
        ]
    )
    pq.write_table(
        table, out, row_group_size=500, compression="ZSTD", use_dictionary=True,
        column_encoding=None, dictionary_pagesize_limit=4 * GROUP_BYTES,
    )  # fmt: skip


def seconds(work: Callable[[], None]) -> tuple[float, float]:
    """CPU and wall-clock seconds that something takes."""
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return time.process_time() - cpu, time.perf_counter() - wall


def compare(name: str, kind: Kind, count: int, runs: int, folder: Path) -> list[str]:
    """One row of the table."""
    root = folder / "root"
    kind.make(root, count)
    build(kind, root, folder / "first")
    rows = list(read_shards(folder / "first"))
    images = len({row["sample_id"] for row in rows})
    bare(kind, root, folder / "bare.parquet", rows)  # warm
    ours, theirs = [], []
    for run in range(runs):
        ours.append(seconds(lambda run=run: build(kind, root, folder / f"out{run}"))[0])
        theirs.append(seconds(lambda: bare(kind, root, folder / "bare.parquet", rows))[0])
    a, b = statistics.median(ours), statistics.median(theirs)
    return [
        name,
        str(images),
        str(len(rows)),
        f"{images / a:,.0f}",
        f"{images / b:,.0f}",
        f"{a / b:.2f}",
    ]


def scaling(name: str, kind: Kind, count: int, folder: Path) -> list[str]:
    """Wall-clock time of one worker process against two, each a process of its own."""
    root = folder / "root"
    kind.make(root, count)
    size = "4" if kind.source.startswith("msd") else "50"
    times = []
    for workers in ("1", "2"):
        command = [sys.executable, "-m", "pipeline.cli", "--source", kind.source, "--root",
                   str(root), "--out", str(folder / f"out{workers}"), "--workers", workers,
                   "--partition-cases", size]  # fmt: skip
        times.append(
            seconds(
                lambda command=command: subprocess.run(command, check=True, capture_output=True)
            )[1]
        )
    return [name, f"{times[0]:.1f}", f"{times[1]:.1f}", f"{times[0] / times[1]:.2f}"]


def ceiling() -> list[str]:
    """What this machine itself gives: arithmetic in one process after another, and in two."""
    code = "x = 0\nfor i in range(30_000_000): x += i"
    command = [sys.executable, "-c", code]

    def in_turn() -> None:
        for _ in range(2):
            subprocess.run(command, check=True)

    def at_once() -> None:
        both = [subprocess.Popen(command) for _ in range(2)]
        assert [process.wait() for process in both] == [0, 0]

    one, two = seconds(in_turn)[1], seconds(at_once)[1]
    return ["arithmetic alone", f"{one:.1f}", f"{two:.1f}", f"{one / two:.2f}"]


def memory(kind: Kind, count: int, folder: Path) -> float:
    """Peak memory in MB of a build in a process of its own."""
    root = folder / f"root{count}"
    kind.make(root, count)
    code = (
        "from pathlib import Path; from pipeline import cli; "
        f"cli.main(['--source', '{kind.source}', '--root', '{root}', '--out', '{folder}/m{count}', "
        "'--workers', '1', '--partition-cases', '64']); "
        "print(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])"
    )
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return int(run.stdout.split()[-1]) / 1024


def main() -> None:
    """Run the comparison and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--scale", type=float, default=1.0, help="more or fewer cases")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--workers", action="store_true", help="compare one worker with two")
    parser.add_argument(
        "--memory", action="store_true", help="peak memory of a source and one 4 times as large"
    )
    arguments = parser.parse_args()
    screen = Console()
    table = Table("kind", "images", "pairs", "ours, images/s a core", "bare loop", "CPU ratio",
                  title=f"median of {arguments.runs} runs, {os.cpu_count()} cores")  # fmt: skip
    for name, kind in KINDS.items():
        with tempfile.TemporaryDirectory() as folder:
            count = max(4, int(kind.cases * arguments.scale))
            table.add_row(*compare(name, kind, count, arguments.runs, Path(folder)))
    screen.print(table)
    if arguments.workers:
        table = Table(
            "kind",
            "1 worker, s",
            "2 workers, s",
            "ratio",
            title="wall-clock time, start-up included",
        )
        table.add_row(*ceiling())
        for name, kind in KINDS.items():
            with tempfile.TemporaryDirectory() as folder:
                count = max(4, int(kind.cases * arguments.scale * 4))
                table.add_row(*scaling(name, kind, count, Path(folder)))
        screen.print(table)
    if arguments.memory:
        table = Table(
            "kind",
            "cases",
            "MB",
            "4 times the cases, MB",
            title="peak memory, partitions of 64 cases",
        )
        for name, kind in KINDS.items():
            with tempfile.TemporaryDirectory() as folder:
                count = 64 if kind.cases > 64 else 8
                pair = [f"{memory(kind, n, Path(folder)):,.0f}" for n in (count, 4 * count)]
                table.add_row(name, str(count), *pair)
        screen.print(table)


if __name__ == "__main__":
    main()
