"""Reports and descriptions that a source has for its images, in its own words."""

from collections.abc import Mapping

from converters.annotations.contract import Block, Index, Question, Said
from converters.annotations.joins import keys_of_images
from converters.annotations.own_words import cleaned, without_gaps
from converters.annotations.text_rows import fields_of, rows_of
from converters.errors import CaseError
from converters.records import Entry, Exchange, Fault, Json
from converters.specs.own_texts import OwnTexts


def index(spec: OwnTexts, block: Block) -> Index:
    """Join rows with images by `key` and `match`; a report may be of several images.

    Raises:
        SourceError: The table cannot be read, or lacks a column.
    """
    columns = [part.column for part in spec.parts]
    path, keyed, keyless = rows_of(spec, spec.key, columns, block)
    fields: dict[str, Mapping[str, str]] = {}
    entries: dict[str, Entry] = {}
    keys, faults = keys_of_images(spec.match, keyed, block)
    used = set(keys.values())
    for image, key in keys.items():
        texts = {tuple(row.values[name] for name in columns) for row in keyed[key]}
        if len(texts) > 1:
            message = f"{len(texts)} texts that differ have the key {key}"
            faults[image] = Fault(reason="labels_contradict", message=message)
            continue
        own = fields_of(keyed[key], spec.fields)
        if own is None:
            message = f"rows of {key} differ in {', '.join(spec.fields)}"
            faults[image] = Fault(reason="labels_contradict", message=message)
            continue
        fields[image] = {**spec.says, **own}
        values: dict[str, Json] = dict(zip(columns, next(iter(texts)), strict=True))
        entries[image] = Entry(table=path, values=values)
    orphans = [(key, "a text without its image") for key in keyed if key not in used]
    orphans += [(f"row {row.number}", "no name of an image") for row in keyless]
    return Index(
        entries=entries,
        columns=fields,
        faults=faults,
        orphans=tuple((f"{path}:{key}", what) for key, what in orphans),
    )


def read(spec: OwnTexts, question: Question) -> Said:
    """The text of one image, cleaned, its parts under their headings.

    Raises:
        CaseError: ``question_unusable``, where nothing is left of it.
    """
    values = question.entry.values
    assert isinstance(values, dict)
    said, dropped = _text(spec, {name: str(value) for name, value in values.items()})
    if not said:
        raise CaseError("question_unusable", f"{question.path}: no text is left")
    step: dict[str, Json] = {"step": "drop_sentences", "with_gaps": dropped}
    return Said(
        exchanges=(Exchange(question="", answer=said, topic=spec.topic, language=spec.language),),
        transforms=(step,) if dropped else (),
    )


def _text(spec: OwnTexts, values: Mapping[str, str]) -> tuple[str, int]:
    lines: list[str] = []
    dropped = 0
    for part in spec.parts:
        text, gone = without_gaps(cleaned(values[part.column]), spec.gaps)
        dropped += gone
        if text:
            colon = "：" if spec.language == "zh" else ": "
            lines.append(f"{part.heading}{colon}{text}" if part.heading else text)
    return "\n".join(lines), dropped


def terms_of(spec: OwnTexts) -> tuple[str, ...]:
    """None: a text may speak of anything, and its words are its own."""
    return ()
