"""Sequences of one examination: files of their own, or volumes of one file; findings shared."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial

from converters.annotations.contract import Block, ImageName
from converters.annotations.joins import join_files
from converters.errors import CaseError
from converters.files import Listing, Root
from converters.imaging.volumes import Volume, Wanted, read_volume, read_volumes
from converters.layouts.listing import faulty_case
from converters.layouts.volume_case import Shown
from converters.manifest import Manifest
from converters.pattern import compile_pattern
from converters.records import Case, Fault
from converters.specs.layouts import Volumes


def join_sequences(
    manifest: Manifest, layout: Volumes, root: Root, listing: Listing, cases: list[Case]
) -> list[Case]:
    """Give each case the files of its other sequences, as companions.

    A sequence without the image that makes a case becomes a case of its own, at fault.
    """
    images = tuple(ImageName(path=c.image, fields=c.fields) for c in cases if c.image)
    block = Block(source=manifest.name, root=root, listing=listing, images=images)
    found = cases
    for sequence, pattern in _patterns(layout).items():
        if pattern == layout.images:
            continue
        joined = join_files(pattern, {}, block)
        found = [_with_files(case, joined.files.get(case.image, ())) for case in found]
        found += [
            faulty_case(manifest, files[0], "image_missing", f"{sequence} without its other images")
            for files in joined.orphans
        ]
    return found


def _patterns(layout: Volumes) -> Mapping[str, str]:
    return layout.sequences if isinstance(layout.sequences, dict) else {}


def _with_files(case: Case, files: tuple[str, ...]) -> Case:
    if len(files) > 1 and not case.fault:
        fault = Fault(reason="name_duplicate", message=f"{files[0]} and {files[1]} both fit")
        return replace(case, fault=fault)
    return replace(case, companions=(*case.companions, *files))


def shown_volumes(layout: Volumes, root: Root, case: Case) -> Iterator[Shown]:
    """Every volume of a case in turn; the one that makes the case comes first.

    Raises:
        CaseError: A file of several volumes cannot be read.
    """
    if isinstance(layout.sequences, dict):
        yield from _files(layout.sequences, layout, root, case)
    elif layout.sequences:
        wanted = Wanted(count=len(layout.sequences))
        volumes = read_volumes(root, case.image, wanted, layout)
        for sequence, volume in zip(layout.sequences, volumes, strict=True):
            read = partial(_same, volume)
            yield Shown(sequence=sequence, path=case.image, tag=_slug(sequence), read=read)
    else:
        read = partial(read_volume, root, case.image, layout)
        yield Shown(sequence=layout.sequence, path=case.image, read=read)


def _same(volume: Volume) -> Volume:
    return volume


def _files(
    sequences: Mapping[str, str], layout: Volumes, root: Root, case: Case
) -> Iterator[Shown]:
    in_order = sorted(sequences.items(), key=lambda one: one[1] != layout.images)
    for sequence, pattern in in_order:
        matches = compile_pattern(pattern).fullmatch
        paths = [path for path in (case.image, *case.companions) if matches(path)]
        if pattern == layout.images:
            paths = [case.image]
        if paths:
            read = partial(read_volume, root, paths[0], layout)
            yield Shown(sequence=sequence, path=paths[0], read=read)
        else:
            read = partial(_missing, sequence)
            yield Shown(sequence=sequence, path=case.image, tag=_slug(sequence), read=read)


def _slug(sequence: str) -> str:
    return sequence.lower().replace(" ", "-")


def _missing(sequence: str) -> Volume:
    raise CaseError("image_missing", f"no file of {sequence}")
