"""Tables that images have of their own: joined by their paths, read with the image."""

from collections.abc import Iterable

from converters.annotations.contract import Block, Index, Question
from converters.annotations.joins import join_files
from converters.errors import CaseError, SourceError
from converters.records import Entry, Fault
from converters.specs.base import TableFile
from converters.tables import Table, parse_table, require_columns

_TABLE_BYTES = 16 << 20


def index_own_tables(spec: TableFile, noun: str, block: Block) -> Index:
    """The table of each image; `noun` is what its rows are, in the plural, for messages.

    Raises:
        ManifestError: The path of the tables shares no placeholder with the images.
    """
    joined = join_files(spec.path, {}, block)
    return Index(
        entries={path: Entry(files=files) for path, files in joined.files.items()},
        faults={
            path: Fault(reason="name_duplicate", message=f"{noun} {', '.join(files[:3])}")
            for path, files in joined.files.items()
            if len(files) > 1
        },
        orphans=tuple((files[0], f"{noun} without their image") for files in joined.orphans),
    )


def own_table(spec: TableFile, columns: Iterable[str], question: Question) -> Table:
    """The table of one image.

    Raises:
        CaseError: ``file_unreadable``, where it is no such table or lacks a column.
    """
    (path,) = question.entry.files
    data = question.root.read(path, _TABLE_BYTES)
    try:
        table = parse_table(spec, data, question.root.source, path)
        require_columns(table, columns, question.root.source)
    except SourceError as error:
        raise CaseError("file_unreadable", str(error)[:200]) from error
    return table
