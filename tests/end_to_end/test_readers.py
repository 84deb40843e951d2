"""A build as its users read it: datasets, DuckDB, Polars."""

import io
from pathlib import Path

import duckdb
import polars
import pytest
from PIL import Image

from converters.manifest import load_manifest
from pipeline import cli
from pipeline.shards import read_shards
from tests.fakes import build_twin

SOURCE = "brain_tumor_sartaj"


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished build."""
    folder = tmp_path_factory.mktemp("readers")
    build_twin(load_manifest(SOURCE).manifest, folder / "root", count=24)
    arguments = ["--source", SOURCE, "--root", str(folder / "root"), "--out", str(folder / "out"),
                 "--workers", "1", "--partition-cases", "7"]  # fmt: skip
    assert cli.main(arguments) == 0
    return folder / "out"


@pytest.mark.parametrize("config", [None, SOURCE])
def test_datasets_loads_the_folder(out: Path, tmp_path: Path, config: str | None) -> None:
    datasets = pytest.importorskip("datasets")
    found = datasets.load_dataset(str(out), config, cache_dir=str(tmp_path))
    assert sum(table.num_rows for table in found.values()) == len(list(read_shards(out)))
    assert set(found) == {"train", "test"}
    assert isinstance(found["train"][0]["image"], Image.Image)


def test_duckdb_counts_images_and_pairs(out: Path) -> None:
    query = f"select count(*), count(distinct sample_id) from '{out}/data/*/*.parquet'"
    rows = list(read_shards(out))
    found = duckdb.connect().execute(query).fetchall()
    assert found == [(len(rows), len({row["sample_id"] for row in rows}))]


def test_polars_scans_columns_without_the_images(out: Path) -> None:
    table = polars.scan_parquet(f"{out}/data/*/*.parquet").select("format", "messages").collect()
    assert table["messages"][0][0]["content"].startswith("<image>")


def test_polars_reads_the_bytes_of_an_image(out: Path) -> None:
    table = polars.read_parquet(f"{out}/data/*/*.parquet", columns=["image"])
    data = table["image"].struct.field("bytes")[0]
    assert Image.open(io.BytesIO(data)).size[0] > 0
