"""Twins of 2-D pictures: a smooth scene with a bright disc, other in every image."""

import io
import zlib
from importlib import import_module

import numpy as np
from PIL import Image

from converters.imaging.pictures import is_dicom_name
from converters.pattern import field_names
from tests.fakes import Twin, TwinImage
from tests.fakes.dicom_files import dicom_bytes
from tests.fakes.paths import path_for

FORMATS = {
    "jpg": "JPEG",
    "jpeg": "JPEG",
    "png": "PNG",
    "bmp": "BMP",
    "gif": "GIF",
    "pgm": "PPM",
    "ppm": "PPM",
    "tif": "TIFF",
    "tiff": "TIFF",
}


def write(twin: Twin, count: int) -> None:
    """Write the images; placeholders that a block or the split owns take its values in turn."""
    layout = twin.manifest.layout
    owned = owned_values(layout)
    for number in range(count):
        fields = {name: values[number % len(values)] for name, values in owned.items()}
        path, fields = path_for(layout.images, fields, number)
        width, height = size_for(layout, number)
        tags = {
            name: tag_value(name, keyword, number)
            for name, keyword in getattr(layout, "tags", {}).items()
        }
        fields.update(tags)
        image = TwinImage(
            path=path, fields={"path": path, **fields}, number=number, width=width, height=height
        )
        written = {layout.tags[name]: value for name, value in tags.items()}
        data = picture(path, width, height, number, **written)
        if getattr(layout, "panels", None):
            data = beside_others(path, data, layout.panels)
        if getattr(layout, "hounsfield", None):
            data = hounsfield(layout.hounsfield.offset, width, height, number)
        if getattr(layout, "window", None):
            data = head_slice(width, height, number, **written)
        twin.write(path, data)
        twin.images.append(image)
    assert len({image.path for image in twin.images}) == count, "paths of a twin must differ"


def owned_values(layout) -> dict[str, list[str]]:
    """Placeholders whose values the manifest lists; lengths are made coprime by the caller."""
    owned = {}
    for spec in layout.annotations:
        fields_of = getattr(import_module(f"tests.fakes.{spec.kind}"), "owned_fields", None)
        owned.update(fields_of(spec) if fields_of else {})
    if layout.split.by == "field" and layout.split.field in field_names(layout.images):
        names = list(layout.split.names)
        others = [len(values) for values in owned.values()]
        # Repeat each name as often as the longest list, so that all pairs occur.
        owned[layout.split.field] = [n for n in names for _ in range(max(others, default=1))]
    return owned


def size_for(layout, number: int) -> tuple[int, int]:
    """Width and height of an image: the frame of a box table, or small and not square."""
    for spec in layout.annotations:
        frame = getattr(spec, "frame", None)
        if frame:
            return frame[0], frame[1]
    return 64 + 8 * (number % 3), 48 + 4 * (number % 2)


def hounsfield(offset: int, width: int, height: int, number: int) -> bytes:
    """A PNG of 16 bits: air around a body of soft tissue, stored without the offset."""
    y, x = np.mgrid[0:height, 0:width]
    inside = ((x / width - 0.5) ** 2 + (y / height - 0.5) ** 2) < 0.16
    values = np.where(inside, 20 + (3 * x + 2 * y + number) % 60, -1000) - offset
    out = io.BytesIO()
    Image.fromarray(values.astype(np.uint16)).save(out, format="PNG")
    return out.getvalue()


def tag_value(name: str, keyword: str, number: int) -> str:
    """What a header says: two images share a value, but for what tells files or sides apart."""
    if keyword == "SOPInstanceUID":
        return f"1.2.826.0.1.{number + 1}"
    return "LR"[number % 2] if keyword == "ImageLaterality" else f"{name}{number // 2}"


def picture(path: str, width: int, height: int, number: int, **attributes: str) -> bytes:
    """An encoded picture in the format of the path's suffix; a DICOM file is a radiograph."""
    y, x = np.mgrid[0:height, 0:width]
    grey = (40 + 2 * x + y + 7 * number) % 160
    disc = (x - width * (0.3 + 0.03 * (number % 10))) ** 2 + (y - height / 2) ** 2 < (
        height / 5
    ) ** 2
    grey = np.where(disc, 220 - number % 30, grey).astype(np.uint8)
    if is_dicom_name(path):
        return radiograph(grey, number, **attributes)
    image = Image.fromarray(np.stack([grey, grey // 2 + 20, grey // 3 + 40], axis=-1))
    if path.lower().endswith(".mha"):
        return meta_image(np.moveaxis(np.asarray(image), -1, 0), number)
    if number % 4 == 3 and path.lower().endswith(".png"):
        image = image.convert("RGBA")  # as some sources save a few of their images
    out = io.BytesIO()
    image.save(out, format=FORMATS[path.rsplit(".", 1)[-1].lower()])
    return out.getvalue()


def meta_image(values: np.ndarray, number: int) -> bytes:
    """A MetaImage of one or more planes, every other one packed."""
    sizes = " ".join(str(size) for size in values.shape[::-1])
    pixels = values.astype(np.uint8).tobytes()
    is_packed = number % 2 == 1
    header = (
        f"ObjectType = Image\nNDims = {values.ndim}\nBinaryData = True\n"
        f"BinaryDataByteOrderMSB = False\nCompressedData = {is_packed}\nDimSize = {sizes}\n"
        "ElementType = MET_UCHAR\nElementDataFile = LOCAL\n"
    )
    return header.encode() + (zlib.compress(pixels) if is_packed else pixels)


def beside_others(path: str, data: bytes, panels) -> bytes:
    """The picture as one of several in a file; the others are black until a block fills them."""
    image = Image.open(io.BytesIO(data)).convert("RGB")
    wide = Image.new("RGB", (image.width * panels.count, image.height))
    wide.paste(image, (image.width * panels.shown, 0))
    out = io.BytesIO()
    wide.save(out, format=FORMATS[path.rsplit(".", 1)[-1].lower()])
    return out.getvalue()


def radiograph(grey: np.ndarray, number: int, **attributes: str) -> bytes:
    """A DICOM file that shows those grey levels, written in one of three ways."""
    if number % 3 == 0:
        return dicom_bytes(grey, **attributes)
    deep = grey.astype(np.uint16) * 16
    window = {"WindowCenter": 2048, "WindowWidth": 4096, "BitsStored": 12, "HighBit": 11}
    if number % 3 == 1:
        return dicom_bytes(deep, **window, **attributes)
    inverted = {"PhotometricInterpretation": "MONOCHROME1", **window}
    return dicom_bytes(4095 - deep, **inverted, **attributes)


def head_slice(width: int, height: int, number: int, **attributes: str) -> bytes:
    """A DICOM slice of CT: a round head of brain in bone, with air around it."""
    y, x = np.mgrid[0:height, 0:width]
    radius = np.hypot(x - width / 2, y - height / 2) / (min(width, height) / 2)
    hu = np.where(radius < 0.7, 30 + (x + 2 * y + 3 * number) % 20, 900)
    hu = np.where(radius < 0.8, hu, -1000)
    stored = (hu + 1024).astype(np.uint16)
    scale = {"RescaleSlope": 1, "RescaleIntercept": -1024, "RescaleType": "HU"}
    return dicom_bytes(stored, Modality="CT", **{**scale, **attributes})
