"""Attributes of a DICOM data set as plain values: missing is empty, broken is a reason."""

import math
from collections.abc import Sequence
from typing import Any

from pydicom.dataset import Dataset

from converters.errors import CaseError
from converters.imaging.dicom_file import BROKEN, quiet


def name_of(header: Dataset) -> str:
    """Path of the file relative to the root, for messages; "" for an item of a sequence."""
    return str(getattr(header, "filename", "") or "")


def _value(header: Dataset, keyword: str) -> Any:  # noqa: ANN401 - what pydicom gives
    try:
        with quiet():
            return header[keyword].value if keyword in header else None
    except (*BROKEN, OSError) as error:
        raise _invalid(header, keyword, type(error).__name__) from error


def _invalid(header: Dataset, keyword: str, found: object) -> CaseError:
    where = name_of(header)
    text = f"{keyword} is {str(found)[:60]!r}"
    return CaseError("value_invalid", f"{where}: {text}" if where else text)


def _values(header: Dataset, keyword: str) -> list[Any]:
    value = _value(header, keyword)
    if value is None or (isinstance(value, str | bytes) and not value):
        return []
    is_many = isinstance(value, Sequence) and not isinstance(value, str | bytes)
    return list(value) if is_many else [value]


def texts_of(header: Dataset, keyword: str) -> tuple[str, ...]:
    """Every value of an attribute as text, without spaces around it.

    Raises:
        CaseError: ``value_invalid``.
    """
    return tuple(str(value).strip(" \0") for value in _values(header, keyword))


def text_of(header: Dataset, keyword: str) -> str:
    r"""The value of an attribute as text, several joined by ``\``; "" where it is missing.

    Raises:
        CaseError: ``value_invalid``.
    """
    return "\\".join(texts_of(header, keyword))


def numbers_of(header: Dataset, keyword: str) -> tuple[float, ...]:
    """Every value of an attribute as a finite number; none where it is missing.

    Raises:
        CaseError: ``value_invalid``, where one is not.
    """
    found = []
    for value in _values(header, keyword):
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError) as error:
            raise _invalid(header, keyword, value) from error
        if not math.isfinite(number):
            raise _invalid(header, keyword, value)
        found.append(number)
    return tuple(found)


def integer_of(header: Dataset, keyword: str, default: int | None = None) -> int:
    """The one value of an attribute as an integer.

    Raises:
        CaseError: ``value_invalid``: there is none and no default, or several, or no integer.
    """
    found = numbers_of(header, keyword)
    if not found and default is not None:
        return default
    if len(found) != 1 or found[0] != int(found[0]):
        raise _invalid(header, keyword, "\\".join(f"{value:g}" for value in found))
    return int(found[0])


def bytes_of(header: Dataset, keyword: str) -> bytes | list[int]:
    """Binary data as it was stored, or a list of integers where its VR says so.

    Raises:
        CaseError: ``value_invalid``.
    """
    value = _value(header, keyword)
    if isinstance(value, bytes):
        return value
    try:
        return [int(one) for one in _values(header, keyword)]
    except (TypeError, ValueError) as error:
        raise _invalid(header, keyword, value) from error


def items_of(header: Dataset, keyword: str) -> tuple[Dataset, ...]:
    """The items of a sequence; none where it is missing.

    Raises:
        CaseError: ``value_invalid``, where it is no sequence.
    """
    found = tuple(_values(header, keyword))
    if not all(isinstance(item, Dataset) for item in found):
        raise _invalid(header, keyword, "no sequence")
    return found
