"""Frames of series in time that a table names: each is a volume with findings of its own."""

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from converters.errors import CaseError
from converters.files import Listing, Root
from converters.imaging.volumes import read_volume
from converters.layouts.volume_case import Shown, convert_sequences
from converters.manifest import Manifest
from converters.pattern import fill, template_names
from converters.records import Case, Fault, Outcome, Rejection
from converters.specs.layouts import Frames4D, Volumes
from converters.tables import Row, read_table, require_columns, rows_by_key

_FIELD = "frame "  # before the name of a frame, among the fields of a case


def with_frames(frames: Frames4D, root: Root, listing: Listing, cases: list[Case]) -> list[Case]:
    """Give each case the indices of its frames, as fields.

    Raises:
        SourceError: The table is not there, or has other columns.
    """
    table = read_table(frames.table, root, listing)
    require_columns(table, [*template_names(frames.key), *frames.columns.values()], root.source)
    rows, _ = rows_by_key(table, frames.key)
    return [case if case.fault else _with_row(frames, case, rows) for case in cases]


def _with_row(frames: Frames4D, case: Case, rows: dict[str, list[Row]]) -> Case:
    found = rows.get(fill(frames.match, case.fields), [])
    told = {tuple(row.values[column] for column in frames.columns.values()) for row in found}
    if len(told) != 1:
        wrong = "tell its frames otherwise" if told else "tell its frames"
        message = f"{len(found)} rows of {frames.table.path} {wrong}"
        reason = "labels_contradict" if told else "annotation_missing"
        return replace(case, fault=Fault(reason=reason, message=message))
    cells = dict(zip(frames.columns, told.pop(), strict=True))
    wrong_cells = [cell for cell in cells.values() if not re.fullmatch(r"[0-9]{1,6}", cell)]
    if wrong_cells:
        message = f"{frames.table.path}: {wrong_cells[0][:40]!r} is no index of a frame"
        return replace(case, fault=Fault(reason="value_invalid", message=message))
    return replace(case, fields={**case.fields, **{_FIELD + n: cell for n, cell in cells.items()}})


def convert_frames(
    manifest: Manifest, layout: Volumes, root: Root, case: Case
) -> Iterator[Outcome]:
    """Yield one sample for each chosen slice of each frame; a frame that fails is a rejection."""
    for field, index in case.fields.items():
        if not field.startswith(_FIELD):
            continue
        tag = field.removeprefix(_FIELD).lower().replace(" ", "-")
        framed = replace(case, fields={**case.fields, "frame": index})
        how = layout.at_frame(framed.fields)
        read = partial(read_volume, root, case.image, how)
        shown = Shown(sequence=layout.sequence, path=case.image, tag=tag, read=read)
        try:
            yield from convert_sequences(manifest, layout, root, framed, [shown])
        except CaseError as error:
            yield Rejection(
                source=case.source,
                case_key=case.key,
                reason=error.reason,
                message=error.message,
                sample_id=f"{case.source}/{case.key}#{tag}",
            )
