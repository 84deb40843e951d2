"""Mask files of one image as layers: a label, and the regions where it is."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import singledispatch
from typing import TypeAlias

import numpy as np
from scipy import ndimage

from converters.annotations.contract import Question
from converters.errors import CaseError
from converters.facts import Mask, Region, components, region_finding, region_of
from converters.imaging.masks import (
    Values,
    color_values,
    fill_outline,
    grey_values,
    read_mask,
    snap_values,
)
from converters.imaging.pictures import Picture
from converters.pattern import compile_pattern
from converters.records import Finding, Json
from converters.specs.masks import (
    Binary,
    ColorCodes,
    FilePerClass,
    FilePerInstance,
    IndexCodes,
    InstanceCodes,
    Masks,
)
from converters.vocabulary import term

Steps: TypeAlias = tuple[Mapping[str, Json], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Layer:
    """Where one label is.

    Attributes:
        label: Canonical term.
        code: How the source writes it.
        regions: Each object, where they are told apart; else at most one region.
        are_instances: Whether a region is one object that can be counted.
        is_marked: Whether any pixel is marked; a speck below the smallest area leaves no
            region, and is marked.
    """

    label: str
    code: str
    regions: tuple[Region, ...]
    are_instances: bool
    is_marked: bool


def read_layers(spec: Masks, question: Question) -> tuple[list[Layer], Steps]:
    """Decode every mask file of an image.

    Returns:
        A layer for each label that the files speak of, marked or not, and what was done to
        the pixels.

    Raises:
        CaseError: A mask is unreadable, of another size, or holds what is no code.
    """
    return _layers(spec.codes, spec, question)


def _masks(spec: Masks, question: Question) -> Iterator[tuple[str, Picture]]:
    for path in question.entry.files:
        yield path, read_mask(question.root, path, question.picture.size, spec.panel)


def _layer(spec: Masks, label: str, code: str, mask: Mask) -> Layer:
    are_instances = spec.objects == "components"
    return mask_layer(mask, label, code, are_instances=are_instances, min_area_px=spec.min_area_px)


def mask_layer(
    mask: Mask, label: str, code: str, *, are_instances: bool, min_area_px: int = 1
) -> Layer:
    """A layer of one mask: one region, or each connected part an object."""
    if are_instances:
        regions = components(mask, min_area_px)
    else:
        region = region_of(mask)
        regions = [region] if region else []
    return Layer(
        label=label,
        code=code,
        regions=tuple(regions),
        are_instances=are_instances,
        is_marked=bool(mask.any()),
    )


def layer_findings(layers: Sequence[Layer], question: Question) -> tuple[Finding, ...]:
    """Each region measured, in the order of the layers."""
    return tuple(_finding(layer, region, question) for layer in layers for region in layer.regions)


def _finding(layer: Layer, region: Region, question: Question) -> Finding:
    found = region_finding(
        region,
        term=term(layer.label),
        code=layer.code,
        size=question.picture.size,
        spacing_mm=question.spacing_mm,
        is_instance=layer.are_instances,
    )
    if layer.are_instances or found.parts == 1:
        return found
    # From one part to another is no diameter of anything.
    return replace(found, longest_diameter_px=None, longest_diameter_mm=None)


@singledispatch
def _layers(codes: object, spec: Masks, question: Question) -> tuple[list[Layer], Steps]:
    raise NotImplementedError(f"masks of {type(codes).__name__}")


@_layers.register
def _binary(codes: Binary, spec: Masks, question: Question) -> tuple[list[Layer], Steps]:
    (path, picture), *_ = _masks(spec, question)
    mask: Mask = grey_values(picture, path) > codes.threshold
    steps: Steps = ()
    if codes.outline:
        mask, added = fill_outline(mask, path)
        steps = ({"step": "fill_outline", "added_px": added},) if added else ()
    return [_layer(spec, codes.label, str(codes.threshold), mask)], steps


@_layers.register
def _index(codes: IndexCodes, spec: Masks, question: Question) -> tuple[list[Layer], Steps]:
    (path, picture), *_ = _masks(spec, question)
    values, moved = snap_values(
        grey_values(picture, path),
        [*codes.labels, *codes.ignore],
        snap=codes.snap,
        name=path,
    )
    layers = [
        _layer(spec, label, str(code), values == code) for code, label in codes.labels.items()
    ]
    return layers, _snapped(codes.snap, moved)


@_layers.register
def _color(codes: ColorCodes, spec: Masks, question: Question) -> tuple[list[Layer], Steps]:
    (path, picture), *_ = _masks(spec, question)
    known = {int(code.removeprefix("#"), 16): code for code in (*codes.labels, *codes.ignore)}
    values, moved = snap_values(
        color_values(picture, path),
        list(known),
        snap=codes.snap,
        name=path,
        is_color=True,
    )
    layers = [
        _layer(spec, codes.labels[code], code, values == value)
        for value, code in known.items()
        if code in codes.labels
    ]
    return layers, _snapped(codes.snap, moved)


def _snapped(snap: int, moved: int) -> Steps:
    return ({"step": "snap_codes", "within": snap, "moved_px": moved},) if moved else ()


@_layers.register
def _per_class(codes: FilePerClass, spec: Masks, question: Question) -> tuple[list[Layer], Steps]:
    match = compile_pattern(spec.files).fullmatch
    masks: dict[str, list[Mask]] = {}
    for path, picture in _masks(spec, question):
        found = match(path)
        code = found[codes.field] if found else ""
        if code in codes.labels:
            masks.setdefault(code, []).append(grey_values(picture, path) > codes.threshold)
    return [
        layer for code, parts in masks.items() for layer in _classed(spec, codes, code, parts)
    ], ()


def _classed(spec: Masks, codes: FilePerClass, code: str, parts: Sequence[Mask]) -> list[Layer]:
    """Files of one class stay apart where components are objects; else they are one region."""
    if spec.objects == "region":
        parts = [np.logical_or.reduce(parts)]
    return [_layer(spec, codes.labels[code], code, part) for part in parts]


@_layers.register
def _per_instance(
    codes: FilePerInstance, spec: Masks, question: Question
) -> tuple[list[Layer], Steps]:
    found: dict[tuple[int, int, tuple[int, ...], bytes], Region] = {}
    for path, picture in _masks(spec, question):
        region = region_of(grey_values(picture, path) > codes.threshold)
        if region is None:
            raise CaseError("box_empty", f"{path} marks no pixel, and should mark an object")
        key = (region.row, region.column, region.mask.shape, region.mask.tobytes())
        found[key] = region
    twice = len(question.entry.files) - len(found)
    steps: Steps = ({"step": "drop_repeated_objects", "objects": twice},) if twice else ()
    layer = Layer(
        label=codes.label,
        code="",
        regions=tuple(found[key] for key in sorted(found)),
        are_instances=True,
        is_marked=True,
    )
    return [layer], steps


@_layers.register
def _instances(codes: InstanceCodes, spec: Masks, question: Question) -> tuple[list[Layer], Steps]:
    (path, picture), *_ = _masks(spec, question)
    regions = _numbered(grey_values(picture, path), path)
    layer = Layer(
        label=codes.label,
        code="",
        regions=tuple(regions),
        are_instances=True,
        is_marked=bool(regions),
    )
    return [layer], ()


def _numbered(values: Values, path: str) -> list[Region]:
    numbers, ranks = np.unique(values, return_inverse=True)
    if numbers[0] < 0:
        raise CaseError("label_unknown", f"{path}: object number {numbers[0]}")
    # Ranks, because numbers may be few and large; 0 stays 0, it is background.
    ranks = ranks.reshape(values.shape) + (numbers[0] != 0)
    regions = []
    for rank, where in enumerate(ndimage.find_objects(ranks), start=1):
        if where is not None:
            regions.append(
                Region(mask=ranks[where] == rank, row=where[0].start, column=where[1].start)
            )
    return regions
