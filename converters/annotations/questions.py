"""Questions and answers in JSON files: lists of objects, one a question.

They are cleaned of markup and of blanks, and not rewritten. What cannot be used is left out and
counted: a question asked twice, one with answers that contradict each other, one without an
answer, and one of another official split than that of its image.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from converters.annotations.asked import usable
from converters.annotations.contract import Block, Index, Question, Said
from converters.annotations.joins import keys_of_images
from converters.annotations.own_words import cleaned
from converters.errors import CaseError, SourceError
from converters.json_files import read_json
from converters.pattern import fill, match_paths
from converters.records import Entry, Exchange, Json
from converters.specs.own_texts import Questions
from converters.vocabulary import words

_ORDER = {"test": 0, "val": 1, "train": 2}  # by how a name of a split begins


@dataclass(frozen=True, kw_only=True, slots=True)
class _Asked:
    """One object of a file.

    Attributes:
        values: As in the file, as text.
        table: The file.
        fields: What the placeholders of the file's pattern captured.
    """

    values: dict[str, str]
    table: str
    fields: Mapping[str, str]


def index(spec: Questions, block: Block) -> Index:
    """Join questions with images by `image` and `match`.

    Where the files' pattern has placeholders (an official split), the image takes the values
    of one file: that of the split that goes first. Its questions in other files stay out.

    Raises:
        SourceError: No file matches, or one is not a list of objects with the named values.
    """
    asked: dict[str, list[_Asked]] = {}
    for path, fields in match_paths(spec.files, block.listing.paths):
        for one in _read(spec, path, fields, block):
            asked.setdefault(_image_name(spec, one, block), []).append(one)
    if not asked:
        raise SourceError(block.source, f"no file matches {spec.files!r}", "get it as well")
    entries: dict[str, Entry] = {}
    columns: dict[str, Mapping[str, str]] = {}
    keys, faults = keys_of_images(spec.match, asked, block)
    used = set(keys.values())
    for image, name in keys.items():
        entries[image], columns[image] = _entry(spec, asked[name])
    orphans = tuple(
        (name, f"{len(found)} questions about an image that is not there")
        for name, found in asked.items()
        if name not in used
    )
    return Index(entries=entries, columns=columns, faults=faults, orphans=orphans)


def _read(spec: Questions, path: str, fields: Mapping[str, str], block: Block) -> list[_Asked]:
    content = read_json(block.root, path)
    needed = [spec.question, spec.answer, spec.topic, spec.modality_key, spec.anatomy_key]
    needed += spec.only
    if not isinstance(content, list):
        raise SourceError(block.source, f"{path} is not a list", "get the file again")
    found = []
    for number, one in enumerate(content, start=1):
        missing = [k for k in needed if k and (not isinstance(one, dict) or k not in one)]
        if missing or not isinstance(one, dict):
            raise SourceError(
                block.source, f"{path}, object {number} has no {missing[0]!r}", "get the file again"
            )
        values = {key: _text(value) for key, value in one.items()}
        if all(values[key] in allowed for key, allowed in spec.only.items()):
            found.append(_Asked(values=values, table=path, fields=fields))
    return found


def _text(value: Json) -> str:
    """A value as text: some answers are numbers; what is a list or an object is no text."""
    if isinstance(value, bool) or value is None or isinstance(value, (list, dict)):
        return ""
    return cleaned(str(value))


def _image_name(spec: Questions, one: _Asked, block: Block) -> str:
    try:
        return fill(spec.image, one.values)
    except CaseError as error:
        raise SourceError(
            block.source, f"{one.table}: a question names no image", "get the file again"
        ) from error


def _entry(spec: Questions, asked: Sequence[_Asked]) -> tuple[Entry, Mapping[str, str]]:
    files = {one.table: one.fields for one in asked}
    table = min(files, key=lambda path: (_rank(files[path]), path))
    kept = [one for one in asked if one.table == table]
    names = [spec.question, spec.answer, spec.topic, spec.modality_key, spec.anatomy_key]
    rows: list[Json] = [{n: one.values[n] for n in names if n} for one in kept]
    values: dict[str, Json] = {"asked": rows, "elsewhere": len(asked) - len(kept)}
    return Entry(table=table, values=values), files[table]


def _rank(fields: Mapping[str, str]) -> int:
    """Test goes before validation and train; what is no name of a split goes last."""
    ranks = [
        rank
        for value in fields.values()
        for name, rank in _ORDER.items()
        if value.lower().startswith(name)
    ]
    return min(ranks, default=len(_ORDER))


def read(spec: Questions, question: Question) -> Said:
    """The questions of one image, with its modality and body part where they are given.

    Raises:
        CaseError: ``question_unusable``, where none is left; ``value_invalid``, where modality or
            body part are not known or differ among the questions.
    """
    values = question.entry.values
    assert isinstance(values, dict)
    rows = values["asked"]
    assert isinstance(rows, list)
    asked = [{k: str(v) for k, v in row.items()} for row in rows if isinstance(row, dict)]
    kept, dropped = usable(asked, spec.question, spec.answer)
    dropped["other_split"] = int(str(values["elsewhere"]))
    if not kept:
        raise CaseError(
            "question_unusable", f"{question.path}: {len(asked)} questions, none usable"
        )
    modality = _one_of(asked, spec.modality_key, spec.modalities, question.path)
    anatomy = _one_of(asked, spec.anatomy_key, spec.anatomies, question.path)
    _require_word("modality", modality, question.path)
    _require_word("anatomy", anatomy, question.path)
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
        modality=modality,
        anatomy=(anatomy,) if anatomy else None,
        transforms=(step,) if any(dropped.values()) else (),
    )


def _one_of(
    asked: list[dict[str, str]], key: str | None, meanings: Mapping[str, str], path: str
) -> str | None:
    if key is None:
        return None
    codes = sorted({row[key] for row in asked})
    if len(codes) != 1 or codes[0] not in meanings:
        raise CaseError("value_invalid", f"{path}: {key} is {', '.join(codes)[:80] or 'empty'}")
    return meanings[codes[0]]


def _require_word(section: str, word: str | None, path: str) -> None:
    if word is not None and word not in words(section):
        raise CaseError("value_invalid", f"{path}: {word!r} is no word of [{section}]")


def terms_of(spec: Questions) -> tuple[str, ...]:
    """None: a question may speak of anything, and its words are its own."""
    return ()
