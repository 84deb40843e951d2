"""DICOM files for tests: one image from an array, with whatever attributes a test names."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    generate_uid,
)

from converters.files import Root


def dicom_bytes(
    pixels: np.ndarray | None, *, syntax: str = ExplicitVRLittleEndian, **attributes: Any
) -> bytes:
    """A DICOM file. An attribute of None is left out; a list of dicts becomes a sequence.

    Args:
        pixels: Shape ([frames,] rows, columns [, 3]); None for a file without pixels.
        syntax: Transfer syntax UID; the pixels are not compressed here.
        attributes: By keyword; they go before what the array says.
    """
    dataset = dicom_dataset(pixels, **attributes)
    dataset.file_meta.TransferSyntaxUID = syntax
    out = io.BytesIO()
    dataset.save_as(out, enforce_file_format=True)
    return out.getvalue()


def dicom_dataset(pixels: np.ndarray | None, **attributes: Any) -> Dataset:
    """The data set of such a file, its transfer syntax Explicit VR Little Endian."""
    dataset = Dataset()
    dataset.SOPClassUID = DigitalXRayImageStorageForPresentation
    dataset.SOPInstanceUID = generate_uid(entropy_srcs=[str(sorted(attributes))])
    dataset.Modality = "DX"
    if pixels is not None:
        _describe(dataset, pixels)
    for keyword, value in attributes.items():
        _set(dataset, keyword, value)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.get("SOPClassUID", "1.2.3")
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    return dataset


def _describe(dataset: Dataset, pixels: np.ndarray) -> None:
    is_color = pixels.ndim >= 3 and pixels.shape[-1] == 3
    shape = pixels.shape[:-1] if is_color else pixels.shape
    if len(shape) == 3:
        dataset.NumberOfFrames = shape[0]
    dataset.Rows, dataset.Columns = shape[-2:]
    dataset.SamplesPerPixel = 3 if is_color else 1
    if is_color:
        dataset.PlanarConfiguration = 0
    dataset.PhotometricInterpretation = "RGB" if is_color else "MONOCHROME2"
    bits = 8 * pixels.dtype.itemsize
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = bits, bits, bits - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    data = np.ascontiguousarray(pixels).tobytes()
    dataset.PixelData = data + b"\0" * (len(data) % 2)
    dataset["PixelData"].VR = "OB" if bits == 8 else "OW"


def _set(dataset: Dataset, keyword: str, value: Any) -> None:
    if value is None:
        if keyword in dataset:
            delattr(dataset, keyword)
        return
    if isinstance(value, list) and value and isinstance(value[0], dict):
        items = []
        for entries in value:
            item = Dataset()
            for inner, one in entries.items():
                _set(item, inner, one)
            items.append(item)
        value = items
    setattr(dataset, keyword, value)


def rooted(folder: Path, data: bytes, name: str = "image.dcm") -> Root:
    """A root with that one file in it."""
    (folder / name).write_bytes(data)
    return Root(source="test", folder=folder.resolve())
