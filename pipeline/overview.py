"""The picture of a composition as a page that answers to clicks, and that of the manifests."""

import json
from collections.abc import Iterable

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from converters.manifest import Manifest
from pipeline.composition import Composition, said, shared
from pipeline.paper import modality_name
from pipeline.phrasing import TEMPLATES
from pipeline.sunburst import COLORS, REST, sunburst_svg


def composition_of(manifests: Iterable[Manifest]) -> Composition:
    """How many sources there are, by modality, department, task and body part."""
    counts: dict[tuple[str, ...], float] = {}
    for m in manifests:
        words = (
            (modality_name(m.modality, m.name),), (m.department,), tuple(m.tasks),
            tuple(m.anatomy), (m.name,),
        )  # fmt: skip
        counts.update(shared(words))  # the name of the source keeps them apart
    return Composition(
        title="Sources by modality, department, task and body part",
        unit="sources",
        facets=("modality", "department", "task", "body part", "source"),
        rings=4,
        counts=counts,
        note="A source with several tasks or body parts is shared among them in equal parts.",
    )


def overview_section(composition: Composition, *, name: str = "overview") -> str:
    """The picture and its tables as a part of a page: markup, style and script, nothing else.

    The picture is there without script; with it, a part that is chosen fills the picture, and the
    tables follow. Every word is escaped.

    Args:
        composition: What is shown.
        name: Starts the ids within, so that a page can hold several.
    """
    return _rendered("overview_section.html.j2", composition, name)


def overview_page(composition: Composition) -> str:
    """The picture and its tables as a page of its own, which loads nothing from elsewhere."""
    return _rendered("overview.html.j2", composition, "overview")


def _rendered(template: str, composition: Composition, name: str) -> str:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES / "pages"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    return environment.get_template(template).render(
        composition=composition,
        name=name,
        svg=Markup(sunburst_svg(composition, name=name)),  # noqa: S704 - escapes its words itself
        data=Markup(_data(composition)),  # noqa: S704 - "<" is written as an escape
        said=said,
        tables=[(facet, composition.by(facet)) for facet in composition.facets],
    )


def _data(composition: Composition) -> str:
    """What the script needs, as JSON that cannot end a script element."""
    rows = [
        [*words, round(count, 4)] for words, count in sorted(composition.counts.items()) if count
    ]
    held = {
        "unit": composition.unit, "facets": composition.facets, "rings": composition.rings,
        "colors": COLORS, "rest": REST, "rows": rows,
    }  # fmt: skip
    text = json.dumps(held, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
