"""Rows of tables that speak of frames of a video, by the number of the frame."""

from collections.abc import Iterable, Mapping

from converters.errors import CaseError
from converters.records import Entry
from converters.specs.videos import FrameChords, FrameTable

MAX_FRAME = 5_000_000


def frame_number(spec: FrameTable | FrameChords, row: Mapping[str, str], path: str) -> int:
    """The frame that a row speaks of, counted from 0 in the order of display.

    Raises:
        CaseError: ``value_invalid``: the cell is no number of a frame.
    """
    text = row[spec.frame]
    if not (text.isdecimal() and text.isascii() and len(text) <= 8):
        raise CaseError("value_invalid", f"{path}: {spec.frame} {text[:20]!r} is no frame")
    number = int(text) - spec.first
    if not 0 <= number < MAX_FRAME:
        raise CaseError("value_invalid", f"{path}: there is no frame {text}")
    return number


def one_row_a_frame(
    rows: Iterable[tuple[int, Mapping[str, str]]], entry: Entry, path: str
) -> dict[int, Entry]:
    """An entry a frame; the entry of the whole video says which file it came from.

    Raises:
        CaseError: ``labels_contradict``: a frame has two rows that differ.
    """
    found: dict[int, Entry] = {}
    for number, values in rows:
        before = found.get(number)
        if before is not None and before.values != dict(values):
            raise CaseError("labels_contradict", f"{path}: two rows of frame {number} differ")
        found[number] = Entry(files=entry.files, table=entry.table, values=dict(values))
    return found
