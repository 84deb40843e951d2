"""How often the words of a build repeat, by source and format.

Of the questions and of the answers of each source and format, of the first --most pairs each:

- different: how many different texts there are for each text, 0 to 1, once facts are masked (boxes,
  numbers, terms of the row, options), so that the phrasing alone counts;
- entropy: of these masked texts, in bits; n equally frequent phrasings have log2(n);
- distinct-1, distinct-2, distinct-3: different words, pairs and triples of words over all of
  them, in the texts as they are. For Chinese a character is a word. These fall as texts grow more,
  so compare only tables with the same --most.

A target in bits for each format stands in ``variety_targets.toml``; few pairs cannot have much, so
that nothing above half the entropy of as many different texts is asked for. With --check, the exit
code says whether all formats reach theirs.

    python benchmarks/variety.py OUT [OUT ...] [--most 500] [--language en] [--check]
"""

import argparse
import math
import re
import sys
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rich.console import Console
from rich.table import Table

from converters.vocabulary import terms
from pipeline.shards import read_shards

COLUMNS = ["source", "format", "language", "messages", "labels"]
BATCH = 4096
TARGETS = Path(__file__).resolve().parent / "variety_targets.toml"
_BOX = re.compile(r"<box>.*?</box>")
_OPTION = re.compile(r"^[A-H]\. .*$", re.MULTILINE)
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_WORD = re.compile(r"[\u3400-\u9fff]|[^\W\d_]+|\d+(?:\.\d+)?")


@dataclass(frozen=True, kw_only=True, slots=True)
class Variety:
    """What can be said of the repetition of some texts.

    Attributes:
        count: How many texts there are.
        different: Different masked texts for each text, 0 to 1.
        entropy: Of the masked texts, in bits.
        distinct: Share of different runs of one, two and three words, 0 to 1.
    """

    count: int
    different: float
    entropy: float
    distinct: tuple[float, float, float]


@cache
def targets() -> dict[str, dict[str, float]]:
    """Least entropy in bits, by format and side ("question", "answer")."""
    with TARGETS.open("rb") as file:
        return tomllib.load(file)


def least(kind: str, side: str, count: int) -> float:
    """What some texts of a format must reach; of few texts less is asked."""
    return min(targets()[kind].get(side, 0.0), math.log2(max(1, count)) / 2)


def variety(texts: list[str], masked: list[str]) -> Variety:
    """Measure the repetition of texts, which are given as they are and with facts masked."""
    counts = Counter(masked)
    shares = [count / len(masked) for count in counts.values()]
    words = [_WORD.findall(text.lower()) for text in texts]
    return Variety(
        count=len(texts),
        different=len(counts) / len(masked),
        entropy=0.0 - sum(share * math.log2(share) for share in shares),
        distinct=(_distinct(words, 1), _distinct(words, 2), _distinct(words, 3)),
    )


def _distinct(texts: list[list[str]], length: int) -> float:
    runs = Counter(
        tuple(words[at : at + length]) for words in texts for at in range(len(words) - length + 1)
    )
    return len(runs) / max(1, runs.total())


def masked(text: str, labels: tuple[str, ...]) -> str:
    """A text without the facts that it states."""
    text = _OPTION.sub("", _BOX.sub("[box]", text.removeprefix("<image>\n")))
    return " ".join(_NUMBER.sub("0", _terms(labels).sub("[term]", text)).split())


@cache
def _terms(labels: tuple[str, ...]) -> re.Pattern[str]:
    """Every form of some terms, longest first; of none, a pattern that fits nothing."""
    forms = {form for name in labels for form in (name, terms()[name].plural, terms()[name].base)}
    ordered = sorted(forms, key=lambda form: (-len(form), form))
    either = "|".join(map(re.escape, ordered)) or "(?!)"
    return re.compile(rf"\b(?:(?:a|an|the) )?(?:{either})\b", re.IGNORECASE)


def texts_of(
    out: Path, language: str, most: int
) -> dict[tuple[str, str], list[tuple[str, str, tuple[str, ...]]]]:
    """Question, answer and labels of the first pairs of each source and format."""
    found: dict[tuple[str, str], list[tuple[str, str, tuple[str, ...]]]] = defaultdict(list)
    for row in read_shards(out, COLUMNS, BATCH):
        kept = found[row["source"], row["format"]]
        if row["language"] == language and len(kept) < most:
            said = [message["content"] for message in row["messages"]]
            kept.append(("\n".join(said[::2]), "\n".join(said[1::2]), tuple(row["labels"])))
    return found


def rows(outs: list[Path], language: str, most: int) -> Iterator[tuple[str, str, str, Variety]]:
    """Source, format, side of the conversation, and its variety."""
    for out in outs:
        for (source, kind), said in sorted(texts_of(out, language, most).items()):
            for side, name in enumerate(("question", "answer")):
                texts = [one[side] for one in said]
                if texts:
                    yield (
                        source,
                        kind,
                        name,
                        variety(texts, [masked(one[side], one[2]) for one in said]),
                    )


def main() -> int:
    """Print the table; the exit code is 1 where a target is missed and --check is given."""
    parser = argparse.ArgumentParser(description="How often the words of a build repeat.")
    parser.add_argument("out", type=Path, nargs="+", help="out folder of gmai-build")
    parser.add_argument("--most", type=int, default=500, help="pairs a source and format")
    parser.add_argument("--language", default="en")
    parser.add_argument("--check", action="store_true", help="fail where a target is missed")
    arguments = parser.parse_args()
    missed = 0
    table = Table(
        "source", "format", "text", "pairs", "different", "entropy", "target", "distinct-1",
        "distinct-2", "distinct-3",
    )  # fmt: skip
    for source, kind, name, one in rows(arguments.out, arguments.language, arguments.most):
        shares = (f"{share:.3f}" for share in one.distinct)
        target = least(kind, name, one.count)
        missed += one.entropy < target
        table.add_row(source, kind, name, str(one.count), f"{one.different:.2f}",
                      f"{one.entropy:.1f}", f"{target:.1f}", *shares)  # fmt: skip
    Console(width=120).print(table)
    print(f"{missed} below their target")
    return 1 if missed and arguments.check else 0


if __name__ == "__main__":
    sys.exit(main())
