"""Rows of a shard: a pair, its image, and where both came from."""

from collections.abc import Mapping
from typing import Any

from converters.imaging.pictures import STRIP
from converters.licenses import license_of
from converters.manifest import LoadedManifest
from converters.records import Box, Case, Entry, Finding, Json, Sample
from pipeline.digests import canonical, digest_bytes, digest_json
from pipeline.pairs import Pair
from pipeline.version import BUILD_VERSION


def annotation_digest(case: Case, digests: Mapping[str, str]) -> str:
    """Digest of the annotation of a case.

    The file's own SHA-256 where one file is all there is; else that of the canonical JSON of
    the digests of the files and the rows of the tables, in the manifest's order.
    """
    entries = [entry for entry in case.entries if entry]
    files = [file for entry in entries for file in entry.files]
    if len(files) == 1 and all(entry.values is None for entry in entries):
        return digests[files[0]]
    said: list[Json] = [_entry_identity(entry, digests) for entry in entries]
    return digest_json(said)


def _entry_identity(entry: Entry, digests: Mapping[str, str]) -> Json:
    labels: list[Json] = list(entry.labels or ())
    files: list[Json] = [[file, digests.get(file)] for file in entry.files]
    return [files, entry.table, entry.values, labels]


def sample_columns(
    sample: Sample,
    case: Case,
    loaded: LoadedManifest,
    converter: str,
    digests: Mapping[str, str],
) -> dict[str, Any]:
    """The columns that all pairs of a sample share; `image` holds the path only."""
    manifest = loaded.manifest
    allows = license_of(manifest.license)
    return {
        "sample_id": sample.sample_id,
        "image": f"{sample.sample_id}.{sample.image_format}",
        "split": case.split,
        "modality": sample.modality,
        "department": manifest.department,
        "anatomy": list(sample.anatomy),
        "task": list(manifest.tasks),
        "width": sample.width,
        "height": sample.height,
        "findings": findings_json(sample),
        "source": manifest.name,
        "license": manifest.license,
        "access": manifest.access,
        "permitted_use": allows.use,
        "redistribution": allows.redistribution,
        "subject_id": case.subject_id,
        "source_path": sample.source_path,
        "source_index": sample.source_index,
        "source_digest": digests[sample.source_path],
        "annotation_path": sample.annotation_path,
        "annotation_digest": annotation_digest(case, digests),
        "manifest_digest": loaded.digest,
        "converter": converter,
        "transforms": canonical([dict(step) for step in sample.transforms]),
        "deid": removed_metadata(sample),
        "image_digest": image_digest(sample, digests),
        "image_phash": sample.phash,
        "build_version": BUILD_VERSION,
    }


def image_digest(sample: Sample, digests: Mapping[str, str]) -> str:
    """SHA-256 of the image's bytes: that of the source file where these are its bytes."""
    if any(step["step"] in ("encode", STRIP) for step in sample.transforms):
        return digest_bytes(sample.image)
    return digests[sample.source_path]


def removed_metadata(sample: Sample) -> list[str]:
    """What was taken out of the file of a picture that kept its own pixels."""
    steps = (step["removed"] for step in sample.transforms if step["step"] == STRIP)
    return [f"removed {name}" for names in steps if isinstance(names, list) for name in names]


def findings_json(sample: Sample) -> str:
    """All that is known of an image, as canonical JSON; what is None is left out."""
    known: dict[str, Json] = {
        "present": [_finding(finding) for finding in sample.findings],
        "absent": list(sample.absent),
    }
    if sample.view:
        known["view"] = sample.view
    if sample.sequence:
        known["sequence"] = sample.sequence
    if sample.spacing_mm:
        known["spacing_mm"] = [round(value, 6) for value in sample.spacing_mm]
    return canonical(known)


_FACTS = (
    "label", "code", "role", "is_instance", "parts", "area_px", "area_mm2",
    "longest_diameter_px", "longest_diameter_mm", "volume_ml", "side", "position",
)  # fmt: skip


def _finding(finding: Finding) -> Json:
    known = ((name, getattr(finding, name)) for name in _FACTS)
    fields: dict[str, Json] = {
        name: round(value, 4) if isinstance(value, float) else value
        for name, value in known
        if value is not None
    }
    if finding.box:
        fields["box"] = _numbers(finding.box)
    if finding.attributes:
        fields["attributes"] = dict(finding.attributes)
    return fields


def _numbers(box: Box) -> Json:
    return [round(v, 4) for v in (box.x_min, box.y_min, box.x_max, box.y_max)]


def _corners(box: Box) -> dict[str, float]:
    return {"x_min": box.x_min, "y_min": box.y_min, "x_max": box.x_max, "y_max": box.y_max}


def pair_columns(pair: Pair) -> dict[str, Any]:
    """The columns of one pair."""
    return {
        "pair_id": pair.pair_id,
        "messages": [{"role": m.role, "content": m.content} for m in pair.messages],
        "format": pair.format,
        "language": pair.language,
        "labels": list(pair.labels),
        "boxes": [{"label": label, **_corners(box)} for label, box in pair.boxes],
        "template": pair.template,
        "template_digest": pair.template_digest,
        "captioner": pair.captioner,
        "captioner_revision": pair.captioner_revision,
        "captioner_settings": pair.captioner_settings,
        "request_key": pair.request_key,
        "prompt": pair.prompt,
        "prompt_digest": pair.prompt_digest,
        "attempts": pair.attempts,
        "checks": list(pair.checks),
    }
