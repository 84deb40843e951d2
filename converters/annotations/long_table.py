"""Tables with one row a label and an image, turned into one row an image."""

from converters.errors import SourceError
from converters.pattern import compile_pattern
from converters.specs.labels import LabelRows
from converters.tables import Row, Table, require_columns


def widened(spec: LabelRows, table: Table, source: str) -> Table:
    """The same table with a column a label.

    A label that an image has no row for becomes an empty cell. Rows that give a label of an
    image two values become two rows, so that they contradict each other.

    Raises:
        SourceError: A column is missing, or a cell does not match the pattern.
    """
    require_columns(table, [spec.column, spec.value], source)
    matches = compile_pattern(spec.pattern).fullmatch
    groups: dict[tuple[tuple[str, str], ...], list[dict[str, str]]] = {}
    numbers: dict[tuple[tuple[str, str], ...], int] = {}
    labels: dict[str, None] = {}
    for row in table.rows:
        found = matches(row.values[spec.column])
        if found is None:
            raise SourceError(
                source,
                f"{table.path}, row {row.number}: {row.values[spec.column][:60]!r} does not match "
                f"{spec.pattern!r}",
                "mend the table, or the pattern in the manifest (rows)",
            )
        fields = found.groupdict()
        label = fields.pop("label")
        labels[label] = None
        key = tuple(fields.items())
        numbers.setdefault(key, row.number)
        _add(groups.setdefault(key, [{}]), label, row.values[spec.value])
    rows = tuple(
        Row(number=numbers[key], values={**dict.fromkeys(labels, ""), **dict(key), **cells})
        for key, made in groups.items()
        for cells in made
    )
    names = dict.fromkeys(name for key in groups for name, _ in key)
    return Table(path=table.path, columns=(*names, *labels), rows=rows)


def _add(made: list[dict[str, str]], label: str, value: str) -> None:
    first = made[0]
    if first.setdefault(label, value) != value and len(made) == 1:
        made.append({**first, label: value})
