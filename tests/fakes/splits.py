"""Twins of official splits: lists of names, or a table, in turn over the images."""

from converters.pattern import fill
from tests.fakes import Twin
from tests.fakes.label_table import key_values, table_bytes
from tests.fakes.paths import path_for


def write_split(twin: Twin) -> None:
    """Write what says the split, where it is a file of its own."""
    rule = twin.manifest.layout.split
    if rule.by == "lists":
        _write_lists(twin)
    elif rule.by == "table":
        _write_table(twin)


def _write_lists(twin: Twin) -> None:
    rule = twin.manifest.layout.split
    splits = list(rule.files)
    names: dict[str, list[str]] = {split: [] for split in splits}
    for image in twin.images:
        split = splits[image.number % len(splits)]
        names[split].append(fill(rule.match, image.fields))
    for split, patterns in rule.files.items():
        path, _ = path_for(patterns[0], {}, 0)
        lines = [rule.column, *names[split]] if rule.column else names[split]
        twin.write(path, "".join(f"{name}\n" for name in lines))


def _write_table(twin: Twin) -> None:
    rule = twin.manifest.layout.split
    names = list(rule.names)
    rows = []
    for image in twin.images:
        values = key_values(rule.key, fill(rule.match, image.fields))
        assert values is not None
        rows.append({**values, rule.column: names[image.number % len(names)]})
    twin.write(path_for(rule.table.path, {}, 0)[0], table_bytes(rule.table, rows))
