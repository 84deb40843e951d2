"""The way of pairs as a page: picture, annotation, boxes and words side by side, in one file."""

import base64
import json
from collections.abc import Iterable, Mapping
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pipeline.phrasing import TEMPLATES
from pipeline.pointers import pixels_of
from pipeline.trace import way_of

_CORNERS = ("x_min", "y_min", "x_max", "y_max")


def trace_page(rows: Iterable[Mapping[str, Any]]) -> str:
    """The page as HTML; every text of a row is escaped, and no script is in it.

    Args:
        rows: Whole rows.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES / "pages"), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template("trace.html.j2").render(pairs=[_pair(row) for row in rows])


def _pair(row: Mapping[str, Any]) -> dict[str, Any]:
    data = pixels_of(row)
    return {
        "pair_id": row["pair_id"],
        "width": row["width"],
        "height": row["height"],
        "image": base64.b64encode(data).decode(),
        "image_format": "png" if data.startswith(b"\x89PNG") else "jpeg",
        "known": [
            {"label": one["label"], **dict(zip(_CORNERS, one["box"], strict=True))}
            for one in json.loads(row["findings"])["present"]
            if "box" in one
        ],
        "said": row["boxes"],
        "way": way_of(row),
    }
