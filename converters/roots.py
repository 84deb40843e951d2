"""Where the files of a source are: the folder given, $GMAI_DATA, or an installed package."""

import os
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from converters.errors import SourceError
from converters.files import Root, locate_root
from converters.manifest import Manifest


def find_root(
    manifest: Manifest, given: Path | None, environ: Mapping[str, str]
) -> tuple[Root, list[str]]:
    """Find the root of a source.

    Args:
        manifest: The source.
        given: What the user named with --root, or None.
        environ: Where GMAI_DATA may name a folder with one folder a source.

    Returns:
        The root, and what a user should be told of it.

    Raises:
        SourceError: No folder is named, or the files are not in it.
    """
    folder, notes = _folder(manifest, given, environ)
    root, note = locate_root(manifest, folder)
    return root, [*notes, note] if note else notes


def _folder(
    manifest: Manifest, given: Path | None, environ: Mapping[str, str]
) -> tuple[Path, list[str]]:
    if given is not None:
        return given, []
    data = os.path.expanduser(environ.get("GMAI_DATA", ""))  # noqa: PTH111 - never fails
    if data and os.path.isdir(f"{data}/{manifest.name}"):  # noqa: PTH112 - never fails
        folder = Path(data) / manifest.name
        return folder, [f"taken from {folder}"]
    if manifest.package is not None:
        return _package_folder(manifest), [
            f"taken from the package {manifest.package.distribution}"
        ]
    where = f"{data}/{manifest.name} is not there" if data else "GMAI_DATA is not set"
    raise SourceError(
        manifest.name,
        f"no folder is named, and {where}",
        f"name the downloaded folder with --root; gmai-sources show {manifest.name} "
        "says where to get it",
    )


def _package_folder(manifest: Manifest) -> Path:
    """The folder of an installed package; the package itself is not imported."""
    package = manifest.package
    assert package is not None
    spec = find_spec(package.module)
    if spec is None or not spec.submodule_search_locations:
        raise SourceError(
            manifest.name,
            f"its files come with the package {package.distribution}, which is not installed",
            f"{Path(sys.executable).name} -m pip install {package.distribution}",
        )
    return Path(next(iter(spec.submodule_search_locations))) / package.folder
