"""Who is to be named for a build, under which licence, and what follows for the whole."""

import html
from collections.abc import Iterator, Mapping
from typing import Any

from converters.licenses import license_of
from pipeline.license_policy import terms_in
from pipeline.mixture_terms import conditions

_CHANGES = (
    "Images were copied without their metadata, or rendered from the files of the sources; column "
    "`transforms` of each row says how. Texts were made from the annotations of the sources."
)


def attribution(sources: Mapping[str, Mapping[str, Any]]) -> str:
    """The file as Markdown.

    Args:
        sources: Entries of the receipt, by source.
    """
    return "\n".join([
        "# Attribution", "", _CHANGES, "", "## Terms of the whole", "",
        *(f"- {plain(line)}" for line in conditions(terms_in(sources))), "",
        *(line for name, entry in sources.items() for line in named(name, entry)),
    ])  # fmt: skip


def named(source: str, entry: Mapping[str, Any], heading: str = "##") -> Iterator[str]:
    """What is to be said of one source, as Markdown.

    Args:
        source: Its name.
        entry: Its entry in a receipt.
        heading: The marks of a heading of its level.
    """
    license_text = license_of(entry["license"]).text
    link = f" <{license_text}>" if license_text else ""
    said = {
        "licence": plain(entry["license"]) + link,
        "terms": plain(entry.get("terms") or ""),
        "access": plain(entry["access"]),
        "cite": plain(entry.get("citation") or "not stated"),
        "homepage": plain(entry.get("homepage") or ""),
        "manifest": f"`{entry['manifest_digest']}`",
    }
    yield f"{heading} {source}: {plain(entry['title'])}"
    yield ""
    yield from (f"- {name}: {value}" for name, value in said.items() if value)
    yield ""


def plain(text: str) -> str:
    """Text of a manifest as one line that no reader of Markdown takes for HTML or a table."""
    return html.escape(" ".join(text.split()), quote=False).replace("|", "\\|")
