"""Twins of questions: two files where the pattern names a split, with the faults of real ones."""

import json
import re

from converters.pattern import compile_pattern, fill
from converters.specs.own_texts import Questions
from tests.fakes import Twin
from tests.fakes.label_table import key_values
from tests.fakes.paths import path_for


def write(spec: Questions, twin: Twin) -> None:
    """Write the files: each image in one of them, one question repeated, one contradicted."""
    splits = _splits(spec)
    files: dict[str, list[dict[str, object]]] = {}
    for image in twin.images:
        name = fill(spec.match, image.fields)
        owner = splits[image.number % len(splits)]
        path, _ = path_for(spec.files, owner, 0)
        values = key_values(spec.image, name)
        assert values is not None
        extra: dict[str, object] = {key: allowed[0] for key, allowed in spec.only.items()}
        if spec.topic:
            extra[spec.topic] = "PRES"
        for key, meanings in (
            (spec.modality_key, spec.modalities),
            (spec.anatomy_key, spec.anatomies),
        ):
            if key:
                extra[key] = list(meanings)[image.number % len(meanings)]
        asked = [("Is it there?", "Yes"), ("is it there? ", "yes"), ("How many?", 3),
                 ("Which side?", "left"), ("Which side?", "right")]  # fmt: skip
        for question, answer in asked:
            row = {**values, **extra, spec.question: question, spec.answer: answer}
            files.setdefault(path, []).append(row)
    for path, rows in files.items():
        twin.write(path, json.dumps(rows))


def _splits(spec: Questions) -> list[dict[str, str]]:
    """Values of the placeholder of the files' pattern, from its alternatives."""
    found = re.search(r"\{(\w+):([^{}]*\|[^{}]*)\}", spec.files)
    if not found:
        assert not compile_pattern(spec.files).groupindex
        return [{}]
    return [{found[1]: value} for value in found[2].split("|")]
