"""Rows that point to their image by file, slice and digest, without its bytes."""

from collections.abc import Mapping
from typing import Any

from converters.errors import SettingsError


def pixels_of(row: Mapping[str, Any]) -> bytes:
    """The bytes of a row's image.

    Raises:
        SettingsError: The row is of a build of pointers.
    """
    data: bytes | None = row["image"]["bytes"]
    if data is None:
        raise SettingsError(
            row["pair_id"],
            "its build holds pointers in place of images",
            "gmai-rehydrate puts the images back from your own copy of the source",
        )
    return data
