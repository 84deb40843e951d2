"""Cells that hold a list as Python writes it: read as text, never run."""

import re

_ITEM = r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\""
_LIST = re.compile(rf"\[\s*(?:(?:{_ITEM})\s*(?:,\s*(?:{_ITEM})\s*)*,?\s*)?\]")


def literal_list(cell: str) -> list[str]:
    """The texts of a list, each once; the whole cell alone where it is no such list."""
    if not _LIST.fullmatch(cell):
        return [cell]
    found = (single or double for single, double in re.findall(_ITEM, cell))
    return list(dict.fromkeys(re.sub(r"\\(.)", r"\1", text).strip() for text in found))
