"""What a list of sources needs of each manifest, and the index that holds it.

``manifests/index.json`` is made from the manifests. A row counts where the manifest's bytes have
the digest that they had then, and vocabulary and terms as well; any other manifest is read and
checked in full, so that a fault in it is found.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from converters.errors import ManifestError
from converters.vocabulary import MANIFESTS

INDEX = "index.json"
_BASIS = ("vocabulary.toml", "terms.csv", "schema.json")


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """What a source is, in the words of its manifest."""

    name: str
    title: str
    modality: str
    anatomy: list[str]
    tasks: list[str]
    license: str
    access: str
    evidence: str


def heads(broken: list[ManifestError], folder: Path = MANIFESTS) -> Iterator[Head]:
    """The head of every manifest, by name; a fault in one spoils no other.

    Args:
        broken: Takes the faults that are found.
        folder: With the manifests and their index.
    """
    known = _known(folder)
    for path in sorted(folder.glob("*.yaml"), key=lambda path: path.stem):
        head = known.get(_digest(path))
        if head and head.name == path.stem:
            yield head
            continue
        try:
            yield read_head(path.stem, folder)
        except ManifestError as error:
            broken.append(error)


def read_head(name: str, folder: Path = MANIFESTS) -> Head:
    """The head of one manifest, which is read and checked in full.

    Raises:
        ManifestError: The file is not a valid manifest.
    """
    from converters.manifest import load_manifest

    m = load_manifest(name, folder).manifest
    return Head(
        name=m.name, title=m.title, modality=m.modality, anatomy=list(m.anatomy),
        tasks=list(m.tasks), license=m.license, access=m.access, evidence=m.evidence.level,
    )  # fmt: skip


def index_text(schema: str, folder: Path = MANIFESTS) -> str:
    """The index of the manifests of a folder, as its file holds it.

    Args:
        schema: Text of the schema that belongs to it.
        folder: With the manifests.
    """
    digests = {_digest(path): path.stem for path in sorted(folder.glob("*.yaml"))}
    rows = {digest: asdict(read_head(name, folder)) for digest, name in digests.items()}
    basis = _basis(folder, schema.encode())
    lines = [f" {json.dumps(k)}: {json.dumps(v, ensure_ascii=False)}" for k, v in rows.items()]
    return f'{{"basis": "{basis}", "sources": {{\n' + ",\n".join(lines) + "\n}}\n"


def _known(folder: Path) -> dict[str, Head]:
    """Heads by the digest of their manifest; none where the index does not fit."""
    path = folder / INDEX
    if not path.is_file():
        return {}
    try:
        index = json.loads(path.read_text("utf-8"))
        if index["basis"] != _basis(folder):
            return {}
        return {digest: Head(**row) for digest, row in index["sources"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}  # it can be made again, and is not needed


def _basis(folder: Path, schema: bytes | None = None) -> str:
    found = hashlib.sha256()
    for name in _BASIS:
        path = folder / name
        is_given = name == "schema.json" and schema is not None
        data = schema if is_given else path.read_bytes() if path.is_file() else b""
        found.update(hashlib.sha256(data or b"").digest())
    return found.hexdigest()


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
