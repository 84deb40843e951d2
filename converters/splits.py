"""Splits by subject: the official one where there is one, else 90/5/5 by a keyed digest."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace

from converters.errors import CaseError, SourceError
from converters.files import Listing, Root
from converters.pattern import fill, match_paths, template_names
from converters.records import Case, Fault, Split
from converters.specs.base import (
    SplitByField,
    SplitByLists,
    SplitByNumber,
    SplitByTable,
    SplitRule,
    TableFile,
)
from converters.tables import (
    TABLE_BYTES,
    parse_table,
    read_table,
    require_columns,
    rows_by_key,
)

_KEY = b"gmai subject split 1"
_ORDER: dict[str | None, int] = {"test": 2, "validation": 1, "train": 0}


def digest_split(source: str, subject_id: str) -> Split:
    """Train, validation or test, 90/5/5, from the subject alone.

    A subject keeps its split when others come or go.
    """
    text = f"{source}\0{subject_id}".encode()
    digest = hashlib.blake2b(text, key=_KEY, digest_size=8).digest()
    share = int.from_bytes(digest, "big") / 2**64
    if share < 0.90:
        return "train"
    return "validation" if share < 0.95 else "test"


class OfficialSplit:
    """The split that the owner gave, looked up for one image at a time."""

    def __init__(self, rule: SplitRule, root: Root, listing: Listing) -> None:
        self._rule = rule
        self._source = root.source
        self._listed: Mapping[str, Split] = {}
        if isinstance(rule, SplitByLists):
            self._listed = _read_lists(rule, root, listing.paths)
        elif isinstance(rule, SplitByTable):
            self._listed = _read_column(rule, root, listing)

    def of(self, fields: Mapping[str, str]) -> Split | None:
        """The split of an image, or None where the source has none.

        Raises:
            SourceError: A field holds a name of a split that the manifest does not know.
            CaseError: ``split_unknown``, the lists or the table do not name the image.
        """
        rule = self._rule
        if isinstance(rule, SplitByField):
            name = fields.get(rule.field, "")
            if name not in rule.names:
                known = ", ".join(rule.names)
                raise SourceError(
                    self._source, f"{rule.field} {name!r} is not a known split", f"known: {known}"
                )
            return rule.names[name]
        if isinstance(rule, SplitByNumber):
            return _by_number(rule, fields)
        if isinstance(rule, (SplitByLists, SplitByTable)) and self._listed:
            name = fill(rule.match, fields)
            if name not in self._listed:
                raise CaseError("split_unknown", f"no official split names {name}")
            return self._listed[name]
        return None


def _by_number(rule: SplitByNumber, fields: Mapping[str, str]) -> Split:
    text = fields.get(rule.field, "")
    if not (text.isascii() and text.isdecimal()):
        raise CaseError("split_unknown", f"{rule.field} {text!r} is no number")
    for split, (first, last) in rule.ranges.items():
        if first <= int(text) <= last:
            return split
    raise CaseError("split_unknown", f"no official split holds {rule.field} {int(text)}")


def _read_lists(rule: SplitByLists, root: Root, paths: Iterable[str]) -> dict[str, Split]:
    paths = list(paths)
    listed: dict[str, Split] = {}
    for split, patterns in rule.files.items():
        for pattern in patterns:
            for path, _ in match_paths(pattern, paths):
                _add_names(listed, root, path, split, rule.column)
    if not listed and rule.if_absent == "stop":
        wanted = ", ".join(p for patterns in rule.files.values() for p in patterns)
        raise SourceError(
            root.source, "the official split lists are not there", f"needed: {wanted}"
        )
    return listed


def _read_column(rule: SplitByTable, root: Root, listing: Listing) -> dict[str, Split]:
    if not match_paths(rule.table.path, listing.paths) and rule.if_absent == "digest":
        return {}
    table = read_table(rule.table, root, listing)
    require_columns(table, [*template_names(rule.key), rule.column], root.source)
    keyed, _ = rows_by_key(table, rule.key)
    listed: dict[str, Split] = {}
    for key, rows in keyed.items():
        names = {row.values[rule.column] for row in rows}
        if len(names) != 1 or not names <= rule.names.keys():
            raise SourceError(
                root.source,
                f"{table.path}: {rule.column} of {key} is {', '.join(sorted(names)) or 'empty'}",
                f"known: {', '.join(rule.names)}; a guess would leak the test set",
            )
        listed[key] = rule.names[names.pop()]
    return listed


def _add_names(
    listed: dict[str, Split], root: Root, path: str, split: Split, column: str | None
) -> None:
    try:
        names = _names_of(root, path, column)
    except (CaseError, UnicodeDecodeError) as error:
        raise SourceError(
            root.source, f"split list {path}: {error}", "get the file again"
        ) from error
    for name in names:
        if name and listed.setdefault(name, split) != split:
            raise SourceError(
                root.source,
                f"{path}: {name!r} is listed for {listed[name]} and for {split}",
                "mend the lists: a guess would leak the test set",
            )


def _names_of(root: Root, path: str, column: str | None) -> list[str]:
    if column is None:
        return [line.strip() for line in root.read(path).decode("utf-8-sig").splitlines()]
    table = parse_table(TableFile(path=path), root.read(path, TABLE_BYTES), root.source, path)
    require_columns(table, [column], root.source)
    return [row.values[column] for row in table.rows]


def assign_splits(cases: Iterable[Case]) -> list[Case]:
    """Give every case its final split, so that no subject stands in two.

    A case whose subject also stands in an official split that goes first (test before
    validation before train) gets the fault ``subject_in_two_splits``.
    """
    cases = list(cases)
    first: dict[str, Split] = {}
    for case in cases:
        split = case.split or digest_split(case.source, case.subject_id)
        if case.fault is None and _ORDER[split] >= _ORDER.get(first.get(case.subject_id), -1):
            first[case.subject_id] = split
    return [_assigned(case, first.get(case.subject_id)) for case in cases]


def _assigned(case: Case, first: Split | None) -> Case:
    split = case.split or digest_split(case.source, case.subject_id)
    if case.fault is None and first is not None and split != first:
        fault = Fault(
            reason="subject_in_two_splits",
            message=f"subject {case.subject_id} of {split} is also in {first}",
        )
        return replace(case, split=split, fault=fault)
    return case if case.split == split else replace(case, split=split)
