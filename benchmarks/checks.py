"""How good the checks of free texts are: what they find, what they wrongly find, how fast.

True texts are written from the findings of generated twins, by routes that share no sentence with
``templates/``: a plain one, a paraphrase with synonyms, other units and numbers in words, one of
long sentences with lists and clauses, one in the manner of models, and one of clipped reports.
Into them faults of every kind are put, one a text. The table says how many of each kind are found,
by any check and by one that is meant for it, and how many true texts are refused.

    python benchmarks/checks.py [--sources NAME,NAME] [--texts 4000] [--misses 5]

The texts are drawn with a fixed seed: the same tree gives the same table.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import check_chinese  # noqa: E402
from benchmarks.check_faults import ROUTES, STORY_FAULTS, TEXT_FAULTS  # noqa: E402
from benchmarks.check_texts import (  # noqa: E402
    PROMPT,
    Damage,
    Fault,
    Story,
    paraphrase,
    samples_of,
    story_of,
)
from converters.records import Sample  # noqa: E402
from pipeline.claim import Asked  # noqa: E402
from pipeline.claims import claim, wrongs  # noqa: E402
from pipeline.known_facts import facts_of  # noqa: E402

SOURCES = (
    "brain_tumor_sartaj,btcv_abdomen,kits23,lits,chestx_det,vindr_cxr,bccd,idrid_localization,"
    "rsna_ich,toothfairy2,totalsegmentator_v2,verse,brats2021,amos22_mr,acdc,cholec80,"
    "btxrd,vindr_mammo,camus,rsna_pneumonia,ribfrac,ct_ich"
)


Faults: TypeAlias = dict[str, tuple[Fault, tuple[str, ...]]]
Damages: TypeAlias = dict[str, tuple[Damage, tuple[str, ...]]]


@dataclass
class Tally:
    """What came of one kind of text."""

    texts: int = 0
    found: int = 0
    meant: int = 0
    examples: list[str] = field(default_factory=list)


def measure_chinese(samples: list[Sample], texts: int) -> tuple[Tally, dict[str, Tally]]:
    """True Chinese texts, and faulty ones by kind."""
    rng = random.Random(6)
    true, faulty = Tally(), defaultdict(Tally)
    for number in range(texts):
        story = story_of(samples[number % len(samples)], rng, is_paraphrase=False)
        if story is None or any(
            not {f.label for f in story.sample.findings}.isdisjoint({n}) for n in story.absent
        ):
            continue
        text = check_chinese.chinese(story, rng)
        found, why = codes(text, story, "zh")
        note(true, found, text, why, is_example=bool(found))
        stories = {**STORY_FAULTS, **check_chinese.STORIES}
        known = (stories, check_chinese.TEXTS)
        for name, damaged in damaged_texts(story, text, rng, check_chinese.chinese, known):
            if damaged != text:
                found, why = codes(damaged, story, "zh")
                meant = (stories.get(name) or check_chinese.TEXTS[name])[1]
                note(faulty[name], found & set(meant), damaged, why, is_example=not found)
                faulty[name].found += bool(found)
    return true, faulty


def codes(text: str, story: Story, language: str = "en") -> tuple[set[str], str]:
    """The checks that a text fails, and what they say."""
    facts = facts_of(story.sample, language)
    prompt = check_chinese.PROMPT if language == "zh" else PROMPT
    asked = Asked(language=language, targets=story.targets, prompt=prompt)
    found = wrongs(claim(text, facts, asked))
    return {one.code for one in found}, "; ".join(one.message for one in found)


def measure(samples: list[Sample], texts: int) -> tuple[dict[str, Tally], dict[str, Tally]]:
    """True texts by route, and faulty ones by kind."""
    rng = random.Random(4)
    true: dict[str, Tally] = defaultdict(Tally)
    faulty: dict[str, Tally] = defaultdict(Tally)
    for number in range(texts):
        route = list(ROUTES)[number % len(ROUTES)]
        sample = samples[number % len(samples)] if number < len(samples) else rng.choice(samples)
        story = story_of(sample, rng, is_paraphrase=route != "plain")
        if story is None:
            continue
        text = ROUTES[route](story, rng)
        found, why = codes(text, story)
        note(true[route], found, text, why, is_example=bool(found))
        for name, damaged in damaged_texts(story, text, rng, ROUTES[route]):
            found, why = codes(damaged, story)
            meant = (STORY_FAULTS.get(name) or TEXT_FAULTS[name])[1]
            note(faulty[name], found & set(meant), damaged, why, is_example=not found)
            faulty[name].found += bool(found)
    return true, faulty


def damaged_texts(
    story: Story,
    text: str,
    rng: random.Random,
    tell: Callable[[Story, random.Random], str],
    known: tuple[Faults, Damages] = (STORY_FAULTS, TEXT_FAULTS),
) -> Iterator[tuple[str, str]]:
    """The story with each fault that fits it."""
    stories, texts = known
    for name, (fault, _) in stories.items():
        wrong = fault(story, rng)
        if wrong is not None:
            yield name, tell(wrong, rng)
    for name, (damage, _) in texts.items():
        worse = damage(text, story, rng)
        if worse is not None:
            yield name, worse


def note(tally: Tally, meant: set[str], text: str, why: str, *, is_example: bool) -> None:
    """Count a text."""
    tally.texts += 1
    tally.meant += bool(meant)
    if is_example:
        tally.examples.append(f"{text}\n      -> {why or 'nothing found'}")


def speed(samples: list[Sample], seconds: float = 2.0) -> tuple[float, float, float]:
    """Texts a second of CPU time with facts at hand, with facts laid out, and mean characters."""
    rng = random.Random(5)
    pairs = []
    for sample in samples:
        story = story_of(sample, rng, is_paraphrase=True)
        if story is not None:
            pairs.append((story, paraphrase(story, rng), facts_of(sample)))
    rates = []
    for is_fresh in (False, True):
        done, start = 0, time.process_time()
        while time.process_time() - start < seconds:
            for story, text, facts in pairs:
                known = facts_of(story.sample) if is_fresh else facts
                wrongs(claim(text, known, Asked(targets=story.targets)))
            done += len(pairs)
        rates.append(done / (time.process_time() - start))
    return rates[0], rates[1], sum(len(text) for _, text, _ in pairs) / len(pairs)


def report(true: dict[str, Tally], faulty: dict[str, Tally], misses: int) -> None:
    """Print the tables."""
    console = Console(width=120)
    table = Table("true texts by", "texts", "refused", "%", title="false alarms")
    for name, tally in true.items():
        wrong = len(tally.examples)
        table.add_row(name, str(tally.texts), str(wrong), f"{100 * wrong / tally.texts:.2f}")
    console.print(table)
    table = Table("fault", "texts", "found %", "by a check meant for it %", title="recall")
    for name, tally in faulty.items():
        share, meant = 100 * tally.found / tally.texts, 100 * tally.meant / tally.texts
        table.add_row(name, str(tally.texts), f"{share:.1f}", f"{meant:.1f}")
    console.print(table)
    for name, tally in (*true.items(), *faulty.items()):
        for line in tally.examples[:misses]:
            console.print(f"[bold]{name}[/bold]: ", end="")
            console.print(line, markup=False, highlight=False)


def main() -> None:
    """Build the twins, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sources", default=SOURCES)
    parser.add_argument("--texts", type=int, default=4000)
    parser.add_argument("--misses", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        names = options.sources.split(",")
        samples = [one for name in names for one in samples_of(name, Path(folder))]
    kinds = Counter(sample.modality for sample in samples)
    print(f"{len(samples)} images of {len(names)} sources: {dict(kinds)}")
    true, faulty = measure(samples, options.texts)
    report(true, faulty, options.misses)
    true_zh, faulty_zh = measure_chinese(samples, options.texts // 4)
    report({"Chinese": true_zh}, faulty_zh, options.misses)
    fast, fresh, length = speed(samples)
    print(f"{fast:.0f} texts/s a core of {length:.0f} characters; with facts laid out {fresh:.0f}")


if __name__ == "__main__":
    main()
