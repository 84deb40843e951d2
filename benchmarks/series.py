"""How fast a DICOM series of 500 slices becomes a volume, and how much memory it takes.

Ours reads the headers of all files, groups them, checks their places, decodes and rescales
them, in threads; SimpleITK's reader of series (GDCM) lists the files and reads them. The values
must be the same. Each runs in a process of its own, in turn; the table gives medians of the
time on the clock, with the files in the system's cache, and the peak of memory above what the
imports take, in bytes of the volume (int16).

    python benchmarks/series.py [--slices 500] [--side 512] [--runs 3]
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

KINDS = ("SimpleITK", "1 thread", "2 threads", "8 threads")


def write_series(folder: Path, slices: int, side: int) -> None:
    """A CT series with noise, its files named in another order than its slices lie in."""
    from tests.fakes.dicom_slices import encoded, slice_dataset

    noise = np.random.default_rng(0)
    for at in range(slices):
        stored = noise.normal(1000 + at, 30, (side, side)).astype(np.int16)
        found = slice_dataset(
            stored, (0, 0, 0.7 * at), key=at, RescaleSlope=1, RescaleIntercept=-1024
        )
        (folder / f"{at * 7 % slices:05d}.dcm").write_bytes(encoded(found))


def by_simpleitk(folder: Path) -> np.ndarray:
    """Values (slices, rows, columns)."""
    import SimpleITK as sitk  # noqa: N813 - as its documentation writes it

    return sitk.GetArrayFromImage(
        sitk.ReadImage(list(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder))))
    )


def ours(folder: Path, threads: int) -> np.ndarray:
    """The same, by the code of this project."""
    from converters.files import Root
    from converters.imaging import dicom_series, dicom_slices

    dicom_series.THREADS = dicom_slices.THREADS = threads
    root = Root(source="bench", folder=folder)
    files, _ = dicom_slices.read_slices(root, root.listing().paths)
    (series,) = dicom_series.group_series(files)
    return dicom_series.read_series(root, series).values.T


def measure(kind: str, folder: Path) -> None:
    """Print time, memory and a checksum of the values."""
    import SimpleITK  # noqa: F401 - loaded before the clock starts

    from converters.imaging import dicom_series  # noqa: F401 - the same

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    is_itk = kind == "SimpleITK"
    values = by_simpleitk(folder) if is_itk else ours(folder, int(kind.split(maxsplit=1)[0]))
    seconds = time.perf_counter() - started
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    check = zlib.crc32(np.ascontiguousarray(values, dtype=np.int16).data)
    print(json.dumps({"seconds": seconds, "bytes": peak / (values.size * 2), "check": check}))


def main() -> None:
    """Measure every kind in turn and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=500)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--measure", nargs=2, metavar=("KIND", "FOLDER"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        measure(arguments.measure[0], Path(arguments.measure[1]))
        return
    found: dict[str, list[dict[str, float]]] = {kind: [] for kind in KINDS}
    with tempfile.TemporaryDirectory() as folder:
        write_series(Path(folder), arguments.slices, arguments.side)
        for _ in range(arguments.runs):
            for kind in KINDS:
                command = [sys.executable, __file__, "--measure", kind, folder]
                run = subprocess.run(command, capture_output=True, text=True, check=True)
                found[kind].append(json.loads(run.stdout))
    checks = {one["check"] for runs in found.values() for one in runs}
    if len(checks) != 1:
        raise SystemExit("the values differ")
    title = f"{arguments.slices} slices of {arguments.side}x{arguments.side}"
    table = Table("read by", "s", "bytes a byte of the volume", title=title)
    for kind, runs in found.items():
        seconds = statistics.median(one["seconds"] for one in runs)
        peak = statistics.median(one["bytes"] for one in runs)
        table.add_row(kind, f"{seconds:.2f}", f"{peak:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
