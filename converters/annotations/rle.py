"""A table with run-length codes of masks."""

from collections.abc import Mapping

import numpy as np

from converters.annotations.contract import Block, Index, Question, Said, absent_terms
from converters.annotations.layers import Layer, layer_findings, mask_layer
from converters.annotations.table_rows import Coded, cells_of, index_rows, rows_entry
from converters.errors import CaseError
from converters.facts import Mask, Region, region_of
from converters.imaging.runs import decode_runs
from converters.specs.shapes import Rle


def index(spec: Rle, block: Block) -> Index:
    """Join rows with images by `key` and `match`; an image may have many rows.

    Raises:
        SourceError: The table is not readable, lacks a column, or holds an unknown code.
    """
    names = [*([spec.label_column] if spec.label_column else []), spec.column]
    return index_rows(
        spec.table,
        block,
        key=spec.key,
        match=spec.match,
        columns=[spec.column],
        coded=_coded(spec),
        entry=lambda path, rows: rows_entry(path, rows, names),
        noun="masks",
    )


def _coded(spec: Rle) -> Coded:
    return Coded(column=spec.label_column, labels=spec.labels, ignore=spec.ignore)


def read(spec: Rle, question: Question) -> Said:
    """Findings from the masks of one image, and which labels are surely not there.

    Raises:
        CaseError: ``size_unexpected``; a code cannot be read or does not fit the picture; a label
            has a mask and is said not to be there.
    """
    size = question.picture.size
    if spec.frame and tuple(spec.frame) != size:
        raise CaseError(
            "size_unexpected",
            f"{question.path} has {size[0]}x{size[1]} pixels, its masks are for "
            f"{spec.frame[0]}x{spec.frame[1]}",
        )
    masks = _masks(spec, question)
    layers = [
        layer for code, found in masks.items() if found for layer in _layers(spec, code, found)
    ]
    marked = {layer.label for layer in layers}
    asked = {spec.labels[code] for code in masks}
    if spec.if_missing == "absent":
        asked.update(terms_of(spec))
    return Said(
        findings=layer_findings(layers, question),
        absent=absent_terms(asked, marked, is_known=spec.completeness != "partial"),
    )


def _masks(spec: Rle, question: Question) -> Mapping[str, list[Mask]]:
    """By code: its masks in the order of rows; none where the table says that it has none."""
    coded = _coded(spec)
    found: dict[str, list[Mask]] = {}
    denied: set[str] = set()
    for at, row in enumerate(cells_of(question.entry), start=1):
        code = coded.code_of(row)
        if code not in spec.labels:
            continue
        masks = found.setdefault(code, [])
        if row[spec.column] in spec.no_mask:
            denied.add(code)
            continue
        where = f"{question.entry.table}: mask {at} of {question.path}"
        masks.append(
            decode_runs(
                row[spec.column],
                question.picture.size,
                starts=spec.starts,
                order=spec.order,
                where=where,
            )
        )
    both = sorted(code for code in denied if found[code])
    if both:
        raise CaseError("labels_contradict", f"{question.path}: {both[0]} with and without a mask")
    return found


def _layers(spec: Rle, code: str, masks: list[Mask]) -> list[Layer]:
    label = spec.labels[code]
    if spec.objects != "rows":
        mask = np.logical_or.reduce(masks)
        are_instances = spec.objects == "components"
        return [
            mask_layer(mask, label, code, are_instances=are_instances, min_area_px=spec.min_area_px)
        ]
    regions = [region for mask in masks if (region := region_of(mask))]
    return [
        Layer(
            label=label,
            code=code,
            regions=tuple({_place(region): region for region in regions}.values()),
            are_instances=True,
            is_marked=True,
        )
    ]


def _place(region: Region) -> tuple[int, int, tuple[int, ...], bytes]:
    """What two rows with the same mask share: they are one object."""
    return region.row, region.column, region.mask.shape, region.mask.tobytes()


def terms_of(spec: Rle) -> tuple[str, ...]:
    """Every term that the block can say."""
    return tuple(dict.fromkeys(spec.labels.values()))
