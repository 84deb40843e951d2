"""Sources described from their manifests alone: no file of a source is opened."""

from collections.abc import Iterator

from converters.manifest import Manifest, load_manifest
from converters.pattern import template_names
from converters.specs.annotations import BoxTable
from converters.specs.base import TableFile
from converters.specs.labels import Measurement, OneHotColumns, SingleColumn
from converters.specs.shapes import Points, Recist, Rle, WorldBoxes
from converters.vocabulary import vocabulary


def show(name: str) -> int:
    """Print what a source is, its terms, where to get it, and what is expected on disk."""
    manifest = load_manifest(name).manifest
    for line in _description(manifest):
        print(line)  # noqa: T201 - the output
    return 0


def _description(m: Manifest) -> Iterator[str]:
    levels = vocabulary()["evidence"]
    access = vocabulary()["access"]
    yield f"{m.title}\n{m.summary}\n"
    yield f"homepage    {m.homepage}"
    yield f"cite as     {m.citation or 'not stated'}"
    yield f"licence     {m.license}" + (f": {m.terms}" if m.terms else "")
    yield f"access      {m.access}: {access[m.access]}"
    yield f"get it      {m.obtain}"
    yield f"content     {m.modality}; {', '.join(m.anatomy)}; {', '.join(m.tasks)}; {m.department}"
    yield f"evidence    {m.evidence.level}: {levels[m.evidence.level]}"
    yield from (f"            {reference}" for reference in m.evidence.references)
    yield "\non disk, below the folder given with --root:"
    yield from (f"  {pattern}    {use}" for pattern, use in expected_files(m))
    if m.layout.kind == "series":
        several = "all" if m.layout.if_several == "all" else "one"
        yield f"\nseries of {m.layout.of_each}, {several} of each:"
        yield from (f"  {choice.in_words}" for choice in m.layout.choices)
    tables = list(_tables(m))
    yield from ["\ntables:", *tables] if tables else []
    yield f"\nsubject     {m.layout.subject}"
    yield f"split       {_split(m)}"
    yield from (f"refused     {pattern}: {why}" for pattern, why in m.layout.known_bad.items())
    labels = labels_in(m)
    yield f"\n{len(labels)} labels, as the source writes them and as they are called here:"
    yield from (f"  {code}: {term}" for code, term in labels[:40])
    if len(labels) > 40:
        yield f"  ... and {len(labels) - 40} more"
    if m.gotchas:
        yield "\nto know:"
        yield from (f"  - {gotcha}" for gotcha in m.gotchas)


def expected_files(m: Manifest) -> Iterator[tuple[str, str]]:
    """Patterns of the files on disk, and what each is for; images first."""
    yield m.layout.images, m.layout.kind
    named = getattr(m.layout, "sequences", None)
    yield from ((p, name) for name, p in _patterns(named).items() if p != m.layout.images)
    if m.layout.kind == "volumes" and m.layout.dataset_json:
        yield m.layout.dataset_json, "index of the source"
    if m.layout.kind == "volumes" and m.layout.frames:
        yield m.layout.frames.table.path, "frames that are marked"
    for block in m.layout.annotations:
        content = block.model_dump()
        use = f"{block.kind}, {block.completeness}"
        table = content.get("table") or content.get("tables") or {}
        patterns = content.get("files") or table.get("path") or []
        yield from ((p, use) for p in ([patterns] if isinstance(patterns, str) else patterns))
        written = content.get("written") or {}
        if names_file := content.get("names_file") or written.get("names_file"):
            yield names_file, "names of the codes"
    rule = m.layout.split
    if rule.by == "lists":
        yield from ((p, f"list for {name}") for name, ps in rule.files.items() for p in ps)
    elif rule.by == "table":
        yield rule.table.path, "the official split"


def _patterns(sequences: list[str] | dict[str, str] | None) -> dict[str, str]:
    return sequences if isinstance(sequences, dict) else {}


def tables_of(m: Manifest) -> list[TableFile]:
    """Every table that must be there, each once."""
    held = [
        getattr(block, "table", None)
        for block in m.layout.annotations
        # Without a key, each image has a table of its own.
        if getattr(block, "key", "") is not None
    ]
    held.append(getattr(getattr(m.layout, "frames", None), "table", None))
    found = [table for table in held if table]
    if m.layout.split.by == "table" and m.layout.split.if_absent == "stop":
        found.append(m.layout.split.table)
    return list({table.path: table for table in found}.values())


def _tables(m: Manifest) -> Iterator[str]:
    for block in m.layout.annotations:
        if block.kind == "label_table":
            columns = [name for one in block.columns for name in _columns(one)]
            columns += [*(block.spacing or []), *([block.view.column] if block.view else [])]
        elif isinstance(block, BoxTable | Rle | Points | Recist | WorldBoxes):
            columns = [
                *_shape_columns(block),
                *([block.label_column] if block.label_column else []),
            ]
        else:
            continue
        table, key = block.table, block.key
        if table is None or key is None:  # points that stand in files, one an image
            continue
        names = ", ".join(dict.fromkeys([*template_names(key), *columns]))
        yield f"  {table.path}: joined to images by {key} = {block.match}"
        yield f"    columns read: {names}"
        if table.header:
            skipped = table.skip_rows
            yield f"    the manifest names its columns; rows passed over before: {skipped}"


def _shape_columns(block: BoxTable | Rle | Points | Recist | WorldBoxes) -> list[str]:
    if isinstance(block, BoxTable):
        return list(block.box)
    if isinstance(block, Points):
        return [block.x, block.y]
    if isinstance(block, Recist):
        spacing = [block.spacing] if block.spacing else []
        return [*block.ends, *spacing, *block.fields, *block.leave_out]
    return [*block.center, *block.size] if isinstance(block, WorldBoxes) else [block.column]


def _columns(one: SingleColumn | OneHotColumns | Measurement) -> list[str]:
    return list(one.labels) if isinstance(one, OneHotColumns) else [one.column]


def _split(m: Manifest) -> str:
    rule = m.layout.split
    if rule.by == "field":
        return "official: " + ", ".join(f"{k} is {v}" for k, v in rule.names.items())
    if rule.by == "lists":
        return "official, from lists"
    if rule.by == "table":
        return f"official, from column {rule.column} of {rule.table.path}"
    if rule.by == "number":
        ranges = (f"{name} is {first} to {last}" for name, (first, last) in rule.ranges.items())
        return f"official, by the number {rule.field}: {', '.join(ranges)}"
    return "90/5/5 by a keyed digest of the subject"


def labels_in(m: Manifest) -> list[tuple[str, str]]:
    """Codes and terms, from any block: wherever the schema has a label map."""
    found: dict[str, str] = {}

    def collect(value: object) -> None:
        if isinstance(value, dict):
            if isinstance(value.get("labels"), dict):
                found.update({str(k): v for k, v in value["labels"].items()})
            if isinstance(value.get("label"), str):
                found[str(value.get("column", value["label"]))] = value["label"]
            for inner in value.values():
                collect(inner)
        elif isinstance(value, list):
            for inner in value:
                collect(inner)

    collect([block.model_dump() for block in m.layout.annotations])
    return list(found.items())
