"""Shards: what is written is what is read, by every reader."""

import io
import json
from pathlib import Path

import duckdb
import polars
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pipeline.shards import COLUMNS, ShardWriter, read_shard, schema, shard_notes

GOLDEN = Path(__file__).parents[2] / "golden" / "shard_schema.json"


def png(shade: int) -> bytes:
    """A small picture of one shade."""
    out = io.BytesIO()
    Image.new("L", (8, 6), shade).save(out, format="PNG")
    return out.getvalue()


def row(number: int, pair: int = 0, **changes: object) -> dict[str, object]:
    """A row with a value in every column; `image` is the path only."""
    values: dict[str, object] = {
        name: f"{name} {number}" if str(kind) == "string" else number for name, kind, _ in COLUMNS
    }
    values |= {
        "pair_id": f"{number}-{pair}",
        "image": f"{number}.png",
        "messages": [{"role": "user", "content": "<image>\nWhat is it?"}],
        "anatomy": ["brain"],
        "task": ["segmentation"],
        "labels": [],
        "boxes": [{"label": "a", "x_min": 0.0, "y_min": 1.5, "x_max": 2.0, "y_max": 3.0}],
        "checks": ["numbers"],
        "deid": [],
    }
    return values | changes


def write(path: Path, images: list[bytes], pairs: int = 2) -> None:
    """A shard with some rows for each image."""
    with ShardWriter(path) as writer:
        for number, image in enumerate(images):
            rows = [row(number, pair) for pair in range(pairs)]
            writer.write_image(image, f"digest {number}", rows)
        writer.commit({"note": "kept"})


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A build's folder with one shard of three images and two pairs each."""
    (tmp_path / "data" / "toy").mkdir(parents=True)
    write(tmp_path / "data" / "toy" / "train-00000-0.parquet", [png(v) for v in (1, 2, 3)])
    return tmp_path


def shard(out: Path) -> Path:
    """The one shard."""
    return out / "data" / "toy" / "train-00000-0.parquet"


@settings(max_examples=30, deadline=None)
@given(images=st.lists(st.binary(min_size=1, max_size=2000), max_size=300), pairs=st.integers(1, 4))
def test_what_is_written_is_read(
    images: list[bytes], pairs: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("shard")
    (folder / "data" / "toy").mkdir(parents=True)
    write(folder / "data" / "toy" / "x.parquet", images, pairs)
    found = [
        (r["pair_id"], r["image"]["bytes"])
        for r in read_shard(folder / "data" / "toy" / "x.parquet")
    ]
    assert found == [(f"{n}-{p}", image) for n, image in enumerate(images) for p in range(pairs)]


def test_columns_and_types_are_the_contract() -> None:
    found = {field.name: str(field.type) for field in schema()}
    assert found == json.loads(GOLDEN.read_text())


def test_read_schema_is_the_declared_one(out: Path) -> None:
    assert pq.read_schema(shard(out)).remove_metadata() == schema()


def test_image_bytes_are_stored_once_a_row_group(tmp_path: Path) -> None:
    image = bytes(range(256)) * 400
    write(tmp_path / "x.parquet", [image], pairs=50)
    assert (tmp_path / "x.parquet").stat().st_size < 2 * len(image)


def test_row_groups_hold_at_most_128_images(tmp_path: Path) -> None:
    write(tmp_path / "x.parquet", [bytes([n % 250, n // 250]) for n in range(300)], pairs=3)
    metadata = pq.read_metadata(tmp_path / "x.parquet")
    assert [metadata.row_group(n).num_rows for n in range(3)] == [384, 384, 132]


def test_same_rows_give_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / f"{name}.parquet", [png(v) for v in range(9)])
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_a_shard_that_is_not_committed_leaves_nothing(tmp_path: Path) -> None:
    with ShardWriter(tmp_path / "x.parquet") as writer:
        writer.write_image(png(1), "d", [row(0)])
    assert list(tmp_path.iterdir()) == []


def test_each_column_is_documented_in_the_file(out: Path) -> None:
    docs = json.loads(shard_notes(shard(out))["gmai.columns"])
    assert list(docs) == [name for name, _, _ in COLUMNS]
    assert all(docs.values())


def test_notes_are_kept(out: Path) -> None:
    assert shard_notes(shard(out))["note"] == "kept"


def test_datasets_shows_images(out: Path, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    table = datasets.load_dataset(
        "parquet", data_files=str(shard(out)), cache_dir=str(tmp_path / "cache"), split="train"
    )
    assert isinstance(table.features["image"], datasets.Image)
    assert table[5]["image"].getpixel((0, 0)) == 3


def test_duckdb_reads_it(out: Path) -> None:
    query = f"select count(*), count(distinct image.bytes) from '{shard(out)}'"
    assert duckdb.connect().execute(query).fetchall() == [(6, 3)]


def test_polars_reads_it(out: Path) -> None:
    table = polars.read_parquet(shard(out))
    assert table["image"].struct.field("bytes").n_unique() == 3
    assert table["messages"][0][0]["role"] == "user"
