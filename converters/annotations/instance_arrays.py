"""Objects by number in an array of the picture's size, and their kinds by pixel or in a list."""

import numpy as np

from converters.annotations.array_masks import object_layers
from converters.annotations.contract import Block, Index, Question, Said, absent_terms
from converters.annotations.joins import join_files
from converters.annotations.layers import layer_findings
from converters.errors import CaseError
from converters.imaging.array_rows import Array
from converters.imaging.arrays import read_array
from converters.records import Entry, Fault
from converters.specs.instance_arrays import InstanceArrays


def index(spec: InstanceArrays, block: Block) -> Index:
    """Join files with images by the placeholders that both patterns have.

    Raises:
        ManifestError: The patterns have nothing in common.
    """
    joined = join_files(spec.files, {}, block)
    return Index(
        entries={path: Entry(files=files) for path, files in joined.files.items()},
        faults={
            path: Fault(reason="name_duplicate", message=f"arrays {', '.join(files[:3])}")
            for path, files in joined.files.items()
            if len(files) > 1
        },
        orphans=tuple((files[0], "objects without their image") for files in joined.orphans),
    )


def read(spec: InstanceArrays, question: Question) -> Said:
    """Every object of one image.

    Raises:
        CaseError: The file cannot be read, is of another size, or has an object without a code
            or with several.
    """
    objects = _plane(question, spec.objects)
    codes = _codes(spec, question, objects)
    unknown = sorted(set(np.unique(codes[objects > 0]).tolist()) - {*spec.labels, *spec.ignore})
    if unknown:
        raise CaseError("label_unknown", f"{question.path}: {unknown[:8]} are not in the label map")
    layers = object_layers(objects, codes, spec.labels, spec.min_area_px, question.path)
    marked = {layer.label for layer in layers if layer.is_marked}
    return Said(
        findings=layer_findings(layers, question),
        absent=absent_terms(terms_of(spec), marked, is_known=spec.completeness != "partial"),
    )


def _codes(spec: InstanceArrays, question: Question, objects: Array) -> Array:
    """The code of each pixel."""
    if spec.pixel_codes:
        return _plane(question, spec.pixel_codes)
    if not (spec.object_codes and spec.object_ids):
        return np.full(objects.shape, next(iter(spec.labels)))
    ids = np.ravel(_array(question, spec.object_ids))
    kinds = np.ravel(_array(question, spec.object_codes))
    if ids.shape != kinds.shape or len(np.unique(ids)) != len(ids):
        raise CaseError(
            "value_invalid", f"{question.path}: {len(kinds)} codes for {len(ids)} objects"
        )
    missing = sorted(set(np.unique(objects).tolist()) - {0, *ids.tolist()})
    if missing:
        raise CaseError("value_invalid", f"{question.path}: objects {missing[:8]} have no code")
    order = np.argsort(ids)
    places = np.searchsorted(ids, objects, sorter=order)
    found: Array = np.where(objects > 0, kinds[order[np.minimum(places, len(ids) - 1)]], 0)
    return found


def _plane(question: Question, variable: str | None) -> Array:
    values = _array(question, variable)
    width, height = question.picture.size
    if values.shape != (height, width):
        raise CaseError(
            "shape_mismatch",
            f"{question.entry.files[0]}: shape {values.shape} for a picture of {width}x{height}",
        )
    return values


def _array(question: Question, variable: str | None) -> Array:
    """An array of whole numbers."""
    name = question.entry.files[0]
    values = read_array(question.root.checked(name), name, variable)
    whole: Array = np.rint(values).astype(np.int64)
    if not np.array_equal(values, whole):
        raise CaseError("value_invalid", f"{name}: {variable} holds fractions")
    return whole


def terms_of(spec: InstanceArrays) -> tuple[str, ...]:
    """Every term that the block can say."""
    return tuple(spec.labels.values())
