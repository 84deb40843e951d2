"""Masks in an array: codes by pixel, and numbers of objects where they are told apart."""

from collections.abc import Iterator

import numpy as np
from scipy import ndimage

from converters.annotations.array_entries import RowEntry, Stored, entries_of_rows, index_arrays
from converters.annotations.contract import Block, Index, Question, Said, absent_terms
from converters.annotations.layers import Layer, layer_findings, mask_layer
from converters.errors import CaseError
from converters.facts import Region
from converters.files import Root
from converters.imaging.array_rows import Array
from converters.records import Case, Entry
from converters.specs.arrays import ArrayMasks


def index(spec: ArrayMasks, block: Block) -> Index:
    """The file of the masks of each array of pictures."""
    return index_arrays(spec, block)


def row_entries(
    spec: ArrayMasks, root: Root, case: Case, entry: Entry, stored: Stored
) -> Iterator[RowEntry]:
    """The mask of each picture, in order."""
    return entries_of_rows(spec, root, case, entry, stored)


def read(spec: ArrayMasks, question: Question) -> Said:
    """What is marked on one picture.

    Raises:
        CaseError: ``shape_mismatch``, ``label_unknown`` or ``labels_contradict``.
    """
    assert isinstance(question.entry, RowEntry)
    layers = _layers(spec, question)
    marked = {layer.label for layer in layers if layer.is_marked}
    return Said(
        findings=layer_findings(layers, question),
        absent=absent_terms(terms_of(spec), marked, is_known=spec.completeness != "partial"),
    )


def _layers(spec: ArrayMasks, question: Question) -> list[Layer]:
    if spec.every_object:
        return _objects(spec, question)
    return _by_channel(spec, question) if spec.by_channel else _coded(spec, question)


def _by_channel(spec: ArrayMasks, question: Question) -> list[Layer]:
    """Objects whose label is that of their channel."""
    assert isinstance(question.entry, RowEntry)
    layers: list[Layer] = []
    for channel, label in spec.by_channel.items():
        objects = _plane(question.entry.row, channel, question)
        codes = np.full(objects.shape, channel)
        labels = {channel: label}
        layers += object_layers(objects, codes, labels, spec.min_area_px, question.path)
    return layers


def _objects(spec: ArrayMasks, question: Question) -> list[Layer]:
    """Objects that all have one label."""
    assert isinstance(question.entry, RowEntry)
    assert spec.every_object
    objects = _plane(question.entry.row, spec.objects, question)
    codes = np.ones_like(objects)
    labels = {1: spec.every_object}
    return object_layers(objects, codes, labels, spec.min_area_px, question.path)


def _coded(spec: ArrayMasks, question: Question) -> list[Layer]:
    """Regions or objects by their codes."""
    assert isinstance(question.entry, RowEntry)
    codes = _plane(question.entry.row, spec.channel, question)
    unknown = sorted(set(np.unique(codes).tolist()) - {*spec.labels, *spec.ignore})
    if unknown:
        raise CaseError("label_unknown", f"{question.path}: {unknown[:8]} are not in the label map")
    if spec.objects is not None:
        objects = _plane(question.entry.row, spec.objects, question)
        return object_layers(objects, codes, spec.labels, spec.min_area_px, question.path)
    return [
        mask_layer(
            codes == code, label, str(code), are_instances=False, min_area_px=spec.min_area_px
        )
        for code, label in spec.labels.items()
    ]


def _plane(row: Array, channel: int | None, question: Question) -> Array:
    values = row if channel is None else row[..., channel] if row.ndim == 3 else row[:0]
    width, height = question.picture.size
    if values.shape != (height, width):
        raise CaseError(
            "shape_mismatch",
            f"{question.path}: a mask of shape {row.shape} for a picture of {width}x{height}",
        )
    return values


def object_layers(
    objects: Array, codes: Array, labels: dict[int, str], min_area_px: int, name: str
) -> list[Layer]:
    """A layer a label with its objects, each of one code, in the order of their numbers.

    Args:
        objects: The number of its object for each pixel; 0 is none.
        codes: The code of each pixel.
        labels: Terms by code; other codes are passed over.
        min_area_px: Smaller objects are left out.
        name: For messages.

    Raises:
        CaseError: ``labels_contradict``, where an object has several codes.
    """
    found: dict[int, list[Region]] = {code: [] for code in labels}
    for number, where in enumerate(ndimage.find_objects(objects.astype(np.int64)), start=1):
        if where is None:
            continue
        mask = objects[where] == number
        held = np.unique(codes[where][mask]).tolist()
        if len(held) != 1:
            raise CaseError("labels_contradict", f"{name}: object {number} has codes {held}")
        if held[0] in found and np.count_nonzero(mask) >= min_area_px:
            region = Region(mask=mask, row=where[0].start, column=where[1].start)
            found[held[0]].append(region)
    return [
        Layer(
            label=labels[code],
            code=str(code),
            regions=tuple(regions),
            are_instances=True,
            is_marked=bool(regions),
        )
        for code, regions in found.items()
    ]


def terms_of(spec: ArrayMasks) -> tuple[str, ...]:
    """Every term that the block can say."""
    if spec.every_object:
        return (spec.every_object,)
    return tuple((spec.by_channel or spec.labels).values())
