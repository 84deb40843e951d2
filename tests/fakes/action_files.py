"""Twins of triplets: one JSON file a video, a frame without any, and one with what is ignored."""

import json

from converters.specs.operations import ActionFiles
from tests.fakes import Twin
from tests.fakes.paths import path_for


def write(spec: ActionFiles, twin: Twin) -> None:
    """Write a file for each video."""
    names = {
        "instrument": list(spec.instruments),
        "verb": [*spec.verbs, *spec.ignore],
        "target": [*spec.targets, *spec.ignore],
    }
    files: dict[str, dict[str, list[list[int]]]] = {}
    for image in twin.images:
        path, _ = path_for(spec.files, image.fields, image.number)
        frame = str(int(image.fields[spec.frame_field]))
        rows = [_row(names, image.number + turn) for turn in range(image.number % 3)]
        files.setdefault(path, {})[frame] = rows or [[-1] * 15]
        _expect(spec, twin, rows)
    categories = {kind: {str(n): name for n, name in enumerate(of)} for kind, of in names.items()}
    for path, frames in files.items():
        twin.write(path, json.dumps({"categories": categories, "annotations": frames}))


def _expect(spec: ActionFiles, twin: Twin, rows: list[list[int]]) -> None:
    """Each action; instruments and targets once a frame."""
    tools, verbs, targets = (
        list(of.values()) for of in (spec.instruments, spec.verbs, spec.targets)
    )
    seen = {tools[row[1]] for row in rows}
    seen |= {targets[row[8]] for row in rows if row[8] < len(targets)}
    for name in (*seen, *(verbs[row[7]] for row in rows if row[7] < len(verbs))):
        twin.expect(name)


def _row(names: dict[str, list[str]], number: int) -> list[int]:
    row = [-1] * 15
    row[0], row[2] = number, 1
    for kind, place in (("instrument", 1), ("verb", 7), ("target", 8)):
        row[place] = (number * 3 + place) % len(names[kind])
    return row
