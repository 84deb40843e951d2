"""Boxes of YOLO: one text file an image, one box a line."""

from converters.annotations.boxes import Marked, parse_number, say_boxes
from converters.annotations.contract import Block, Index, Question, Said
from converters.annotations.joins import join_files
from converters.annotations.outline_files import text_lines
from converters.errors import CaseError
from converters.records import Box, Entry, Fault
from converters.specs.shapes import YoloBoxes


def index(spec: YoloBoxes, block: Block) -> Index:
    """Join text files with images by the placeholders that both patterns have."""
    joined = join_files(spec.files, {}, block)
    return Index(
        entries={path: Entry(files=files) for path, files in joined.files.items()},
        faults={
            path: Fault(reason="name_duplicate", message=f"annotations {', '.join(files[:3])}")
            for path, files in joined.files.items()
            if len(files) > 1
        },
        orphans=tuple((files[0], "an annotation without its image") for files in joined.orphans),
    )


def read(spec: YoloBoxes, question: Question) -> Said:
    """Every line as a finding with a box.

    A file of empty lines marks nothing; one of no bytes may be a broken copy and is refused.

    Raises:
        CaseError: ``value_invalid``, a line is not a class and four numbers from 0 to 1;
            ``label_unknown``; or a box does not fit the picture.
    """
    path = question.entry.files[0]
    size = question.picture.size
    marked = [
        _marked(spec, words, size, f"{path}, line {number}")
        for number, words in text_lines(question.root, path)
    ]
    return say_boxes(
        [one for one in marked if one.code in spec.labels],
        spec.labels,
        size=size,
        completeness=spec.completeness,
        where=path,
    )


def _marked(spec: YoloBoxes, words: list[str], size: tuple[int, int], where: str) -> Marked:
    if len(words) != 5:
        raise CaseError("value_invalid", f"{where}: {len(words)} values, not a class and a box")
    code = words[0]
    if code not in spec.labels and code not in spec.ignore:
        raise CaseError("label_unknown", f"{where}: class {code[:60]!r} is not in the label map")
    x, y, width, height = (parse_number(word, where) for word in words[1:])
    if not all(0 <= value <= 1 for value in (x, y, width, height)):
        # In pixels they would be another box, and a plausible one.
        raise CaseError("value_invalid", f"{where}: {' '.join(words[1:])[:60]} is not from 0 to 1")
    across, down = size
    return Marked(
        code=code,
        box=Box(
            x_min=(x - width / 2) * across,
            y_min=(y - height / 2) * down,
            x_max=(x + width / 2) * across,
            y_max=(y + height / 2) * down,
        ),
    )


def terms_of(spec: YoloBoxes) -> tuple[str, ...]:
    """Every term that the block can say."""
    return tuple(dict.fromkeys(spec.labels.values()))
