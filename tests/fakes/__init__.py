"""Generated twins: small trees in the published layout of a source, made from its manifest.

A twin is made by one builder a layout (``tests.fakes.<layout kind>``) and one an annotation
block (``tests.fakes.<block kind>``). Builders write what the manifest describes and nothing
that a seed or a clock decides.
"""

from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

import numpy as np

from converters.manifest import Manifest


@dataclass(frozen=True, kw_only=True)
class TwinImage:
    """An image of a twin: its path, the fields of its path, its number, its size."""

    path: str
    fields: dict[str, str]
    number: int
    width: int
    height: int


@dataclass(kw_only=True)
class Twin:
    """A generated tree.

    Attributes:
        manifest: What it is a twin of.
        folder: Its root.
        images: In the order of paths.
        columns: By path of the image: values of table columns that the subject or the split
            need; a table builder writes them.
        expected: By canonical term: how many findings a converter must yield, where the
            builder can tell.
        arrays: By path: what a file of named arrays holds so far.
    """

    manifest: Manifest
    folder: Path
    images: list[TwinImage] = field(default_factory=list)
    columns: dict[str, dict[str, str]] = field(default_factory=dict)
    expected: dict[str, int] = field(default_factory=dict)
    arrays: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)

    def write(self, path: str, data: bytes | str) -> Path:
        """Write a file below the root, making its folders."""
        full = self.folder / path
        full.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(data, str):
            full.write_text(data, encoding="utf-8", newline="")
        else:
            full.write_bytes(data)
        return full

    def expect(self, term: str, count: int = 1) -> None:
        """Note that the converter must yield `count` more findings of a term."""
        self.expected[term] = self.expected.get(term, 0) + count


def build_twin(manifest: Manifest, folder: Path, count: int = 12) -> Twin:
    """Make a twin of a source with about `count` images."""
    folder.mkdir(parents=True, exist_ok=True)
    twin = Twin(manifest=manifest, folder=folder)
    builder = import_module(f"tests.fakes.{manifest.layout.kind}")
    builder.write(twin, count)
    import_module("tests.fakes.splits").write_split(twin)
    for spec in manifest.layout.annotations:
        import_module(f"tests.fakes.{spec.kind}").write(spec, twin)
    return twin
