"""Promises of error records."""

from converters.errors import LONGEST_MESSAGE, CaseError


def test_a_message_that_quotes_a_broken_file_is_cut() -> None:
    error = CaseError("file_unreadable", "x" * 100_000)
    assert len(error.message) == LONGEST_MESSAGE + 3
