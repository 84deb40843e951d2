"""The shard: one parquet file, one row a pair, the bytes of an image once a row group.

The schema is a contract with everything that reads shards. This module imports PyArrow alone,
so that a trainer can use it without the rest of the pipeline.
"""

import json
import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

SCHEMA_VERSION = "2"
RECEIPT_FILE = "build.json"
# Metadata of a shard whose rows have no bytes of images: "pointers".
IMAGES_KEY = "gmai.images"
GROUP_IMAGES = 128
GROUP_BYTES = 32 << 20

_MESSAGE = pa.struct([("role", pa.string()), ("content", pa.string())])
_BOX = pa.struct(
    [
        ("label", pa.string()),
        ("x_min", pa.float64()),
        ("y_min", pa.float64()),
        ("x_max", pa.float64()),
        ("y_max", pa.float64()),
    ]
)
_IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
_STRINGS = pa.list_(pa.string())

# Name, type, and what it means; in the order of the file.
COLUMNS: tuple[tuple[str, pa.DataType, str], ...] = (
    ("pair_id", pa.string(), "identity of the pair: one image, one conversation"),
    (
        "sample_id",
        pa.string(),
        "identity of the image: source/case key, #plane-index for a slice",
    ),
    (
        "image",
        _IMAGE,
        "encoded PNG or JPEG; the source's own bytes where nothing was rendered; without bytes in "
        "a build of pointers, see gmai-rehydrate",
    ),
    (
        "messages",
        pa.list_(_MESSAGE),
        "the conversation; the first turn opens with <image>",
    ),
    ("format", pa.string(), "kind of text, a word of [format] in vocabulary.toml"),
    ("language", pa.string(), "en or zh"),
    ("split", pa.string(), "train, validation or test, by subject"),
    (
        "modality",
        pa.string(),
        "DICOM modality code, or one of vocabulary.toml where there is none",
    ),
    ("department", pa.string(), "clinical department of the source"),
    ("anatomy", _STRINGS, "body parts shown"),
    ("task", _STRINGS, "tasks that the source was annotated for"),
    ("labels", _STRINGS, "canonical terms that the conversation says are there"),
    (
        "boxes",
        pa.list_(_BOX),
        "boxes it speaks of: pixels, origin top left, upper bounds exclusive",
    ),
    ("width", pa.int32(), "columns of the image"),
    ("height", pa.int32(), "rows of the image"),
    (
        "findings",
        pa.string(),
        "JSON: all that is known of the image, present and absent",
    ),
    ("source", pa.string(), "name of the manifest"),
    (
        "license",
        pa.string(),
        "licence of the source: SPDX identifier, LicenseRef-, or not stated",
    ),
    ("access", pa.string(), "how the source is to be had, a word of [access] in vocabulary.toml"),
    (
        "permitted_use",
        pa.string(),
        "what the licence allows it for: any, noncommercial, research, unclear, not stated",
    ),
    (
        "redistribution",
        pa.string(),
        "whether the licence lets the image be passed on: yes, no, unclear, not stated",
    ),
    ("subject_id", pa.string(), "person, animal or specimen, as the source names it"),
    ("source_path", pa.string(), "image file relative to the root of the source"),
    (
        "source_index",
        pa.int32(),
        "index of the slice or frame in the file's own storage order",
    ),
    ("source_digest", pa.string(), "SHA-256 of the image file"),
    (
        "annotation_path",
        pa.string(),
        "annotation file, folder or table relative to the root",
    ),
    (
        "annotation_digest",
        pa.string(),
        "SHA-256 of the annotation file; where there are several, or a row of a table, of the "
        "JSON list of their digests and values",
    ),
    ("manifest_digest", pa.string(), "SHA-256 of what the manifest says"),
    ("converter", pa.string(), "module and version that read the source"),
    ("transforms", pa.string(), "JSON: what was done to the pixels, in order"),
    ("template", pa.string(), "template file below templates/"),
    (
        "template_digest",
        pa.string(),
        "SHA-256 of the template and all that it includes",
    ),
    ("captioner", pa.string(), "who wrote the text: template, vllm or openai"),
    (
        "captioner_revision",
        pa.string(),
        "version of the model or of the template engine",
    ),
    (
        "captioner_settings",
        pa.string(),
        "JSON: everything that the captioner was set to",
    ),
    (
        "request_key",
        pa.string(),
        "digest of the request to a model; empty where there was none",
    ),
    ("prompt", pa.string(), "what the captioner was given"),
    ("prompt_digest", pa.string(), "SHA-256 of the prompt"),
    ("attempts", pa.int32(), "how often the text was asked for"),
    ("checks", _STRINGS, "checks that the text passed"),
    ("deid", _STRINGS, "privacy checks run on the image, empty where none was"),
    ("image_digest", pa.string(), "SHA-256 of the image bytes"),
    ("image_phash", pa.string(), "64-bit perceptual hash of the image"),
    ("build_version", pa.string(), "version of this software"),
)

_HUGGING_FACE_TYPES = {
    pa.string(): "string",
    pa.int32(): "int32",
    pa.float64(): "float64",
}
_REPEATED = [
    "image.bytes", "image.path", "sample_id", "format", "language", "split", "modality",
    "department", "anatomy.list.element", "task.list.element", "labels.list.element",
    "messages.list.element.role", "boxes.list.element.label", "findings", "source", "license",
    "access", "permitted_use", "redistribution", "subject_id", "source_path", "source_digest",
    "annotation_path", "annotation_digest", "manifest_digest", "converter", "transforms",
    "template", "template_digest", "captioner", "captioner_revision", "captioner_settings",
    "prompt", "checks.list.element", "image_digest", "image_phash", "build_version",
]  # fmt: skip
_NARROW = [
    "pair_id", "sample_id", "format", "language", "split", "modality", "department", "width",
    "height", "source", "license", "access", "permitted_use", "redistribution", "subject_id",
    "template", "captioner", "build_version",
]  # fmt: skip


def schema() -> pa.Schema:
    """The Arrow schema of a shard, as a reader sees it."""
    return pa.schema([pa.field(name, kind) for name, kind, _ in COLUMNS])


def _hugging_face_feature(kind: pa.DataType) -> dict[str, Any]:
    if kind == _IMAGE:
        return {"_type": "Image"}
    if pa.types.is_list(kind):
        return {"feature": _hugging_face_feature(kind.value_type), "_type": "List"}
    if pa.types.is_struct(kind):
        return {field.name: _hugging_face_feature(field.type) for field in kind}
    return {"dtype": _HUGGING_FACE_TYPES[kind], "_type": "Value"}


def file_metadata() -> dict[str, str]:
    """Key-value metadata of every shard: schema version, docs of the columns, HF features."""
    features = {name: _hugging_face_feature(kind) for name, kind, _ in COLUMNS}
    return {
        "gmai.schema_version": SCHEMA_VERSION,
        "gmai.columns": json.dumps({name: doc for name, _, doc in COLUMNS}),
        "huggingface": json.dumps({"info": {"features": features}}),
    }


def _leaf_columns() -> list[str]:
    out = []
    for name, kind, _ in COLUMNS:
        base, prefix = (
            (kind.value_type, f"{name}.list.element") if pa.types.is_list(kind) else (kind, name)
        )
        fields = (
            [f"{prefix}.{field.name}" for field in base] if pa.types.is_struct(base) else [prefix]
        )
        out.extend(fields)
    return out


class ShardWriter:
    """Writes one shard beside its place; :meth:`commit` puts it there, whole or not at all.

    Rows of one image must follow each other. Memory is bounded by a row group: at most
    128 images or 32 MB of image bytes, whichever comes first.

    Use as a context manager: leaving it without a commit removes what was written.

    Args:
        path: Where the shard goes.
        is_pointers: Whether the bytes of images are left out.
    """

    def __init__(self, path: Path, *, is_pointers: bool = False) -> None:
        self._path = path
        self._is_pointers = is_pointers
        self._unfinished = _beside(path)
        self._rows: list[Mapping[str, Any]] = []
        self._images: list[bytes] = []
        self._image_of_row: list[int | None] = []
        self._samples = 0
        self._bytes = 0
        self._last_digest = ""
        self._writer = pq.ParquetWriter(
            self._unfinished,
            _writing_schema(),
            compression={c: "NONE" if c == "image.bytes" else "ZSTD" for c in _leaf_columns()},
            use_dictionary=_REPEATED,
            dictionary_pagesize_limit=4 * GROUP_BYTES,
            write_statistics=_NARROW,
            write_page_index=True,
            write_page_checksum=True,
            # The writer's own schema has a dictionary where readers see plain bytes.
            store_schema=False,
        )

    def __enter__(self) -> "ShardWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._writer.is_open:
            self._writer.close()
        self._unfinished.unlink(missing_ok=True)

    def write_image(self, image: bytes, digest: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add the rows of one image; each has every column but the image's bytes.

        Args:
            image: Encoded picture.
            digest: Identity of the picture.
            rows: By column; `image` holds the path only.
        """
        size = 0 if self._is_pointers else len(image)
        is_full = self._samples >= GROUP_IMAGES or self._bytes + size > GROUP_BYTES
        if self._rows and is_full:
            self._flush()
        if not self._is_pointers:
            self._images.append(image)
        self._samples += 1
        self._bytes += size
        self._rows.extend(rows)
        number = None if self._is_pointers else len(self._images) - 1
        self._image_of_row.extend([number] * len(rows))

    def _flush(self) -> None:
        self._writer.write_table(self._table(), row_group_size=max(len(self._rows), 1))
        self._rows, self._images, self._image_of_row = [], [], []
        self._samples = self._bytes = 0

    def _table(self) -> pa.Table:
        arrays = []
        for name, kind, _ in COLUMNS:
            values = [row[name] for row in self._rows]
            arrays.append(self._image_column(values) if name == "image" else pa.array(values, kind))
        return pa.Table.from_arrays(arrays, schema=_writing_schema())

    def _image_column(self, paths: list[str]) -> pa.StructArray:
        bytes_once = pa.DictionaryArray.from_arrays(
            pa.array(self._image_of_row, pa.int32()),
            pa.array(self._images, pa.binary()),
        )
        return pa.StructArray.from_arrays(
            [bytes_once, pa.array(paths, pa.string())],
            fields=list(_writing_schema().field("image").type),
        )

    def commit(self, notes: Mapping[str, str]) -> None:
        """Close the file, sync it and rename it to its place.

        Args:
            notes: Further key-value metadata.
        """
        if self._rows:
            self._flush()
        kind = {IMAGES_KEY: "pointers"} if self._is_pointers else {}
        self._writer.add_key_value_metadata({**file_metadata(), **kind, **notes})
        self._writer.close()
        sync_file(self._unfinished)
        self._unfinished.replace(self._path)
        sync_folder(self._path.parent)


def _writing_schema() -> pa.Schema:
    once = pa.struct([("bytes", pa.dictionary(pa.int32(), pa.binary())), ("path", pa.string())])
    return pa.schema([(name, once if kind == _IMAGE else kind) for name, kind, _ in COLUMNS])


def sync_file(path: Path) -> None:
    """Ask the disk to keep what was written to a file."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(path: Path) -> None:
    """Ask the disk to keep the names in a folder."""
    sync_file(path)


def _beside(path: Path) -> Path:
    """A name that nobody else writes to, on a disk that machines share."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.tmp")


def write_whole(path: Path, data: bytes) -> None:
    """Write a file beside its place, sync it and rename it: it is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = _beside(path)
    try:
        unfinished.write_bytes(data)
        sync_file(unfinished)
        unfinished.replace(path)
        sync_folder(path.parent)
    finally:
        unfinished.unlink(missing_ok=True)


def shard_notes(path: Path) -> dict[str, str]:
    """Key-value metadata of a shard; only the footer is read."""
    metadata = pq.read_metadata(path).metadata or {}
    return {key.decode(): value.decode() for key, value in metadata.items()}


def shard_paths(folder: Path) -> list[Path]:
    """The shards of a finished build, as its receipt lists them.

    Args:
        folder: The out folder of a build.

    Raises:
        FileNotFoundError: No receipt is there: no build was finished, or one is going on.
    """
    content = json.loads((folder / RECEIPT_FILE).read_text("utf-8"))
    entries = content["sources"].values()
    return [folder / shard["path"] for entry in entries for shard in entry["shards"]]


def read_shards(
    folder: Path, columns: Sequence[str] | None = None, batch_rows: int = 256
) -> Iterator[dict[str, Any]]:
    """Rows of all shards of a finished build, in the order of its receipt.

    Args:
        folder: The out folder of a build.
        columns: Names of the columns wanted; all where None.
        batch_rows: Rows read at a time.

    Raises:
        FileNotFoundError: No build was finished there.
    """
    for path in shard_paths(folder):
        yield from read_shard(path, columns, batch_rows)


def read_shard(
    path: Path, columns: Sequence[str] | None = None, batch_rows: int = 256
) -> Iterator[dict[str, Any]]:
    """Rows of one shard; see :func:`read_shards`."""
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_rows, columns=list(columns) if columns else None):
            yield from batch.to_pylist()
