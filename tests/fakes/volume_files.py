"""Files of twins of volumes: canonical values in NIfTI, MetaImage or NRRD, each in its own frame.

Headers are written out by hand, so that what reads them is held against the formats and not
against a library.
"""

import gzip
import io
from itertools import permutations, product

import nibabel as nib
import numpy as np

from tests.fakes import Twin

SPACING = (2.0, 2.0, 3.0)
ORIENTATIONS = [
    np.array(list(zip(axes, signs, strict=True)), dtype=float)
    for axes in permutations(range(3))
    for signs in product((1, -1), repeat=3)
]
_AS_IN_DICOM = 42  # the number of ORIENTATIONS that stores to the left, to the back, to the head
AFFINE = np.array([[2.0, 0, 0, -40], [0, 2.0, 0, -30], [0, 0, 3.0, -20], [0, 0, 0, 1]])
_TO_LPS = np.diag([-1.0, -1.0, 1.0])  # MetaImage and NRRD count to the left and to the back
_META_TYPES = {"uint8": "MET_UCHAR", "int16": "MET_SHORT", "uint16": "MET_USHORT"}
_NRRD_TYPES = {"uint8": "uint8", "int16": "int16", "uint16": "uint16"}


def write_volume(twin: Twin, path: str, values: np.ndarray, number: int) -> None:
    """Write canonical values under a name: its suffix says the format, the number the orientation.

    The voxels of an MHD header go into a file beside it.
    """
    if getattr(twin.manifest.layout, "axes_taken_as", None):
        number = _AS_IN_DICOM
    name = path.lower()
    if name.endswith(".npy"):
        out = io.BytesIO()
        np.save(out, _placed(values, twin.manifest.layout.stored.axes))
        twin.write(path, out.getvalue())
        return
    turned, affine = _turned(values, number)
    if name.endswith(".mhd"):
        raw = path[: -len("mhd")] + "raw"
        twin.write(raw, turned.tobytes(order="F"))
        twin.write(path, _meta_header(turned, affine, raw.rsplit("/", 1)[-1]))
    elif name.endswith(".mha"):
        twin.write(path, _meta_header(turned, affine, "LOCAL") + turned.tobytes(order="F"))
    elif name.endswith(".nhdr"):
        raw = path[: -len("nhdr")] + "raw"
        twin.write(raw, turned.tobytes(order="F"))
        twin.write(path, _nrrd_header(turned, affine, "raw", raw.rsplit("/", 1)[-1]))
    elif name.endswith(".nrrd"):
        twin.write(path, _nrrd(turned, affine, is_packed=number % 2 == 1))
    else:
        data = _nifti(turned, affine)
        twin.write(path, _packed(data) if name.endswith(".gz") else data)


def _placed(values: np.ndarray, axes: str) -> np.ndarray:
    """Canonical values with their axes as the manifest gives them."""
    wanted = nib.orientations.axcodes2ornt(tuple(axes))
    return nib.orientations.apply_orientation(
        values, nib.orientations.ornt_transform(nib.orientations.axcodes2ornt("RAS"), wanted)
    )


def _turned(values: np.ndarray, number: int) -> tuple[np.ndarray, np.ndarray]:
    orientation = ORIENTATIONS[number * 7 % len(ORIENTATIONS)]
    turned = nib.orientations.apply_orientation(values, orientation)
    return turned, AFFINE @ nib.orientations.inv_ornt_aff(orientation, values.shape)


def _nifti(turned: np.ndarray, affine: np.ndarray) -> bytes:
    image = nib.Nifti1Image(np.asfortranarray(turned), affine)
    image.set_sform(affine, 2)
    image.set_qform(affine, 0)
    return image.to_bytes()


def _packed(data: bytes) -> bytes:
    """The same bytes each time: no clock in the header."""
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=1, mtime=0) as packed:
        packed.write(data)
    return out.getvalue()


def _in_lps(affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Steps along the stored axes, a column each, and the place of the first voxel."""
    return _TO_LPS @ affine[:3, :3], _TO_LPS @ affine[:3, 3]


def _numbers(values: np.ndarray) -> str:
    return " ".join(f"{float(value):g}" for value in np.ravel(values))


def _meta_header(turned: np.ndarray, affine: np.ndarray, data_file: str) -> bytes:
    steps, origin = _in_lps(affine)
    spacing = np.linalg.norm(steps, axis=0)
    lines = {
        "ObjectType": "Image",
        "NDims": "3",
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False",
        "CompressedData": "False",
        "TransformMatrix": _numbers((steps / spacing).T),  # one axis after the other
        "Offset": _numbers(origin),
        "CenterOfRotation": "0 0 0",
        "ElementSpacing": _numbers(spacing),
        "DimSize": _numbers(np.array(turned.shape)),
        "ElementType": _META_TYPES[turned.dtype.name],
        "ElementDataFile": data_file,
    }
    return "".join(f"{name} = {value}\n" for name, value in lines.items()).encode("ascii")


def _nrrd(turned: np.ndarray, affine: np.ndarray, *, is_packed: bool) -> bytes:
    voxels = turned.tobytes(order="F")
    header = _nrrd_header(turned, affine, "gzip" if is_packed else "raw", "")
    return header + b"\n" + (_packed(voxels) if is_packed else voxels)


def _nrrd_header(turned: np.ndarray, affine: np.ndarray, encoding: str, data_file: str) -> bytes:
    steps, origin = _in_lps(affine)
    vectors = [",".join(f"{float(value):g}" for value in steps[:, axis]) for axis in range(3)]
    header = [
        "NRRD0004",
        f"type: {_NRRD_TYPES[turned.dtype.name]}",
        "dimension: 3",
        "space: left-posterior-superior",
        f"sizes: {_numbers(np.array(turned.shape))}",
        "space directions: " + " ".join(f"({vector})" for vector in vectors),
        "kinds: domain domain domain",
        "endian: little",
        f"encoding: {encoding}",
        "space origin: (" + ",".join(f"{float(value):g}" for value in origin) + ")",
    ]
    header += [f"data file: {data_file}"] if data_file else []
    return ("\n".join(header) + "\n").encode("ascii")
