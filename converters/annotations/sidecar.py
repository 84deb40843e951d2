"""A JSON file beside the images that gives their pixel size."""

import json

from converters.annotations.contract import Block, Index, Question, Said
from converters.annotations.joins import join_files
from converters.errors import CaseError
from converters.records import Entry, Fault
from converters.specs.annotations import Sidecar

SIDECAR_BYTES = 1 << 20
_MM = {"nm": 1e-6, "um": 1e-3, "µm": 1e-3, "mm": 1.0}
_MIN_MM, _MAX_MM = 1e-8, 100.0


def index(spec: Sidecar, block: Block) -> Index:
    """The first pattern that has a file for an image serves it.

    A sidecar without an image is no loss: it annotates nothing.
    """
    entries: dict[str, Entry] = {}
    faults: dict[str, Fault] = {}
    for pattern in spec.files:
        for path, files in join_files(pattern, {}, block).files.items():
            if path in entries:
                continue
            entries[path] = Entry(files=files, labels=())
            if len(files) > 1:
                faults[path] = Fault(reason="name_duplicate", message=", ".join(files[:3]))
    return Index(entries=entries, faults=faults)


def read(spec: Sidecar, question: Question) -> Said:
    """The spacing of one image.

    Raises:
        CaseError: ``file_unreadable`` or ``geometry_invalid``.
    """
    path = question.entry.files[0]
    content = _object(question.root.read(path, SIDECAR_BYTES), path)
    size, unit = content.get(spec.size), content.get(spec.unit)
    if not isinstance(size, list) or len(size) != 2 or not isinstance(unit, str) or unit not in _MM:
        raise CaseError("geometry_invalid", f"{path}: pixel size {size!r} {unit!r}"[:200])
    width, height = (_millimetres(value, _MM[unit], path) for value in size)
    return Said(spacing_mm=(height, width))


def _object(data: bytes, path: str) -> dict[str, object]:
    try:
        content = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise CaseError("file_unreadable", f"{path} is not JSON: {error}"[:200]) from error
    if not isinstance(content, dict):
        raise CaseError("file_unreadable", f"{path} is not a JSON object")
    return content


def _millimetres(value: object, factor: float, path: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CaseError("geometry_invalid", f"{path}: pixel size {value!r}"[:200])
    if not _MIN_MM / factor <= value <= _MAX_MM / factor:  # NaN as well
        raise CaseError("geometry_invalid", f"{path}: pixel size {value!r}"[:200])
    return round(value * factor, 9)


def terms_of(spec: Sidecar) -> tuple[str, ...]:
    """None: a sidecar says no labels."""
    return ()
