"""What licences allow: the reviewed table ``manifests/licenses.csv``, read word for word.

A licence is looked up by its whole name and never guessed from a part of it. What is not in the
table allows nothing by itself.
"""

import csv
from dataclasses import dataclass, fields
from functools import cache

from converters.errors import ManifestError
from converters.vocabulary import MANIFESTS

NOT_STATED = "not stated"
NOT_IN_TABLE = "not in the table"
# What a column of the table may say; "unclear" stands where terms differ by item, contradict each
# other, or were not read.
CLASSES: dict[str, tuple[str, ...]] = {
    "use": ("any", "noncommercial", "research", "unclear", NOT_STATED),
    "redistribution": ("yes", "no", "unclear", NOT_STATED),
    "derivatives": ("yes", "share alike", "no", "unclear", NOT_STATED),
    "services": ("yes", "no", "unclear", NOT_STATED),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class License:
    """One licence.

    Attributes:
        license: SPDX identifier, ``LicenseRef-...`` or ``not stated``.
        use: For what the data may be used.
        redistribution: Whether it may be passed on as it is.
        derivatives: Whether what is made of it may be passed on, and whether only alike.
        services: Whether it may be given to a service of others.
        hub: What the hub of Hugging Face calls it.
        text: Where its text is, or "".
        read_in: What the other columns were read in.
    """

    license: str
    use: str
    redistribution: str
    derivatives: str
    services: str
    hub: str
    text: str
    read_in: str

    @property
    def classes(self) -> dict[str, str]:
        """What it allows, by the names of :data:`CLASSES`."""
        return {name: getattr(self, name) for name in CLASSES}


@cache
def licenses() -> dict[str, License]:
    """Every licence of the table by its name.

    Raises:
        ManifestError: A row is malformed, repeated, or says what no column may say.
    """
    path = MANIFESTS / "licenses.csv"
    names = [one.name for one in fields(License)]
    found: dict[str, License] = {}
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        if reader.fieldnames != names:
            raise ManifestError(path.name, f"columns are {reader.fieldnames}, not {names}")
        for number, row in enumerate(reader, start=2):
            where = f"{path.name}:{number}"
            if None in row or None in row.values():
                raise ManifestError(where, f"{len(names)} values are needed")
            one = License(**row)
            for column, allowed in CLASSES.items():
                if row[column] not in allowed:
                    raise ManifestError(where, f"{column} is {row[column]!r}", ", ".join(allowed))
            if one.license in found:
                raise ManifestError(where, f"{one.license!r} stands twice")
            found[one.license] = one
    return found


def license_of(name: str) -> License:
    """A licence by its whole name; one that is not in the table is in a class of its own."""
    unknown = dict.fromkeys(CLASSES, NOT_IN_TABLE)
    return licenses().get(name) or License(
        license=name, **unknown, hub="other", text="", read_in="nothing"
    )
