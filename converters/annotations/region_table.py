"""Tables with a row a region, whose mask lies among crops: the pixels tell which file it is."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from converters.annotations.contract import Block, Index, Question, Said
from converters.annotations.joins import keys_of_images
from converters.annotations.table_rows import cells_of
from converters.errors import CaseError, SourceError
from converters.facts import region_finding, region_of
from converters.imaging.dicom import read_pixels
from converters.imaging.masks import grey_values
from converters.imaging.pictures import decode_picture, is_dicom_name
from converters.pattern import compile_pattern, field_names, fill, match_paths, template_names
from converters.records import Entry, Fault, Finding, Json
from converters.specs.region_table import RegionTable
from converters.tables import Table, read_table, require_columns
from converters.vocabulary import term

_CODE, _FILES, _VIEW, _SIDE = "code", "files", "view", "side"
_SEPARATOR = "\n"  # between paths: no listed path holds one


@dataclass(frozen=True, kw_only=True, slots=True)
class _Row:
    """A region as the table has it: where it stands, its picture, and what is said of it."""

    where: str
    image: str
    said: Mapping[str, str]


def index(spec: RegionTable, block: Block) -> Index:
    """The regions of each picture, each with the files that may be its mask.

    Raises:
        SourceError: A table cannot be read, lacks a column, or holds an unknown code.
    """
    files = _files_by_region(spec, block)
    rows = [
        _row(spec, cells.values, f"{table.path}, row {cells.number}", files)
        for table in _tables(spec, block)
        for cells in table.rows
    ]
    by_image: dict[str, list[_Row]] = {}
    for row in rows:
        by_image.setdefault(row.image, []).append(row)
    entries: dict[str, Entry] = {}
    keys, faults = keys_of_images(spec.match, by_image, block)
    used = set(keys.values())
    for image, name in keys.items():
        entries[image] = _entry(by_image[name])
        fault = _fault(by_image[name])
        if fault:
            faults[image] = fault
    orphans = tuple(
        (f"{found[0].where}: {name or 'no path of a picture'}", f"{len(found)} regions")
        for name, found in by_image.items()
        if name not in used
    )
    return Index(entries=entries, faults=faults, orphans=orphans)


def _tables(spec: RegionTable, block: Block) -> Iterable[Table]:
    needed = [spec.image_column, *spec.region_columns, *template_names(spec.label)]
    needed += [name for name in (spec.view_column, spec.side_column) if name]
    for one in spec.tables:
        table = read_table(one, block.root, block.listing)
        require_columns(table, needed, block.source)
        for row in table.rows:
            empty = [name for name in template_names(spec.label) if not row.values[name]]
            code = "" if empty else fill(spec.label, row.values)
            if code not in spec.labels:
                what = f"no {empty[0]!r}" if empty else f"{code[:60]!r} is not known"
                raise SourceError(
                    block.source,
                    f"{table.path}, row {row.number}: {what}",
                    f"add it to the manifest, or mend the table; known: {', '.join(spec.labels)}",
                )
        yield table


def _shared(spec: RegionTable) -> list[str]:
    """Placeholders by which the cell of a region and its files belong together."""
    return [name for name in field_names(spec.files) if name in field_names(spec.cell)]


def _files_by_region(spec: RegionTable, block: Block) -> dict[tuple[str, ...], list[str]]:
    found: dict[tuple[str, ...], list[str]] = {}
    for path, fields in match_paths(spec.files, block.listing.paths):
        found.setdefault(tuple(fields[name] for name in _shared(spec)), []).append(path)
    return found


def _row(
    spec: RegionTable,
    cells: Mapping[str, str],
    where: str,
    files: Mapping[tuple[str, ...], list[str]],
) -> _Row:
    pattern = compile_pattern(spec.cell)
    of_image = pattern.fullmatch(cells[spec.image_column])
    regions = [found for name in spec.region_columns if (found := pattern.fullmatch(cells[name]))]
    keys = dict.fromkeys(tuple(found[name] for name in _shared(spec)) for found in regions)
    said = {
        _CODE: fill(spec.label, cells),
        _FILES: _SEPARATOR.join(path for key in keys for path in files.get(key, ())),
        _VIEW: cells[spec.view_column] if spec.view_column else "",
        _SIDE: cells[spec.side_column] if spec.side_column else "",
    }
    image = fill(spec.image, of_image.groupdict()) if of_image else ""
    return _Row(where=where, image=image, said=said)


def _entry(rows: list[_Row]) -> Entry:
    paths = [path for row in rows for path in row.said[_FILES].split(_SEPARATOR) if path]
    return Entry(
        files=tuple(dict.fromkeys(paths)),
        table=rows[0].where.rpartition(", row ")[0],
        values=[dict(row.said) for row in rows],
        labels=tuple(sorted(" ".join(row.said.values()) for row in rows)),
    )


def _fault(rows: list[_Row]) -> Fault | None:
    """Why the regions of a picture cannot be told apart or found, where that is known by names."""
    first: dict[str, str] = {}
    for row in rows:
        if not row.said[_FILES]:
            return Fault(reason="annotation_missing", message=f"{row.where}: no file of its region")
        for path in row.said[_FILES].split(_SEPARATOR):
            if first.setdefault(path, row.where) != row.where:
                message = f"{path} belongs to {first[path]} and to {row.where}"
                return Fault(reason="name_duplicate", message=message)
    return None


def read(spec: RegionTable, question: Question) -> Said:
    """Every region as an object with its measures.

    Raises:
        CaseError: ``shape_mismatch``, where no file of a region is a mask of the picture's size;
            ``labels_contradict``, where several are, or rows differ in view; or what reading a
            file raises.
    """
    rows = cells_of(question.entry)
    views = {row[_VIEW] for row in rows}
    if len(views) > 1:
        raise CaseError("labels_contradict", f"{question.path} is said to be {sorted(views)}")
    findings = []
    steps: list[dict[str, Json]] = []
    for row in rows:
        path, mask = _mask_of(row[_FILES].split(_SEPARATOR), question)
        findings.append(_finding(spec, row, mask, path, question))
        steps.append({"step": "mask_by_pixels", "file": path})
    return Said(findings=tuple(findings), view=views.pop(), transforms=tuple(steps))


def _finding(
    spec: RegionTable,
    row: Mapping[str, str],
    mask: npt.NDArray[np.bool_],
    path: str,
    question: Question,
) -> Finding:
    region = region_of(mask)
    if region is None:
        raise CaseError("box_empty", f"{path} marks nothing")
    if row[_SIDE] and row[_SIDE] not in spec.sides:
        raise CaseError("value_invalid", f"{question.path}: side {row[_SIDE][:40]!r} is not known")
    found = region_finding(
        region,
        term=term(spec.labels[row[_CODE]]),
        code=row[_CODE],
        size=question.picture.size,
        spacing_mm=question.spacing_mm,
        is_instance=True,
    )
    return replace(found, side=found.side or spec.sides.get(row[_SIDE]))


def _mask_of(paths: list[str], question: Question) -> tuple[str, npt.NDArray[np.bool_]]:
    """The one file that is a mask of the picture."""
    width, height = question.picture.size
    masks: list[tuple[str, npt.NDArray[np.bool_]]] = []
    seen: list[str] = []
    for path in paths:
        values = _values(question, path)
        low, high = values.min(), values.max()
        is_two_valued = bool(np.all((values == low) | (values == high)))
        if is_two_valued and values.shape == (height, width):
            # A mask of one value marks nothing, unless the value itself is told.
            masks.append((path, np.asarray((values == high) & (high > low))))
        kind = "two values" if is_two_valued else "more than two values"
        seen.append(f"{path} has {values.shape[1]}x{values.shape[0]} pixels of {kind}")
    if len(masks) == 1:
        return masks[0]
    raise CaseError(
        "labels_contradict" if masks else "shape_mismatch",
        f"{len(masks)} files are a mask of {width}x{height} pixels: {'; '.join(seen)}",
    )


def _values(question: Question, path: str) -> npt.NDArray[np.generic]:
    if is_dicom_name(path):
        return read_pixels(question.root, path).values
    return grey_values(decode_picture(question.root.read(path), path), path)


def terms_of(spec: RegionTable) -> tuple[str, ...]:
    """Every term that the block can say."""
    return tuple(dict.fromkeys(spec.labels.values()))
