"""The Decathlon's dataset.json: its labels and lists must agree with manifest and files."""

import json
from dataclasses import replace
from posixpath import dirname, join, normpath
from typing import Any

from converters.errors import CaseError, SourceError
from converters.files import Listing, Root
from converters.layouts.listing import faulty_case
from converters.manifest import Manifest
from converters.pattern import match_paths
from converters.records import Case, Fault
from converters.specs.annotations import LabelMap
from converters.specs.layouts import Volumes

_INDEX_BYTES = 64 << 20


def require_index(
    manifest: Manifest, layout: Volumes, root: Root, listing: Listing, found: list[Case]
) -> list[Case]:
    """Hold the cases that were found on disk against the index that the source ships.

    An entry without its image becomes a case with the fault ``image_missing``; an image
    that is not listed gets ``split_unknown``; one that is listed with another label file
    than its own gets ``labels_contradict``.

    Raises:
        SourceError: The index is not there or unreadable, or its labels are not the manifest's.
    """
    path, content = _read_index(manifest, layout, root, listing)
    for spec in layout.annotations:
        if isinstance(spec, LabelMap):
            _require_labels(manifest, spec, path, content.get("labels"))
    listed = _training(manifest, path, content.get("training"))
    cases = [_held_against(case, listed) for case in found]
    seen = {case.key for case in found}
    missing = [
        faulty_case(manifest, image, "image_missing", f"{path} lists it; there is no such file")
        for image, label in listed.items()
        if image not in seen and label not in seen
    ]
    return cases + missing


def _read_index(
    manifest: Manifest, layout: Volumes, root: Root, listing: Listing
) -> tuple[str, dict[str, Any]]:
    found = match_paths(layout.dataset_json or "", listing.paths)
    if len(found) != 1:
        raise SourceError(
            manifest.name,
            f"{len(found)} files match {layout.dataset_json!r}",
            "the lists and labels of the source stand in it; unpack the archive again",
        )
    path = found[0][0]
    try:
        content = json.loads(root.read(path, _INDEX_BYTES))
    except (CaseError, ValueError, RecursionError) as error:
        raise SourceError(manifest.name, f"{path}: {error}", "get the file again") from error
    if not isinstance(content, dict):
        raise SourceError(manifest.name, f"{path} holds no object", "get the file again")
    return path, content


def _require_labels(manifest: Manifest, spec: LabelMap, path: str, labels: object) -> None:
    """Codes and names must be the manifest's, up to upper and lower case."""
    remedy = "this is another edition of the source; its codes need a manifest of their own"
    if not isinstance(labels, dict) or not all(str(code).isdecimal() for code in labels):
        raise SourceError(manifest.name, f"{path}: `labels` does not map codes to names", remedy)
    seen = {int(code): str(name) for code, name in labels.items()}
    wanted = spec.names or spec.labels
    for code in sorted(seen.keys() | spec.labels.keys()):
        is_known = code in spec.labels or code in spec.ignore
        name = wanted.get(code, seen.get(code, ""))
        if not is_known or seen.get(code, "").casefold() != name.casefold():
            raise SourceError(
                manifest.name,
                f"{path}: code {code} is {seen.get(code)!r}, in the manifest {wanted.get(code)!r}",
                remedy,
            )


def _training(manifest: Manifest, path: str, entries: object) -> dict[str, str]:
    """Label file by image file, relative to the root, as the index lists them."""
    if not isinstance(entries, list):
        raise SourceError(manifest.name, f"{path}: no list `training`", "get the file again")
    folder = dirname(path)
    listed: dict[str, str] = {}
    for entry in entries:
        pair = [entry.get(key) for key in ("image", "label")] if isinstance(entry, dict) else []
        if len(pair) != 2 or not all(isinstance(name, str) for name in pair):
            raise SourceError(
                manifest.name, f"{path}: `training` holds {entry!r:.80}", "get the file again"
            )
        image, label = (normpath(join(folder, str(name))) for name in pair)
        listed[image] = label
    return listed


def _held_against(case: Case, listed: dict[str, str]) -> Case:
    if case.fault:
        return case
    if case.key not in listed:
        fault = Fault(reason="split_unknown", message=f"dataset.json does not list {case.key}")
        return replace(case, fault=fault)
    files = {file for entry in case.entries if entry for file in entry.files}
    if files and listed[case.key] not in files:
        message = f"{case.key}: dataset.json names the label file {listed[case.key]}"
        return replace(case, fault=Fault(reason="labels_contradict", message=message))
    return case
