"""Twins of masks: small discs and rectangles in the encoding of the manifest.

Some masks are saved in ways that say the same: grey as RGB, a stray value within the snap.
"""

import io
from collections.abc import Iterator

import numpy as np
from PIL import Image
from scipy import ndimage

from converters.annotations.contract import module_of
from converters.pattern import fill
from converters.specs.masks import Masks
from converters.vocabulary import term, wholes_of
from tests.fakes import Twin, TwinImage
from tests.fakes.images import FORMATS, meta_image
from tests.fakes.paths import path_for


def write(spec: Masks, twin: Twin) -> None:
    """Write the masks of every image and note what must be found."""
    others = (o for o in twin.manifest.layout.annotations if o is not spec)
    elsewhere = {name for o in others for name in module_of(o.kind).terms_of(o)}
    may_be_empty = spec.completeness != "partial" and not elsewhere & set(
        module_of("masks").terms_of(spec)
    )
    for image in twin.images:
        if spec.takes_label and is_all_normal(_said_first(twin, image)):
            continue  # nothing is marked on it
        for more, number, pixels in _WRITERS[spec.codes.encoding](
            spec, twin, image, may_be_empty=may_be_empty
        ):
            if spec.panel:
                _fill_panel(spec, twin, image, pixels)
                continue
            fields = {**image.fields, **more}
            for name, template in (spec.fields or {}).items():
                fields[name] = fill(template, image.fields)
            path, _ = path_for(spec.files, fields, number)
            twin.write(path, encoded(path, pixels, image.number))


def _fill_panel(spec: Masks, twin: Twin, image: TwinImage, pixels: np.ndarray) -> None:
    """Put a mask into its part of the image file."""
    path = twin.folder / image.path
    wide = Image.open(path).convert("RGB")
    wide.paste(Image.fromarray(pixels).convert("RGB"), (image.width * spec.panel.shown, 0))
    wide.save(path)


Written = Iterator[tuple[dict[str, str], int, np.ndarray]]


def _binary(spec: Masks, twin: Twin, image: TwinImage, *, may_be_empty: bool) -> Written:
    mask = _blobs(spec, image, 0, 1)
    if may_be_empty and image.number % 5 == 4:
        mask[:] = False
    elif spec.codes.outline:
        mask &= ~ndimage.binary_erosion(mask, iterations=2)
    _expect(spec, twin, _exact(spec, twin, image, spec.codes.label), mask)
    yield {}, image.number, _grey(mask)


def _exact(spec: Masks, twin: Twin, image: TwinImage, label: str) -> str:
    """The label, or the one that the first block has for the image, where that is a kind of it."""
    said = _said_first(twin, image) if spec.takes_label else ""
    return said if said and label in wholes_of(said) else label


def _said_first(twin: Twin, image: TwinImage) -> str:
    """The label that the first block has for the image."""
    (first, *_) = twin.manifest.layout.annotations
    if first.kind == "folder_label":
        return first.labels[image.fields[first.field]]
    cells, columns = twin.columns[image.path], first.columns[0]
    codes = [cells[columns.column]] if columns.style == "column" else columns.labels
    (said,) = (
        columns.labels[code]
        for code in codes
        if columns.style == "column" or cells[code] in columns.present
    )
    return said


def is_all_normal(name: str) -> bool:
    """Whether a label denies every lesion, and not one of them."""
    return term(name).role == "normal" and not name.startswith("no ")


def _coded(spec: Masks, twin: Twin, image: TwinImage, *, may_be_empty: bool) -> Written:
    codes = spec.codes
    is_color = codes.encoding == "color"
    pixels = np.zeros((image.height, image.width, 3) if is_color else _shape(image), np.uint16)
    pixels[:] = _value(codes.ignore[0]) if codes.ignore else 0
    for place, (code, label) in enumerate(codes.labels.items()):
        mask = _blobs(spec, image, place, len(codes.labels))
        if may_be_empty and (image.number + place) % 4 == 3:
            mask[:] = False
        pixels[mask] = _value(code)
        _expect(spec, twin, _exact(spec, twin, image, label), mask)
    if codes.snap and codes.ignore:
        pixels[0, 0] = pixels[0, 0] + np.where(pixels[0, 0] < 128, 1, -1)
    yield {}, image.number, pixels.astype(np.uint8 if pixels.max() < 256 else np.uint16)


def _per_class(spec: Masks, twin: Twin, image: TwinImage, *, may_be_empty: bool) -> Written:
    for place, (code, label) in enumerate(spec.codes.labels.items()):
        if image.fields.get(spec.codes.field, code) != code:
            continue  # the path of the image says which class it has
        mask = _blobs(spec, image, place, len(spec.codes.labels))
        if may_be_empty and (image.number + place) % 4 == 3:
            mask[:] = False
        _expect(spec, twin, label, mask)
        yield {spec.codes.field: code}, image.number, _grey(mask)


def _per_instance(spec: Masks, twin: Twin, image: TwinImage, *, may_be_empty: bool) -> Written:
    for place in range(1 + image.number % 3):
        twin.expect(spec.codes.label)
        yield {}, image.number * 4 + place, _grey(_blobs(spec, image, place, 4))


def _instances(spec: Masks, twin: Twin, image: TwinImage, *, may_be_empty: bool) -> Written:
    first, depth = (3, np.uint8) if spec.files.endswith(".bmp") else (300, np.uint16)
    pixels = np.zeros(_shape(image), depth)
    if not (may_be_empty and image.number % 5 == 4):
        for number in range(1 + image.number % 3):
            # Neighbours touch: only their numbers tell them apart.
            pixels[10:20, 10 + 8 * number : 18 + 8 * number] = first + number
            twin.expect(spec.codes.label)
    yield {}, image.number, pixels


_WRITERS = {
    "binary": _binary,
    "index": _coded,
    "color": _coded,
    "file_per_class": _per_class,
    "file_per_instance": _per_instance,
    "instances": _instances,
}


def _shape(image: TwinImage) -> tuple[int, int]:
    return image.height, image.width


def _value(code: int | str) -> int | tuple[int, ...]:
    return tuple(bytes.fromhex(code.lstrip("#"))) if isinstance(code, str) else code


def _grey(mask: np.ndarray) -> np.ndarray:
    return np.where(mask, 255, 0).astype(np.uint8)


def _blobs(spec: Masks, image: TwinImage, place: int, places: int) -> np.ndarray:
    """A disc (or two, where components are objects) in one cell of a grid of places."""
    side = int(np.ceil(np.sqrt(places)))
    height, width = image.height / side, image.width / side
    top, left = (place // side) * height, (place % side) * width
    many = 2 if spec.objects == "components" and image.number % 2 else 1
    y, x = np.mgrid[0 : image.height, 0 : image.width] + 0.5
    mask = np.zeros(_shape(image), dtype=bool)
    radius = max(1.5, min(height, width / many) / 2 - 2)
    for part in range(many):
        center = (top + height / 2, left + width * (part + 0.5) / many)
        mask |= (y - center[0]) ** 2 + (x - center[1]) ** 2 < radius**2
    assert np.count_nonzero(mask) >= many * spec.min_area_px, "the blobs of a twin are too small"
    return mask


def _expect(spec: Masks, twin: Twin, label: str, mask: np.ndarray) -> None:
    count = ndimage.label(mask, np.ones((3, 3)))[1]
    if count:
        twin.expect(label, count if spec.objects == "components" else 1)


def encoded(path: str, pixels: np.ndarray, number: int) -> bytes:
    """An encoded mask in the format of the path's suffix; every third PNG as RGB or RGBA."""
    if path.lower().endswith(".mha"):
        return meta_image(pixels, number)
    image = Image.fromarray(pixels)
    if path.lower().endswith(".png") and image.mode == "L" and number % 3:
        image = image.convert("RGB" if number % 3 == 1 else "RGBA")
    out = io.BytesIO()
    image.save(out, format=FORMATS[path.rsplit(".", 1)[-1].lower()])
    return out.getvalue()
