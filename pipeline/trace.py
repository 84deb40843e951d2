"""The way of a pair: from the file of its source to the sentence, as its row tells it."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from converters.manifest import load_manifest
from converters.records import Json

PROV = "http://www.w3.org/ns/prov#"


def way_of(row: Mapping[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Stations of a pair's way, each with what is known of it.

    Args:
        row: A whole row; its image is not needed.

    Returns:
        Headings, each with names and values in words.
    """
    manifest = load_manifest(row["source"]).manifest
    return [
        ("source", [
            ("name", f"{row['source']}: {manifest.title}"),
            ("licence", row["license"]),
            ("access", manifest.access),
            ("cite", manifest.citation),
            ("manifest", row["manifest_digest"]),
        ]),
        ("files", [
            ("image", row["source_path"]),
            ("its digest", row["source_digest"]),
            ("index in it", "" if row["source_index"] is None else str(row["source_index"])),
            ("annotation", row["annotation_path"]),
            ("its digest", row["annotation_digest"]),
            ("subject", f"{row['subject_id']} ({row['split']})"),
        ]),
        ("image", [
            ("identity", row["sample_id"]),
            ("made by", row["converter"]),
            *(("step", _words(step)) for step in json.loads(row["transforms"])),
            ("size", f"{row['width']} x {row['height']} pixels"),
            ("digest", row["image_digest"]),
        ]),
        ("known of it", list(_findings(json.loads(row["findings"])))),
        ("text", [
            ("format", f"{row['format']}, {row['language']}"),
            ("template", f"{row['template']} {row['template_digest']}"),
            ("captioner", f"{row['captioner']} {row['captioner_revision']}".strip()),
            ("settings", row["captioner_settings"]),
            ("request", row["request_key"]),
            ("prompt", row["prompt"]),
            ("attempts", str(row["attempts"])),
            ("checks passed", ", ".join(row["checks"])),
        ]),
        ("conversation", [(turn["role"], turn["content"]) for turn in row["messages"]]),
        ("build", [("version", row["build_version"])]),
    ]  # fmt: skip


def _findings(known: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for finding in known["present"]:
        rest = {key: value for key, value in finding.items() if key != "label"}
        yield "present", f"{finding['label']}: {_words(rest)}"
    if known["absent"]:
        yield "absent", ", ".join(known["absent"])
    for name in ("view", "sequence", "spacing_mm"):
        if name in known:
            yield name, str(known[name])


def _words(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def prov_of(row: Mapping[str, Any]) -> dict[str, Json]:
    """The same way in the terms of W3C PROV-O, as JSON-LD.

    Entities are named by their digests, so that two rows of one image join.
    """
    image, pair = row["image_digest"], f"pair:{row['pair_id']}"
    files = [row["source_digest"]]
    if row["annotation_digest"] and row["annotation_digest"] not in files:
        files.append(row["annotation_digest"])
    paths = {
        row["source_digest"]: row["source_path"],
        row["annotation_digest"]: row["annotation_path"],
    }
    convert, write = f"{pair}/convert", f"{pair}/write"
    made: Json = {
        "@id": image, "@type": "prov:Entity", "prov:label": row["sample_id"],
        "prov:wasGeneratedBy": {"@id": convert},
        "prov:wasDerivedFrom": [{"@id": name} for name in files],
    }  # fmt: skip
    graph: list[Json] = [
        *({"@id": name, "@type": "prov:Entity", "prov:label": paths[name]} for name in files),
        *([made] if image not in files else []),  # the source's own bytes are that file
        {
            "@id": pair, "@type": "prov:Entity", "prov:wasGeneratedBy": {"@id": write},
            "prov:wasDerivedFrom": [
                {"@id": image}, {"@id": row["template_digest"]}, {"@id": row["prompt_digest"]},
            ],
        },
        {
            "@id": convert, "@type": "prov:Activity",
            "prov:used": [{"@id": row["manifest_digest"]}, *({"@id": name} for name in files)],
            "prov:wasAssociatedWith": {"@id": f"gmai:{row['converter']}"},
        },
        {
            "@id": write, "@type": "prov:Activity",
            "prov:used": [{"@id": image}, {"@id": row["template_digest"]}],
            "prov:wasAssociatedWith": {"@id": f"captioner:{row['captioner']}"},
        },
        {
            "@id": f"gmai:{row['converter']}", "@type": "prov:SoftwareAgent",
            "prov:label": f"gmai {row['build_version']}",
        },
        {
            "@id": f"captioner:{row['captioner']}", "@type": "prov:SoftwareAgent",
            "prov:label": f"{row['captioner']} {row['captioner_revision']}",
        },
    ]  # fmt: skip
    return {"@context": {"prov": PROV, "gmai": "urn:gmai:", "pair": "urn:gmai:pair:",
                         "captioner": "urn:gmai:captioner:", "sha256": "urn:sha256:"},
            "@graph": graph}  # fmt: skip
