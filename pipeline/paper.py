"""What the paper says of GMAI-VL-5.5M, and how its words and ours belong together."""

import tomllib
from functools import cache
from typing import Any

from converters.manifest import Manifest
from converters.vocabulary import MANIFESTS


@cache
def paper() -> dict[str, Any]:
    """The content of ``manifests/gmai_vl.toml``."""
    return tomllib.loads((MANIFESTS / "gmai_vl.toml").read_text("utf-8"))


def modality_name(code: str, source: str = "") -> str:
    """What the paper calls a modality; a name of ours where it has none.

    Args:
        code: Of the vocabulary.
        source: Name of a manifest; some are told apart by it alone.

    Raises:
        KeyError: The code has no name.
    """
    known = paper()
    for name, said in known["modality"].items():
        if source and source in said.get("sources", ()):
            return name
    for name, said in known["modality"].items():
        if code in said["of"]:
            return name
    return next(name for name, codes in known["other_modality"].items() if code in codes)


def dimension(manifest: Manifest) -> str:
    """Whether a source is of pictures and videos (2D) or of volumes and series (3D)."""
    return "3D" if manifest.layout.kind in ("volumes", "series") else "2D"


def task_name(manifest: Manifest, task: str) -> str | None:
    """What the paper calls a task of a source, or None where it counts none of that kind."""
    for name, said in paper()["task"].items():
        if said["dimension"] == dimension(manifest) and task in said["of"]:
            return name
    return None
