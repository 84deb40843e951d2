"""Twins of label tables: one row an image, labels in turn, the first row written twice."""

import csv
import io
import json
import re

from converters.annotations.contract import module_of
from converters.pattern import field_names, fill, template_names
from converters.specs.base import TableFile
from converters.specs.labels import LabelRows, LabelTable
from converters.specs.own_texts import OwnTexts
from converters.specs.readers import Readers
from converters.vocabulary import term
from tests.fakes import Twin, TwinImage
from tests.fakes.paths import path_for

_FIELD = re.compile(r"\{([^{}]+)\}")


def write(spec: LabelTable, twin: Twin) -> None:
    """Write the table; what other blocks say of the same labels is left to them."""
    elsewhere = {
        name
        for other in twin.manifest.layout.annotations
        if other is not spec
        for name in module_of(other.kind).terms_of(other)
    }
    rows = []
    for image in twin.images:
        values = key_values(spec.key, fill(spec.match, image.fields))
        if values is None or not is_of_part(spec, twin, image):
            continue  # another table serves this image
        values.update(_needed_columns(spec, twin, image))
        for columns in spec.columns:
            values.update(_label_cells(columns, twin, image.number, elsewhere))
        twin.columns.setdefault(image.path, {}).update(values)
        rows += by_reader(spec.readers, values) if not spec.rows else by_label(spec.rows, values)
    twin.write(path_for(spec.table.path, {}, 0)[0], table_bytes(spec.table, [rows[0], *rows]))


def is_of_part(spec: LabelTable | OwnTexts, twin: Twin, image: TwinImage) -> bool:
    """Whether a table of one official part names the image: each part does in turn."""
    rule = twin.manifest.layout.split
    if rule.by != "field" or rule.field not in spec.says:
        return True
    names = list(rule.names)
    return names[image.number % len(names)] == spec.says[rule.field]


def by_label(form: LabelRows, row: dict[str, str]) -> list[dict[str, str]]:
    """A row as one row a label: each cell that the pattern does not name is a label's."""
    named = {name: cell for name, cell in row.items() if name in field_names(form.pattern)}
    return [
        {form.column: path_for(form.pattern, {**named, "label": label}, 0)[0], form.value: cell}
        for label, cell in row.items()
        if label not in named
    ]


def by_reader(readers: Readers | None, row: dict[str, str]) -> list[dict[str, str]]:
    """The row as each of the readers writes it; as it is where there is one."""
    if readers is None:
        return [row]
    return [{**row, readers.column: f"R{number + 1}"} for number in range(readers.count)]


def key_values(template: str, key: str) -> dict[str, str] | None:
    """Column values that give a key when put into the template; None where none can."""
    names = template_names(template)
    parts = _FIELD.split(template)
    regex = "".join("(.+)" if at % 2 else re.escape(part) for at, part in enumerate(parts))
    found = re.fullmatch(regex, key)
    return dict(zip(names, found.groups(), strict=True)) if found else None


def _needed_columns(spec: LabelTable, twin: Twin, image: TwinImage) -> dict[str, str]:
    layout = twin.manifest.layout
    cells = {
        name: f"{image.number + 1}"
        for name in template_names(layout.subject)
        if name not in image.fields
    }
    known = {*image.fields, *spec.says}
    if layout.split.by == "field" and layout.split.field not in known:
        names = list(layout.split.names)
        cells[layout.split.field] = names[image.number % len(names)]
    cells.update(dict.fromkeys(spec.spacing or (), "0.25"))
    if spec.view:
        codes = list(spec.view.names)
        cells[spec.view.column] = codes[image.number % len(codes)]
    return cells


def _label_cells(columns, twin: Twin, number: int, elsewhere: set[str]) -> dict[str, str]:
    if columns.style == "measurement":
        if columns.label not in elsewhere:
            twin.expect(columns.label)
        return {columns.column: f"{number + 1}.5"}
    usable = [
        code
        for code, label in columns.labels.items()
        # "Nothing found" would contradict what another block marks.
        if not (term(label).role == "normal" and elsewhere & set(columns.labels.values()))
    ]
    chosen = _chosen(columns, usable, number)
    for code in chosen:
        twin.expect(columns.labels[code])
    if columns.style == "column":
        cell = str(chosen) if columns.literal else (columns.separator or "").join(chosen)
        return {columns.column: cell}
    return {
        code: columns.present[0] if code in chosen else columns.absent[0] for code in columns.labels
    }


def _chosen(columns, usable: list[str], number: int) -> list[str]:
    first = usable[number % len(usable)]
    second = usable[(number + 1) % len(usable)]
    many = columns.style == "one_hot" or columns.separator or columns.literal
    distinct = columns.labels[first] != columns.labels[second]
    normal = "normal" in (
        term(columns.labels[first]).role,
        term(columns.labels[second]).role,
    )
    if many and distinct and not columns.exclusive and not normal and number % 2:
        return [first, second]
    return [first]


def table_bytes(spec: TableFile, rows: list[dict[str, str]]) -> bytes:
    """A table as its spec describes it: skipped rows, header or none, delimiter, encoding."""
    rows = _with_left_out(spec, rows)
    names = spec.header or list(dict.fromkeys(name for row in rows for name in row))
    lines = [["broken", "header"]] * spec.skip_rows
    if spec.header is None:
        lines.append(names)
    lines += [[row.get(name, "") for name in names] for row in rows]
    if spec.path.endswith(".xlsx"):
        return _workbook(spec, lines)
    if spec.path.endswith(".jsonl"):
        return "".join(json.dumps(_object(spec, row)) + "\n" for row in rows).encode()
    if spec.path.endswith(".json"):
        found = [_object(spec, row) for row in rows]
        if spec.named:
            found = [{one.pop(spec.named): one} for one in found]
        lists: dict[str, list[object]] = {}
        for one in found:
            key = str(one.pop("list", "train")) if spec.within == "*" else spec.within or ""
            lists.setdefault(key, []).append(one)
        return json.dumps(lists if spec.within else found).encode()
    if spec.lines:
        lines_of = [path_for(spec.lines, row, at)[0] for at, row in enumerate(rows)]
        return "".join(f"{line}\n" for line in lines_of).encode(spec.encoding)
    out = io.StringIO(newline="")
    delimiter = "\t" if spec.path.endswith(".tsv") else spec.delimiter
    quoting = csv.QUOTE_MINIMAL if spec.quoted else csv.QUOTE_NONE
    csv.writer(out, delimiter=delimiter, quoting=quoting).writerows(lines)
    return out.getvalue().encode(spec.encoding)


def _with_left_out(spec: TableFile, rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """The rows with what makes them count, then the first one as others that do not."""
    chosen = {name: cells[0] for name, cells in spec.only.items()}
    chosen.update(dict.fromkeys(spec.leave_out, ""))
    counted = [{**chosen, **row} for row in rows]
    others = dict.fromkeys(spec.only, "otherwise")
    others.update((name, cells[0]) for name, cells in spec.leave_out.items())
    return counted + [{**counted[0], name: cell} for name, cell in others.items()]


def _object(spec: TableFile, row: dict[str, str]) -> dict[str, object]:
    """The object of a row: values by their paths, numbers as numbers, lists of one item."""
    found: dict[str, object] = {key: [] for key in spec.explode}
    for name, cell in row.items():
        key, *path = name.split(".")
        if key in spec.explode:
            items = found[key]
            items[:] = [_put(items[0] if items else None, path, cell)]
        else:
            found[key] = _put(found.get(key), path, cell)
    return found


def _put(there: object, path: list[str], cell: str) -> object:
    """What is there with a cell at the end of a path: lists by number, objects by name."""
    if not path:
        is_number = re.fullmatch(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?", cell)
        return json.loads(cell) if is_number else cell
    first, *rest = path
    if first.isdigit():
        items = there if isinstance(there, list) else []
        return [*items, _put(None, rest, cell)]
    inner = dict(there) if isinstance(there, dict) else {}
    inner[first] = _put(inner.get(first), rest, cell)
    return inner


def _workbook(spec: TableFile, lines: list[list[str]]) -> bytes:
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = spec.sheet or "Sheet1"
    for line in lines:
        sheet.append(line)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()
