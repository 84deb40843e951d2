"""Questions and answers in tables: one row a question, in the source's own words."""

from collections.abc import Mapping, Sequence

from converters.annotations.asked import usable
from converters.annotations.contract import Block, Index, Question, Said
from converters.annotations.joins import keys_of_images
from converters.annotations.own_tables import index_own_tables, own_table
from converters.annotations.own_words import cleaned
from converters.annotations.text_rows import counts, fields_of, rows_of
from converters.errors import CaseError
from converters.records import Entry, Exchange, Fault, Json
from converters.specs.own_texts import QuestionTable
from converters.tables import Row


def index(spec: QuestionTable, block: Block) -> Index:
    """Join the rows of the one table with images, or the tables that images have of their own.

    Raises:
        SourceError: The table cannot be read, or lacks a column.
        ManifestError: The path of the tables shares no placeholder with the images.
    """
    if spec.key is None or spec.match is None:
        return index_own_tables(spec.table, "questions", block)
    path, keyed, keyless = rows_of(spec, spec.key, _columns(spec), block)
    entries: dict[str, Entry] = {}
    fields: dict[str, Mapping[str, str]] = {}
    keys, faults = keys_of_images(spec.match, keyed, block)
    used = set(keys.values())
    for image, key in keys.items():
        own = fields_of(keyed[key], spec.fields)
        if own is None:
            message = f"questions about {key} differ in {', '.join(spec.fields)}"
            faults[image] = Fault(reason="labels_contradict", message=message)
            continue
        fields[image] = own
        entries[image] = Entry(table=path, values=_asked(spec, keyed[key]))
    orphans = [
        (f"{path}:{key}", f"{len(rows)} questions about an image that is not there")
        for key, rows in keyed.items()
        if key not in used
    ]
    orphans += [(f"{path}:row {row.number}", "a question names no image") for row in keyless]
    return Index(entries=entries, columns=fields, faults=faults, orphans=tuple(orphans))


def _columns(spec: QuestionTable) -> list[str]:
    return [spec.question, spec.answer, *([spec.topic] if spec.topic else [])]


def _asked(spec: QuestionTable, rows: Sequence[Row]) -> list[Json]:
    return [{name: row.values[name] for name in _columns(spec)} for row in rows]


def read(spec: QuestionTable, question: Question) -> Said:
    """The questions of one image, each once, with one answer.

    Raises:
        CaseError: ``question_unusable``, where none is left; ``file_unreadable``, where the table
            of the image cannot be read.
    """
    rows = question.entry.values if spec.key else _asked(spec, _own_rows(spec, question))
    assert isinstance(rows, list)
    asked = [
        {name: cleaned(str(value)) for name, value in row.items()}
        for row in rows
        if isinstance(row, dict)
    ]
    kept, dropped = usable(asked, spec.question, spec.answer)
    if not kept:
        raise CaseError(
            "question_unusable", f"{question.path}: {len(asked)} questions, none usable"
        )
    step: dict[str, Json] = {"step": "drop_questions", **dropped}
    return Said(
        exchanges=tuple(
            Exchange(
                question=row[spec.question],
                answer=row[spec.answer],
                topic=row[spec.topic] if spec.topic else "",
                language=spec.language,
            )
            for row in kept
        ),
        transforms=(step,) if any(dropped.values()) else (),
    )


def _own_rows(spec: QuestionTable, question: Question) -> list[Row]:
    table = own_table(spec.table, [*_columns(spec), *spec.only], question)
    return [row for row in table.rows if counts(spec, row)]


def terms_of(spec: QuestionTable) -> tuple[str, ...]:
    """None: a question may speak of anything, and its words are its own."""
    return ()
