"""Which optional packages the files of a source are read with: asked for when cases are listed.

A reader is imported when the first file of its kind is opened, so that a source could be listed,
and a dry run made, without one. That it is missing is said at once, and not hours into a build.
"""

from collections.abc import Iterable, Iterator
from importlib.util import find_spec

from converters.files import Root
from converters.imaging.pictures import is_dicom_name
from converters.manifest import Manifest
from converters.records import Case

_OF_LAYOUT = {
    "volumes": ("nibabel",),  # the orientation of axes, whatever the files
    "series": ("nibabel", "pydicom"),
    "videos": ("av",),
    "slides": ("openslide",),
}
_OF_ENDING = {
    ".nii": "nibabel", ".mha": "SimpleITK", ".mhd": "SimpleITK", ".h5": "h5py", ".hdf5": "h5py",
}  # fmt: skip
_MATLAB_HEAD = 128
_MATLAB_73 = b"MATLAB 7.3"


def require_readers(manifest: Manifest, root: Root, cases: Iterable[Case]) -> None:
    """Refuse a source whose files need a package that is not installed.

    Raises:
        ModuleNotFoundError: As the import of the package would, when its first file is read.
    """
    for package in dict.fromkeys(_packages(manifest, root, cases)):
        if find_spec(package) is None:
            raise ModuleNotFoundError(f"No module named {package!r}", name=package)


def _packages(manifest: Manifest, root: Root, cases: Iterable[Case]) -> Iterator[str]:
    """By one file of each ending: a source may have millions of files."""
    kind = manifest.layout.kind
    yield from _OF_LAYOUT.get(kind, ())
    images: dict[str, str] = {}
    files: dict[str, str] = {}
    for case in cases:
        if case.fault is None:
            images.setdefault(_ending(case.image), case.image)
            files.update((_ending(path), path) for path in case.files)
    for ending, path in files.items():
        if ending in _OF_ENDING:
            yield _OF_ENDING[ending]
        elif ending == ".gz" and path.lower().endswith(".nii.gz"):
            yield "nibabel"
        elif ending == ".mat" and _is_matlab_73(root, path):
            yield "h5py"
    if kind == "images" and any(map(is_dicom_name, images.values())):
        yield "pydicom"


def _ending(path: str) -> str:
    return path[path.rfind(".") :].lower() if "." in path else ""


def _is_matlab_73(root: Root, path: str) -> bool:
    try:
        with root.path(path).open("rb") as file:
            return file.read(_MATLAB_HEAD).startswith(_MATLAB_73)
    except OSError:
        return False  # said when it is read
