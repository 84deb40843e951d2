"""Named regions of DICOM objects: their files joined with images by UID, their names with terms."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from converters.annotations.contract import Block, Index
from converters.annotations.joins import join_files
from converters.annotations.region_names import (
    Described,
    RegionKind,
    is_anonymous,
    term_of,
    terms_of,
    unmapped,
    wanted,
)
from converters.annotations.structures import (
    Marked,
    Structure,
    VolumeQuestion,
    empty_structure,
    merge_structures,
    orphans_of,
)
from converters.errors import CaseError, ManifestError, SourceError
from converters.imaging.dicom import read_header
from converters.imaging.dicom_tags import text_of
from converters.pattern import match_paths
from converters.records import Entry, Fault, Json
from converters.specs.dicom_objects import NamedRegions

_SHOWN = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class _File:
    path: str
    described: Described


def index_regions(spec: NamedRegions, block: Block, kind: RegionKind) -> Index:
    """The files of each image, by the UIDs in their heads.

    Raises:
        ManifestError: The images have no UIDs to be matched by.
        SourceError: A name is not mapped and `if_unmapped` is `stop`; or a file that cannot be
            read may belong to an image of which absence would be said.
    """
    files, orphans = _read_heads(spec, block, kind)
    by_image, unplaced = _join(spec, block, files)
    entries: dict[str, Entry] = {}
    faults: dict[str, Fault] = {}
    for image, found in by_image.items():
        if spec.if_missing == "unknown" and not _says_anything(spec, kind, found):
            continue
        entries[image] = Entry(files=tuple(file.path for file in found))
        fault = _fault(spec, kind, found)
        if fault:
            faults[image] = fault
    if spec.if_unmapped == "stop":
        joined = dict.fromkeys(file.path for found in by_image.values() for file in found)
        _require_mapped(spec, block, kind, [file for file in files if file.path in joined])
    return Index(entries=entries, faults=faults, orphans=(*orphans, *unplaced))


def _read_heads(
    spec: NamedRegions, block: Block, kind: RegionKind
) -> tuple[list[_File], list[tuple[str, str]]]:
    """Heads of the files of the kind, and files that cannot be read, with why."""
    files: list[_File] = []
    orphans: list[tuple[str, str]] = []
    images = {image.path for image in block.images}
    for path, _ in match_paths(spec.files, block.listing.paths):
        if path in images:
            continue
        try:
            header = read_header(block.root, path)
            if text_of(header, "Modality") == kind.modality:
                files.append(_File(path=path, described=kind.describe(spec, header)))
        except CaseError as error:
            if spec.if_missing == "absent":
                raise SourceError(
                    block.source,
                    f"{path} cannot be read, and an image without a file counts as healthy: "
                    f"{error.message}",
                    "get the file again, or write if_missing: unknown",
                ) from error
            orphans.append((path, error.message))
    return files, orphans


def _join(
    spec: NamedRegions, block: Block, files: list[_File]
) -> tuple[dict[str, list[_File]], list[tuple[str, str]]]:
    """Files by path of their image, and files that belong to none."""
    if spec.match == "name":
        joined = join_files(spec.files, {}, block)
        known = {file.path: file for file in files}
        named = {
            image: [known[path] for path in paths if path in known]
            for image, paths in joined.files.items()
        }
        lost = [one for one in orphans_of(joined) if one[0] in known]
        return {image: found for image, found in named.items() if found}, lost
    by_uid = _images_by_uid(spec, block)
    by_image: dict[str, list[_File]] = {}
    unplaced: list[tuple[str, str]] = []
    for file in files:
        images = sorted({path for uid in _uids(spec, file) for path in by_uid.get(uid, ())})
        for path in images:
            by_image.setdefault(path, []).append(file)
        if not images:
            unplaced.append((file.path, _why_unplaced(spec, file)))
    return by_image, unplaced


def _images_by_uid(spec: NamedRegions, block: Block) -> dict[str, list[str]]:
    key = "series_uid" if spec.match == "series" else "frame_of_reference_uid"
    found: dict[str, list[str]] = {}
    for image in block.images:
        if key not in image.fields:
            raise ManifestError(
                f"{block.source}.yaml",
                f"match: {spec.match} needs images with a {key}",
                "use the layout `series`, or match: name",
            )
        if image.fields[key]:
            found.setdefault(image.fields[key], []).append(image.path)
    return found


def _uids(spec: NamedRegions, file: _File) -> Iterable[str]:
    described = file.described
    return described.series if spec.match == "series" else described.frames_of_reference


def _why_unplaced(spec: NamedRegions, file: _File) -> str:
    uids = sorted(_uids(spec, file))
    what = spec.match.replace("_", " ")
    if not uids:
        return f"{file.path} names no {what}"
    return f"no image has the {what} {', '.join(uids[:3])} that {file.path} belongs to"


def _says_anything(spec: NamedRegions, kind: RegionKind, found: list[_File]) -> bool:
    try:
        return any(wanted(spec, kind, file.described) for file in found)
    except CaseError:
        return True  # what is wrong becomes the image's fault


def _fault(spec: NamedRegions, kind: RegionKind, found: list[_File]) -> Fault | None:
    """Why an image with these files cannot be used, where that is known by names."""
    by_term: dict[str, str] = {}
    mapped = 0
    try:
        for file in found:
            anonymous = unmapped(
                spec, kind, file.described, only_anonymous=spec.if_unmapped == "stop"
            )
            if anonymous and spec.if_unmapped != "pass":
                return Fault(
                    reason="label_unknown",
                    message=f"{file.path}: regions not in the manifest: {_list(anonymous)}",
                )
            for term in {term_of(spec, region) for region in wanted(spec, kind, file.described)}:
                first = by_term.setdefault(term or "", file.path)
                mapped += 1
                if first != file.path and spec.several == "reject":
                    return Fault(
                        reason="name_duplicate",
                        message=f"{first} and {file.path} both mark {term}",
                    )
    except CaseError as error:
        return Fault(reason=error.reason, message=f"{file.path}: {error.message}")
    if not mapped and spec.completeness != "complete":
        names = [region.code for file in found for region in file.described.regions]
        return Fault(
            reason="label_unknown",
            message=f"{found[0].path}: no region that the manifest maps, of: {_list(names)}",
        )
    return None


def _require_mapped(spec: NamedRegions, block: Block, kind: RegionKind, files: list[_File]) -> None:
    """Stop where a name is not mapped, and list every one with how often it occurs.

    Raises:
        SourceError: One is not.
    """
    counts: dict[str, int] = {}
    example = ""
    for file in files:
        try:
            names = unmapped(spec, kind, file.described)
        except CaseError:
            continue  # the image has its fault already
        for name in dict.fromkeys(names):
            if kind.needs_name and is_anonymous(name):
                continue
            counts[name] = counts.get(name, 0) + 1
            example = example or file.path
    if counts:
        said = [f"{name!r} ({count})" for name, count in sorted(counts.items())]
        more = f" and {len(said) - _SHOWN} more" if len(said) > _SHOWN else ""
        raise SourceError(
            block.source,
            f"regions not in the manifest (in how many files): {', '.join(said[:_SHOWN])}{more}; "
            f"first in {example}",
            "add each to `labels` or to `ignore`, or write if_unmapped: pass",
        )


def _list(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(repr(name) for name in names[:_SHOWN]) + more


def require_frame(question: VolumeQuestion, uids: Iterable[str], name: str) -> None:
    """Refuse regions that lie in another frame of reference than the image.

    Raises:
        CaseError: ``geometry_invalid``.
    """
    own = question.fields.get("frame_of_reference_uid", "")
    others = sorted(uid for uid in uids if uid and uid != own)
    if own and others:
        raise CaseError(
            "geometry_invalid",
            f"{name} lies in frame of reference {others[0]}, the image in {own}",
        )


def mark(
    spec: NamedRegions,
    structures: Iterable[Structure],
    unsure: Iterable[str],
    transforms: Sequence[dict[str, Json]],
) -> Marked:
    """What a block says: a structure a term, and empty ones where the labels are complete.

    Args:
        spec: The block.
        structures: One a region.
        unsure: Terms that may be there without a voxel.
        transforms: What was done; equal steps are said once.
    """
    doubtful = set(unsure)
    merged = [
        replace(one, is_all_seen=False) if one.term in doubtful else one
        for one in merge_structures(structures)
    ]
    if spec.completeness == "complete":
        there = {one.term for one in merged}
        merged += [empty_structure(term, "") for term in terms_of(spec) if term not in there]
    steps: list[dict[str, Json]] = []
    for step in transforms:
        if step not in steps:
            steps.append(step)
    return Marked(
        structures=tuple(merged), transforms=tuple(steps), uncertain=tuple(sorted(doubtful))
    )
