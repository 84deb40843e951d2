"""The page on which a person rates pairs: one file, no script or picture from elsewhere."""

import base64
import json
from collections.abc import Iterable, Mapping
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pipeline.audit import text_digest
from pipeline.phrasing import TEMPLATES
from pipeline.pointers import pixels_of

_FACTS = (
    "side", "position", "area_px", "area_mm2", "longest_diameter_px", "longest_diameter_mm",
    "volume_ml", "parts", "attributes",
)  # fmt: skip


def audit_page(rows: Iterable[Mapping[str, Any]]) -> str:
    """The page as HTML; every text of a pair is escaped.

    Args:
        rows: Whole rows of the pairs.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES / "pages"), autoescape=True, undefined=StrictUndefined
    )
    page = environment.get_template("audit.html.j2")
    return page.render(pairs=[_pair(row) for row in rows])


def _pair(row: Mapping[str, Any]) -> dict[str, Any]:
    data = pixels_of(row)
    findings = json.loads(row["findings"])
    kept = ("pair_id", "source", "format", "sample_id", "captioner", "license", "messages", "boxes",
            "width", "height")  # fmt: skip
    return {
        **{name: row[name] for name in kept},
        "image": base64.b64encode(data).decode(),
        "image_format": "png" if data.startswith(b"\x89PNG") else "jpeg",
        "text_digest": text_digest(row["messages"]),
        "present": [
            {"label": one["label"], "facts": _facts(one)} for one in findings.get("present", [])
        ],
        "absent": findings.get("absent", []),
    }


def _facts(finding: Mapping[str, Any]) -> str:
    said = ((name, finding.get(name)) for name in _FACTS)
    return "; ".join(f"{name} {value}" for name, value in said if value not in (None, "", [], {}))
