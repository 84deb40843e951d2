"""How much there is of what: counts by several facets at once, as a picture or a table needs them.

One composition is made of the manifests; of a build, whoever has its rows makes another.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product


@dataclass(frozen=True, kw_only=True, slots=True)
class Composition:
    """Counts by words, one word for each facet.

    Attributes:
        title: What is counted, as a heading.
        unit: What one is, in the plural: "pairs".
        facets: Names of the facets, in the order of the words: ("modality", "department").
        rings: How many of the first facets are drawn as rings; tables have all of them.
        counts: By one word a facet; 0 or more, in `unit`, and parts of one where one was shared.
        note: A sentence on how was counted; "" for none.

    Raises:
        ValueError: A key has not one word for each facet, or a count is below 0.
    """

    title: str
    unit: str
    facets: tuple[str, ...]
    rings: int
    counts: Mapping[tuple[str, ...], float]
    note: str = ""

    def __post_init__(self) -> None:
        if not 1 <= self.rings <= len(self.facets):
            raise ValueError(f"{self.rings} rings of {len(self.facets)} facets")
        for words, count in self.counts.items():
            if len(words) != len(self.facets) or not count >= 0:
                raise ValueError(f"{words}: {count} does not fit {self.facets}")

    @property
    def total(self) -> float:
        """Of all counts."""
        return sum(self.counts.values())

    def by(self, facet: str) -> list[tuple[str, float]]:
        """Words of one facet with their counts, the largest first."""
        at = self.facets.index(facet)
        found: defaultdict[str, float] = defaultdict(float)
        for words, count in self.counts.items():
            found[words[at]] += count
        return sorted(found.items(), key=lambda item: (-item[1], item[0]))


def shared(words: tuple[tuple[str, ...], ...]) -> dict[tuple[str, ...], float]:
    """One thing that has several words for a facet, in equal parts: they add up to 1.

    Args:
        words: For each facet the words that hold, one at least.
    """
    combinations = list(product(*words))
    return dict.fromkeys(combinations, 1 / len(combinations))


def said(count: float) -> str:
    """A count as it is printed: whole numbers with commas, parts with one decimal."""
    return f"{count:,.0f}" if abs(count - round(count)) < 0.05 else f"{count:,.1f}"
