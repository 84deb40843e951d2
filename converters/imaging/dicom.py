"""DICOM instances: their headers, and their pixels with the modality LUT applied once."""

import pydicom

from converters.files import Root
from converters.imaging.dicom_file import open_dataset


def read_header(root: Root, relative: str) -> pydicom.FileDataset:
    """Read the attributes of a DICOM file; its pixels stay on disk.

    Values are converted when they are asked for and may be broken: read them with
    :mod:`converters.imaging.dicom_tags`.

    Raises:
        CaseError: ``file_unreadable`` or ``file_too_large``, or what
            :meth:`converters.files.Root.checked` raises.
        SourceError: The disk did not give the file; running again may help.
    """
    return open_dataset(root, relative, with_pixels=False)
