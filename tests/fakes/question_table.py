"""Twins of tables of questions: some repeated, some contradicted, some of no use."""

from converters.pattern import fill
from converters.specs.own_texts import QuestionTable
from tests.fakes import Twin
from tests.fakes.label_table import key_values, table_bytes
from tests.fakes.own_texts import field_cells
from tests.fakes.paths import path_for

ASKED = {
    "en": [("Is it there?", "Yes"), ("is it  there? ", "yes"), ("Which side?", "left"),
           ("Which side?", "right"), ("What is it?", "")],
    "zh": [("图中有病变吗？", "有"), ("病变在哪一侧？", "左侧"), ("病变在哪一侧？", "右侧")],
}  # fmt: skip


def write(spec: QuestionTable, twin: Twin) -> None:
    """Write the table or tables, each question beside rows that `only` passes over."""
    shared: list[dict[str, str]] = []
    for image in twin.images:
        values = key_values(spec.key, fill(spec.match or "", image.fields)) if spec.key else {}
        if values is None:
            continue  # another table serves this image
        values.update(field_cells(spec.fields, twin, image))
        rows = [
            {**values, **{name: allowed[0] for name, allowed in spec.only.items()},
             spec.question: question, spec.answer: answer,
             **({spec.topic: "PRES"} if spec.topic else {})}
            for question, answer in ASKED[spec.language]
        ]  # fmt: skip
        if spec.only:
            rows.append({**rows[0], **dict.fromkeys(spec.only, "zz"), spec.question: "Not this?"})
        shared += rows
        if not spec.key:
            path, _ = path_for(spec.table.path, image.fields, image.number)
            twin.write(path, table_bytes(spec.table, rows))
    if spec.key and shared:
        twin.write(path_for(spec.table.path, {}, 0)[0], table_bytes(spec.table, shared))
