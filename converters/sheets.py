"""Sheets of xlsx workbooks as rows of text: values only, checked before they are unpacked."""

import io
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from typing import Any
from xml.etree.ElementTree import ParseError

from converters.errors import SourceError

UNPACKED_BYTES = 512 << 20
MAX_PARTS = 10_000
MAX_COLUMNS = 4096
MAX_ROWS = 1 << 20  # what the format allows
_REMEDY = "get the workbook again, or save its sheet as csv"
_BROKEN = (
    zipfile.BadZipFile, zlib.error, struct.error, ParseError, OSError, EOFError, KeyError,
    ValueError, TypeError, IndexError, AttributeError, OverflowError, RuntimeError,
)  # fmt: skip


def sheet_rows(
    data: bytes, sheet: str | None, source: str, path: str
) -> Iterator[tuple[int, list[str]]]:
    """Yield (row number from 1, cells as text) of one sheet; all rows have the same length.

    Formulas give the value that was saved with them, dates are ISO 8601, a whole number has no
    decimal point, an empty cell is "".

    Args:
        data: The workbook.
        sheet: Name of the sheet; None for a workbook that has just one.
        source: For messages.
        path: For messages.

    Raises:
        SourceError: Not a workbook, too large when unpacked, declares XML entities, no such
            sheet, or several sheets and none named.
    """
    try:
        _require_harmless(data, source, path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and validations that are not read
            yield from _padded(_read(data, sheet, source, path))
    except _BROKEN as error:
        raise SourceError(
            source, f"{path} is not an xlsx workbook: {type(error).__name__}", _REMEDY
        ) from error


def _require_harmless(data: bytes, source: str, path: str) -> None:
    """Refuse what would unpack to too much, or XML that declares a document type."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = archive.infolist()
        size = sum(part.file_size for part in parts)
        if size > UNPACKED_BYTES or len(parts) > MAX_PARTS:
            raise SourceError(
                source,
                f"{path} would unpack to {size:,} bytes in {len(parts)} parts",
                f"at most {UNPACKED_BYTES:,} bytes are taken; save its sheet as csv",
            )
        for part in parts:
            if part.filename.endswith((".xml", ".rels")):
                # Zero bytes go first, so that UTF-16 does not hide the word.
                text = archive.read(part).replace(b"\0", b"").lower()
                if b"<!doctype" in text or b"<!entity" in text:
                    raise SourceError(
                        source,
                        f"{path}: {part.filename} declares XML entities",
                        _REMEDY,
                    )


def _read(data: bytes, sheet: str | None, source: str, path: str) -> list[list[str]]:
    import openpyxl

    book = openpyxl.load_workbook(
        io.BytesIO(data), read_only=True, data_only=True, keep_links=False
    )
    names = book.sheetnames
    if (sheet or names[0]) not in names or (sheet is None and len(names) > 1):
        wanted = f"no sheet {sheet!r}" if sheet else "several sheets and none is named"
        raise SourceError(
            source,
            f"{path}: {wanted}; there are: {', '.join(names)}",
            "name it in the manifest",
        )
    page = book[sheet or names[0]]
    page.reset_dimensions()  # the size that the file claims pads every row up to it
    return _limited(page.iter_rows(values_only=True), source, path)


def _limited(rows: Iterable[tuple[Any, ...]], source: str, path: str) -> list[list[str]]:
    found: list[list[str]] = []
    for row in rows:
        if len(row) > MAX_COLUMNS or len(found) >= MAX_ROWS:
            raise SourceError(
                source,
                f"{path} is larger than {MAX_ROWS:,} rows of {MAX_COLUMNS} cells",
                _REMEDY,
            )
        found.append([_text(cell) for cell in row])
    return found


def _padded(rows: list[list[str]]) -> Iterator[tuple[int, list[str]]]:
    """A sheet does not store empty cells at the end of a row."""
    width = max(map(len, rows), default=0)
    for number, row in enumerate(rows, start=1):
        yield number, row + [""] * (width - len(row))


def _text(cell: object) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if hasattr(cell, "isoformat"):
        return str(cell.isoformat())
    return str(cell).strip()
