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
_OF_SUFFIX = {
    ".nii": "nibabel", ".nii.gz": "nibabel", ".mha": "SimpleITK", ".mhd": "SimpleITK",
    ".h5": "h5py", ".hdf5": "h5py",
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
    kind = manifest.layout.kind
    yield from _OF_LAYOUT.get(kind, ())
    is_matlab_read = False
    for case in cases:
        if case.fault:
            continue
        for path in case.files:
            name = path.lower()
            yield from (package for suffix, package in _OF_SUFFIX.items() if name.endswith(suffix))
            if name.endswith(".mat") and not is_matlab_read:
                is_matlab_read = True  # those of a source are of one version
                yield from ("h5py",) if _is_matlab_73(root, path) else ()
        if kind == "images" and is_dicom_name(case.image):
            yield "pydicom"


def _is_matlab_73(root: Root, path: str) -> bool:
    try:
        with root.path(path).open("rb") as file:
            return file.read(_MATLAB_HEAD).startswith(_MATLAB_73)
    except OSError:
        return False  # said when it is read
