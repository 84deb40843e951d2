"""How images are joined with files, by shared placeholders, and with keyed rows, by a template."""

from collections.abc import Container, Mapping
from dataclasses import dataclass

from converters.annotations.contract import Block
from converters.errors import CaseError, ManifestError
from converters.pattern import field_names, fill, match_paths
from converters.records import Fault


@dataclass(frozen=True, kw_only=True, slots=True)
class Joined:
    """Files by image.

    Attributes:
        files: By path of the image: its files, sorted.
        orphans: Groups of files that belong together and to no image.
    """

    files: Mapping[str, tuple[str, ...]]
    orphans: tuple[tuple[str, ...], ...]


def join_files(pattern: str, renamed: Mapping[str, str], block: Block) -> Joined:
    """Join by equality of every placeholder that the pattern shares with the images.

    Args:
        pattern: Of the annotation files. Its other placeholders may be anything.
        renamed: Placeholders of `pattern` that equal a template over the image's fields.
        block: Images and listing.

    Raises:
        ManifestError: Nothing is shared, and there are several images: every file would belong
            to every one of them.
    """
    names = [
        name
        for name in field_names(pattern)
        # An image whose header is broken lacks the fields that are read from it.
        if name in renamed or any(name in image.fields for image in block.images)
    ]
    if not names and len(block.images) > 1:
        raise ManifestError(
            f"{block.source}.yaml",
            f"{pattern!r} shares no placeholder with the images",
            "name the same part of both paths in the same way",
        )
    groups: dict[tuple[str, ...], list[str]] = {}
    images = {image.path for image in block.images}
    for path, fields in match_paths(pattern, block.listing.paths):
        if path in images:
            continue
        groups.setdefault(tuple(fields[name] for name in names), []).append(path)
    files: dict[str, tuple[str, ...]] = {}
    used: set[tuple[str, ...]] = set()
    for image in block.images:
        try:
            key = tuple(
                fill(renamed[name], image.fields) if name in renamed else image.fields[name]
                for name in names
            )
        except (CaseError, KeyError):
            continue  # a field of the image is empty or not there: no file can be named by it
        if key in groups:
            used.add(key)
            files[image.path] = tuple(groups[key])
    orphans = tuple(tuple(group) for key, group in groups.items() if key not in used)
    return Joined(files=files, orphans=orphans)


def keys_of_images(
    match: str, known: Container[str], block: Block
) -> tuple[dict[str, str], dict[str, Fault]]:
    """The key of each image of which something is known, and why others have none; by path.

    Args:
        match: Template over the fields of an image.
        known: Keys of which something is known.
        block: Images and listing.
    """
    keys: dict[str, str] = {}
    faults: dict[str, Fault] = {}
    for image in block.images:
        try:
            key = fill(match, image.fields)
        except CaseError as error:
            faults[image.path] = Fault(reason=error.reason, message=error.message)
            continue
        if key in known:
            keys[image.path] = key
    return keys, faults
