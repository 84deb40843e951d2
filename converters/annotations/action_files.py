"""Triplets of an operation: an instrument, what it does, and what it does it to."""

from collections.abc import Mapping
from typing import TypeAlias

from converters.annotations.contract import Block, Index, Question, Said, absent_terms
from converters.annotations.joins import join_files
from converters.errors import CaseError, SourceError
from converters.json_files import read_json
from converters.records import Entry, Fault, Finding, Json
from converters.specs.operations import ActionFiles
from converters.vocabulary import term

_PLACES = {"instrument": 1, "verb": 7, "target": 8}  # in a row of 15 numbers
_ROW = 15
_NONE = -1
_Video: TypeAlias = Mapping[int, list[Json]]


def index(spec: ActionFiles, block: Block) -> Index:
    """Join each frame with its rows in the file of its video; codes become names.

    Raises:
        SourceError: A file is not what is documented, or has a name that the manifest lacks.
    """
    joined = join_files(spec.files, {}, block)
    videos: dict[str, _Video] = {}
    entries: dict[str, Entry] = {}
    faults: dict[str, Fault] = {}
    for image in block.images:
        paths = joined.files.get(image.path, ())
        if len(paths) > 1:
            faults[image.path] = Fault(reason="name_duplicate", message=f"files {paths[:3]}")
        number = image.fields[spec.frame_field]
        if len(paths) != 1 or not (number.isdecimal() and number.isascii()):
            continue
        if paths[0] not in videos:
            videos[paths[0]] = _read(spec, paths[0], block)
        rows = videos[paths[0]].get(int(number))
        if rows is not None:
            entries[image.path] = Entry(table=paths[0], values=rows)
    return Index(
        entries=entries,
        faults=faults,
        orphans=tuple((files[0], f"no frame belongs to {files[0]}") for files in joined.orphans),
    )


def _read(spec: ActionFiles, path: str, block: Block) -> _Video:
    content = read_json(block.root, path)
    try:
        return _frames(spec, content)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise SourceError(
            block.source,
            f"{path} is not a file of triplets: {error}"[:300],
            "get the file again, or add the name to the manifest",
        ) from error


def _frames(spec: ActionFiles, content: Json) -> dict[int, list[Json]]:
    if not isinstance(content, dict):
        raise TypeError("no object at the top")
    names, frames = content["categories"], content["annotations"]
    if not (isinstance(names, dict) and isinstance(frames, dict)):
        raise TypeError("categories and annotations are not objects")
    found: dict[int, list[Json]] = {}
    for frame, rows in frames.items():
        if not isinstance(rows, list):
            raise TypeError(f"frame {frame} has no list")
        found[int(frame)] = [_named(spec, row, names) for row in rows]
    return found


def _named(spec: ActionFiles, row: Json, names: dict[str, Json]) -> dict[str, Json]:
    """The names of one row's codes; of what is none or ignored, none."""
    if not isinstance(row, list) or len(row) != _ROW:
        raise ValueError(f"a row is not {_ROW} numbers")
    known = {"instrument": spec.instruments, "verb": spec.verbs, "target": spec.targets}
    said: dict[str, Json] = {}
    for kind, place in _PLACES.items():
        codes, code = names[kind], row[place]
        if not isinstance(codes, dict) or isinstance(code, bool) or not isinstance(code, int):
            raise TypeError(f"{kind} {str(code)[:20]} is no code")
        if code == _NONE:
            continue
        name = str(codes[str(code)])
        if name not in known[kind] and name not in spec.ignore:
            raise ValueError(f"{kind} {name[:40]!r} is not known")
        if name in known[kind]:
            said[kind] = name
    return said


def read(spec: ActionFiles, question: Question) -> Said:
    """Instruments and targets as labels of the frame, each action with both of them.

    Raises:
        CaseError: ``annotation_missing``: the frame has no rows.
    """
    rows = question.entry.values
    if not isinstance(rows, list):
        raise CaseError("annotation_missing", f"{question.path}: no rows")
    seen: dict[str, Finding] = {}
    actions: list[Finding] = []
    done: list[str] = []
    for row in rows:
        assert isinstance(row, dict)
        said = {kind: str(name) for kind, name in row.items()}
        for kind, table in (("instrument", spec.instruments), ("target", spec.targets)):
            if kind in said:
                seen.setdefault(table[said[kind]], _finding(table[said[kind]], said[kind]))
        if "verb" in said:
            done.append(spec.verbs[said["verb"]])
        if "instrument" in said and "verb" in said:
            actions.append(_action(spec, said))
    present = [*seen, *done]  # of an action by nothing that is named, nothing is said
    is_known = spec.completeness != "partial"
    return Said(
        findings=(*seen.values(), *dict.fromkeys(actions)),
        absent=absent_terms(_complete_terms(spec), present, is_known=is_known),
    )


def _action(spec: ActionFiles, said: Mapping[str, str]) -> Finding:
    pairs = [("instrument", spec.instruments[said["instrument"]])]
    if "target" in said:
        pairs.append(("target", spec.targets[said["target"]]))
    label = spec.verbs[said["verb"]]
    return Finding(label=label, code=said["verb"], role=term(label).role, attributes=tuple(pairs))


def _finding(label: str, code: str) -> Finding:
    return Finding(label=label, code=code, role=term(label).role, side=term(label).side or None)


def _complete_terms(spec: ActionFiles) -> tuple[str, ...]:
    """What a triplet would name if it were there: a target may be in view untouched."""
    return (*spec.instruments.values(), *spec.verbs.values())


def terms_of(spec: ActionFiles) -> tuple[str, ...]:
    """Every term that the block can say."""
    return tuple(dict.fromkeys((*_complete_terms(spec), *spec.targets.values())))
