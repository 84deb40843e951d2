"""What a model was trained on, as the receipts of the builds tell it."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.attribution import named
from pipeline.license_policy import Terms, terms_in
from pipeline.shards import RECEIPT_FILE
from trainer.errors import TrainerError


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceReceipt:
    """One source of a build.

    Attributes:
        name: Of its manifest.
        title: As its owners call it.
        license: SPDX identifier, LicenseRef-, or ``not stated``.
        access: How it is to be had.
        evidence: What the licence was read from.
        train_pairs: Pairs of the split ``train``; others are not trained on.
        manifest_digest: SHA-256 of what the manifest says.
        terms: What is said of the licence, see :mod:`pipeline.license_policy`.
        attribution: Who is to be named and how, as lines of Markdown.
    """

    name: str
    title: str
    license: str
    access: str
    evidence: str
    train_pairs: int
    manifest_digest: str
    terms: Terms
    attribution: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildReceipt:
    """One build.

    Attributes:
        digest: SHA-256 of the receipt, which names the digest of every shard.
        version: Of the software that made it.
        sources: In the order of the receipt.
    """

    digest: str
    version: str
    sources: tuple[SourceReceipt, ...]


def read_receipt(folder: Path) -> BuildReceipt:
    """The receipt of a build.

    Args:
        folder: Its out folder.

    Raises:
        TrainerError: No build was finished there, or its receipt is not one.
    """
    path = folder / RECEIPT_FILE
    try:
        data = path.read_bytes()
        entries: dict[str, Any] = json.loads(data)["sources"]
        sources = tuple(_source(name, entry) for name, entry in entries.items())
        versions = sorted({entry["build_version"] for entry in entries.values()})
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError) as error:
        raise TrainerError(
            str(path), f"is no receipt of a build: {error}", "name the out folder of gmai-build"
        ) from error
    return BuildReceipt(
        digest=hashlib.sha256(data).hexdigest(), version=", ".join(versions), sources=sources
    )


def read_receipts(folders: Sequence[Path]) -> tuple[BuildReceipt, ...]:
    """Receipts of several builds, in the order given."""
    return tuple(read_receipt(folder) for folder in folders)


def _source(name: str, entry: dict[str, Any]) -> SourceReceipt:
    return SourceReceipt(
        name=name,
        title=entry["title"],
        license=entry["license"],
        access=entry["access"],
        evidence=entry["evidence"],
        train_pairs=entry["splits"].get("train", {}).get("pairs", 0),
        manifest_digest=entry["manifest_digest"],
        terms=terms_in({name: entry})[0],
        attribution=tuple(named(name, entry, "###")),
    )
