"""The files of a source on disk: listed once, opened safely.

Every path in a record is relative to the root of the source, with ``/`` between its parts.
Only files found by :meth:`Root.listing` are ever opened: a name that a table or an
annotation gives is looked up there, so that it cannot lead anywhere else.
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from converters.errors import CaseError, SourceError
from converters.manifest import Manifest
from converters.pattern import compile_pattern

_SKIPPED_FOLDERS = {"__MACOSX", "@eaDir"}
_LFS_POINTER = b"version https://git-lfs.github.com/spec/"
PICTURE_BYTES = 512 << 20
VOLUME_BYTES = 16 << 30


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """Names of the files below a root.

    Attributes:
        paths: Relative paths, sorted; names starting with a dot are left out.
        outside: Symbolic links that lead out of the root; they are not followed.
        undecodable: Names that are not valid UTF-8, with the bytes escaped.
    """

    paths: tuple[str, ...]
    outside: tuple[str, ...]
    undecodable: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Root:
    """The folder that holds a source.

    Attributes:
        source: Name of the manifest, for messages.
        folder: An existing folder, resolved.
        prefix: Put before every name found on disk; "Top/" where the archive's top folder
            was left out when it was unpacked.
    """

    source: str
    folder: Path
    prefix: str = ""

    def listing(self) -> Listing:
        """Walk the folder once. Links to folders are not followed."""
        paths: list[str] = []
        outside: list[str] = []
        undecodable: list[str] = []
        for path, leads_out in _walk(self.folder):
            try:
                path.encode("utf-8")
            except UnicodeEncodeError:
                undecodable.append(os.fsencode(path).decode("utf-8", "backslashreplace"))
                continue
            (outside if leads_out else paths).append(self.prefix + path)
        return Listing(
            paths=tuple(sorted(paths)),
            outside=tuple(sorted(outside)),
            undecodable=tuple(sorted(undecodable)),
        )

    def path(self, relative: str) -> Path:
        """Where a listed file lies on disk.

        Raises:
            CaseError: ``link_outside_root``, where the file leads out of the root.
        """
        inside = relative.removeprefix(self.prefix)
        if inside.startswith("/") or ".." in inside.split("/"):
            raise CaseError("link_outside_root", f"{relative!r} leads out of the root")
        full = self.folder / inside
        if full.is_symlink() and not full.resolve().is_relative_to(self.folder):
            raise CaseError("link_outside_root", f"{relative!r} is a link out of the root")
        return full

    def read(self, relative: str, limit_bytes: int = PICTURE_BYTES) -> bytes:
        """Read a whole file.

        Raises:
            CaseError: The file is empty, a git-LFS pointer, not a plain file, or larger than
                `limit_bytes`.
            SourceError: The disk did not give it; running again may help.
        """
        path = self.checked(relative, limit_bytes)
        try:
            return path.read_bytes()
        except OSError as error:
            raise self.unreadable(relative, error) from error

    def checked(self, relative: str, limit_bytes: int = VOLUME_BYTES) -> Path:
        """The path of a file that is plain, not empty, not a pointer and not too large.

        Raises:
            CaseError: It is not.
            SourceError: The disk did not give it.
        """
        path = self.path(relative)
        try:
            status = path.stat()
            if not stat.S_ISREG(status.st_mode):
                raise CaseError("file_unreadable", f"{relative} is not a plain file")
            if status.st_size == 0:
                raise CaseError("file_empty", f"{relative} has 0 bytes")
            if status.st_size > limit_bytes:
                raise CaseError(
                    "file_too_large", f"{relative} has {status.st_size:,} bytes of {limit_bytes:,}"
                )
            if status.st_size < 1024 and path.read_bytes().startswith(_LFS_POINTER):
                raise CaseError(
                    "file_pointer", f"{relative} is a git-LFS pointer; run git lfs pull"
                )
        except OSError as error:
            raise self.unreadable(relative, error) from error
        return path

    def unreadable(self, relative: str, error: OSError) -> SourceError:
        """The error for a file that the disk did not give."""
        reason = error.strerror or type(error).__name__
        return SourceError(
            self.source,
            f"cannot read {relative}: {reason}",
            "check the disk and its rights, then run the same command again",
        )


def _walk(folder: Path) -> Iterator[tuple[str, bool]]:
    """Yield (relative path, leads out of the root) for each file and each link out."""
    top = os.path.realpath(folder)
    pending = [""]
    while pending:
        inside = pending.pop()
        with os.scandir(folder / inside) as entries:
            for entry in entries:
                if entry.name.startswith(".") or entry.name in _SKIPPED_FOLDERS:
                    continue
                path = f"{inside}{entry.name}"
                if entry.is_symlink():
                    real = os.path.realpath(entry.path)
                    if not real.startswith(top + os.sep):
                        yield path, True
                    elif entry.is_file():
                        yield path, False
                elif entry.is_dir():
                    pending.append(path + "/")
                else:
                    yield path, False


def locate_root(manifest: Manifest, given: Path) -> tuple[Root, str]:
    """Find the root of a source in or around the folder that the user names.

    Archives unpack with one folder too many, or are unpacked without their top folder; both
    are found by the pattern of the images.

    Returns:
        The root, and a sentence that says where it was found if that is not `given` itself.

    Raises:
        SourceError: The folder is not there, or no image of the layout is in it.
    """
    try:
        is_folder = stat.S_ISDIR(given.stat().st_mode)
    except OSError as error:
        raise SourceError(
            manifest.name,
            f"no folder {given}: {error.strerror}",
            "name the downloaded folder with --root",
        ) from error
    if not is_folder:
        raise SourceError(
            manifest.name, f"{given} is no folder", "name the downloaded folder with --root"
        )
    root = Root(source=manifest.name, folder=given.resolve())
    matches = compile_pattern(manifest.layout.images).fullmatch
    try:
        paths = root.listing().paths
    except OSError as error:
        raise root.unreadable(error.filename or str(given), error) from error
    if any(map(matches, paths)):
        return root, ""
    for path in paths:
        top, _, rest = path.partition("/")
        if rest and matches(rest):
            return Root(source=manifest.name, folder=root.folder / top), f"found in {top}/"
    prefix, slash, _ = manifest.layout.images.partition("/")
    if slash and not set(prefix) & set("{}*?") and any(matches(f"{prefix}/{p}") for p in paths):
        root = Root(source=manifest.name, folder=root.folder, prefix=f"{prefix}/")
        return root, f"taken for the contents of {prefix}/"
    raise SourceError(
        manifest.name,
        f"no file in {given} matches {manifest.layout.images!r} ({len(paths)} files seen)",
        f"gmai-sources show {manifest.name} says what is expected on disk",
    )
