"""Faults that the benchmark of the checks puts into true texts, one a text."""

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from benchmarks.check_texts import (
    MODALITY_WORDS,
    PLANES,
    POSITIONS,
    PROMPT,
    Damage,
    Fault,
    Item,
    Story,
    joined,
    model_like,
    paraphrase,
    plain,
    terse,
    upper,
)
from converters.vocabulary import term, terms, wholes_of
from pipeline.known_facts import facts_of
from pipeline.word_forms import synonyms

ROUTES: dict[str, Callable[[Story, random.Random], str]] = {
    "plain": plain,
    "paraphrase": paraphrase,
    "joined": joined,
    "model-like": model_like,
    "terse": terse,
}


def foreign_terms(story: Story, roles: tuple[str, ...]) -> list[str]:
    """Terms that share no word with what is there or known to be absent."""
    known = {w for f in story.sample.findings for w in f.label.lower().split()}
    known |= {w for f in story.sample.findings for o in wholes_of(f.label) for w in o.split()}
    known |= {w.rstrip("s") for w in known} | {w for a in story.sample.anatomy for w in a.split()}
    denied = {w for name in story.sample.absent for w in name.lower().split()}
    for row in synonyms():
        if any(row.term == f.label for f in story.sample.findings):
            known |= set(row.form.lower().split())
    known |= {w[:6] for w in known if len(w) > 6}  # vertebra, vertebrae
    common = {"of", "the", "left", "right", "and"}
    return [
        name
        for name, one in sorted(terms().items())
        if one.role in roles
        and not set(name.lower().split()) & ((known | denied) - common)
        and not {w.rstrip("s")[:6] for w in name.lower().split()} & (known - common)
    ]


def item_for(label: str) -> Item:
    """A label without facts, as an item."""
    one = term(label)
    return Item(label=label, name=one.term, plural=one.plural, article=one.article)


def extra_of(roles: tuple[str, ...]) -> Fault:
    """Something that is not there is told."""

    def put(story: Story, rng: random.Random) -> Story | None:
        strange = foreign_terms(story, roles)
        if not strange:
            return None
        return replace(story, items=(*story.items, item_for(rng.choice(strange))))

    return put


def replaced(story: Story, rng: random.Random) -> Story | None:
    """A finding is told by the name of another one."""
    if not story.items:
        return None
    role = term(story.items[0].label).role
    strange = foreign_terms(story, (role,))
    if not strange:
        return None
    other = item_for(rng.choice(strange))
    first = replace(story.items[0], name=other.name, plural=other.plural, article=other.article)
    return replace(story, items=(first, *story.items[1:]))


def denied_unknown(story: Story, rng: random.Random) -> Story | None:
    """Something is denied of which nothing is known."""
    gone = set(story.sample.absent)  # where there is no pancreas, there is no tumor of it
    strange = [
        name for name in foreign_terms(story, ("lesion", "diagnosis")) if not gone & wholes_of(name)
    ]
    return replace(story, denied_wrongly=(rng.choice(strange),)) if strange else None


def denied_present(story: Story, rng: random.Random) -> Story | None:
    """What is there is denied."""
    if not story.items:
        return None
    item = rng.choice(story.items)
    rest = tuple(one for one in story.items if one is not item)
    return replace(story, items=rest, denied_wrongly=(item.name,))


def negation_dropped(story: Story, rng: random.Random) -> Story | None:
    """What is absent is told as if it were there."""
    present = {f.label for f in story.sample.findings}
    present |= {whole for label in present for whole in wholes_of(label)}
    gone = [n for n in story.absent if n not in present]
    if not gone:
        return None
    return replace(
        story, absent=tuple(n for n in story.absent if n != gone[0]),
        items=(*story.items, item_for(gone[0])),
    )  # fmt: skip


def dropped(story: Story, rng: random.Random) -> Story | None:
    """A target is left out."""
    if len(story.items) < 2:
        return None
    item = rng.choice(story.items)
    heads = {o.name.split()[-1] for o in story.items if o is not item}
    wholes = {w for o in story.items if o is not item for w in wholes_of(o.label)}
    if item.name.split()[-1] in heads or item.label in wholes:
        return None
    return replace(story, items=tuple(one for one in story.items if one is not item))


def _changed(story: Story, pick: Callable[[Item], bool], **change: object) -> Story | None:
    for number, item in enumerate(story.items):
        if pick(item):
            values = {key: value(item) for key, value in change.items()}  # type: ignore[operator]
            items = list(story.items)
            items[number] = replace(item, **values)
            return replace(story, items=tuple(items))
    return None


def resized(factor: float) -> Fault:
    """A size is off by a factor."""
    return lambda story, rng: _changed(
        story, lambda i: i.size_mm is not None, size_mm=lambda i: i.size_mm * factor
    )


def size_invented(story: Story, rng: random.Random) -> Story | None:
    """A size is told of what was never measured."""
    values = [f.longest_diameter_mm for f in story.sample.findings if f.longest_diameter_mm]
    for _ in range(20):
        value = rng.uniform(3, 80)
        if all(abs(value - known) > 0.1 * known + 1 for known in values):
            return _changed(
                story,
                lambda i: i.size_mm is None and i.count == 1,
                size_mm=lambda i, value=value: value,
            )
    return None


def side_swapped(story: Story, rng: random.Random) -> Story | None:
    """A side is the other one: of a finding, or within a term."""
    other = {"left": "right", "right": "left"}
    swapped = _changed(story, lambda i: i.side in other, side=lambda i: other[i.side])
    if swapped:
        return swapped
    labels = {f.label for f in story.sample.findings}

    def twin(item: Item) -> str:
        side = term(item.label).side
        return item.label.replace(side, other[side]) if side else ""

    def is_alone(item: Item) -> bool:
        return bool(twin(item)) and twin(item) not in labels and term(item.label).side in item.name

    return _changed(
        story, is_alone,
        name=lambda i: i.name.replace(term(i.label).side, other[term(i.label).side]),
        plural=lambda i: i.plural.replace(term(i.label).side, other[term(i.label).side]),
    )  # fmt: skip


def side_invented(story: Story, rng: random.Random) -> Story | None:
    """A side is told of what has none that is known."""
    sides = {term(f.label).side or f.side for f in story.sample.findings} - {"", None}
    if sides:
        return None
    return _changed(
        story,
        lambda i: not i.is_exact or i.count == 1,
        side=lambda i: rng.choice(["left", "right"]),
    )


def plane_swapped(story: Story, rng: random.Random) -> Story | None:
    """Another plane is told, or one of an image that has none."""
    return replace(story, plane=rng.choice([p for p in PLANES if p != story.sample.view]))


def modality_swapped(story: Story, rng: random.Random) -> Story | None:
    """Another modality is told."""
    own = set(MODALITY_WORDS.get(story.sample.modality, [])) | {story.image}
    close = {"CR": "DX", "DX": "CR", "GM": "SM", "SM": "GM", "CBCT": "CT"}
    own |= set(MODALITY_WORDS.get(close.get(story.sample.modality, ""), []))
    words = [w for ws in MODALITY_WORDS.values() for w in ws if w not in own]
    return replace(story, image=rng.choice(words))


def position_swapped(story: Story, rng: random.Random) -> Story | None:
    """A place in the picture is another one."""

    def other(item: Item) -> str:
        known = {f.position for f in story.sample.findings if f.label == item.label}
        return rng.choice([p for p in POSITIONS if p not in known])

    return _changed(story, lambda i: bool(i.position), position=other)


def count_changed(story: Story, rng: random.Random) -> Story | None:
    """A count is off by one to three, upwards."""
    return _changed(story, lambda i: i.is_exact, count=lambda i: i.count + rng.randint(1, 3))


def count_invented(story: Story, rng: random.Random) -> Story | None:
    """Objects are counted that nobody marked one by one."""
    return _changed(
        story, lambda i: not i.is_exact and i.article == "a", is_exact=lambda i: True,
        count=lambda i: rng.randint(2, 6),
    )  # fmt: skip


def anatomy_swapped(story: Story, rng: random.Random) -> Story | None:
    """Another body part is told."""
    known = set(story.sample.anatomy)
    parts = ["knee", "breast", "retina", "prostate", "brain", "abdomen", "spine", "heart"]
    labels = " ".join(f.label for f in story.sample.findings)
    facts = facts_of(story.sample)
    far = [p for p in parts if p not in known and p not in labels and p not in facts.supported]
    return replace(story, anatomy=rng.choice(far)) if far else None


def says(*sentences: str) -> Fault:
    """A sentence is added at the end."""
    return lambda story, rng: replace(story, extra=(rng.choice(sentences),))


def says_normal(story: Story, rng: random.Random) -> Story | None:
    """All is called normal where it is not known to be."""
    if any(f.role == "normal" for f in story.sample.findings):
        return None
    return replace(story, extra=(rng.choice((
        "The remaining structures are unremarkable.", "The image is otherwise normal.",
        "No abnormality is seen.", "Everything else appears healthy.")),))  # fmt: skip


def both_ways(story: Story, rng: random.Random) -> Story | None:
    """What is there is denied in a further sentence."""
    if not story.items:
        return None
    return replace(story, denied_wrongly=(rng.choice(story.items).name,))


def kind_invented(story: Story, rng: random.Random) -> Story | None:
    """A quality is told that no name and no attribute holds."""
    told = " ".join(str(f) for f in story.sample.findings).lower()
    words = [w for w in ("benign", "malignant", "acute", "chronic", "severe") if w not in told]
    if not story.items or not words:
        return None
    name = story.items[0].name
    return replace(story, extra=(f"The {name} appears {rng.choice(words)}.",))


def uncertain(story: Story, rng: random.Random) -> Story | None:
    """Something is said to be possible."""
    strange = foreign_terms(story, ("lesion", "diagnosis"))
    if not strange:
        return None
    name = rng.choice(strange)
    return replace(story, extra=(rng.choice((
        f"This may represent {name}.", f"{upper(name)} cannot be excluded.",
        f"Findings are suspicious for {name}.", f"Possible {name}.")),))  # fmt: skip


def cut_off(text: str, story: Story, rng: random.Random) -> str | None:
    """The end is missing."""
    words = text.split()
    return " ".join(words[: rng.randint(len(words) // 2, len(words) - 1)]).rstrip(".")


def repeated(text: str, story: Story, rng: random.Random) -> str | None:
    """A sentence comes again."""
    sentences = [s for s in text.split(". ") if len(s.split()) > 4]
    if not sentences:
        return None
    again = rng.choice(sentences).rstrip(".")
    return f"{text} {again}. {again}."


def marked_up(text: str, story: Story, rng: random.Random) -> str | None:
    """Markdown."""
    return rng.choice((f"**Findings** {text}", f"# Report\n{text}", f"- {text}", f"`{text}`"))


def echoed(text: str, story: Story, rng: random.Random) -> str | None:
    """A part of the prompt."""
    return f"{upper(' '.join(PROMPT.split()[2:18]).rstrip(','))}. {text}"


def mixed(text: str, story: Story, rng: random.Random) -> str | None:
    """A Chinese word in an English text."""
    return text.replace(" the ", " the\u7684 ", 1) if " the " in text else None


def chatted(text: str, story: Story, rng: random.Random) -> str | None:
    """An opening that speaks to the user."""
    openings = ("Sure! ", "Certainly, ", "Here is the caption: ", "Answer: ", "As requested, ")
    return f"{rng.choice(openings)}{text}"


def file_told(text: str, story: Story, rng: random.Random) -> str | None:
    """The file is named."""
    name = Path(story.sample.source_path).name
    return f"{text} The image is {name}." if "." in name else None


STORY_FAULTS: dict[str, tuple[Fault, tuple[str, ...]]] = {
    "extra finding": (extra_of(("lesion", "diagnosis")), ("unsupported_finding",)),
    "extra organ": (extra_of(("organ", "structure")), ("unsupported_anatomy", "side")),
    "other body part": (anatomy_swapped, ("unsupported_anatomy",)),
    "name swapped": (
        replaced,
        ("unsupported_finding", "unsupported_anatomy", "missing_target", "side"),
    ),
    "target left out": (dropped, ("missing_target",)),
    "unknown denied": (denied_unknown, ("denied",)),
    "present denied": (denied_present, ("denied",)),
    "negation dropped": (negation_dropped, ("unsupported_finding", "unsupported_anatomy", "side")),
    "affirmed and denied": (both_ways, ("contradiction", "denied")),
    "said to be possible": (uncertain, ("doubted", "unsupported_finding")),
    "called normal": (says_normal, ("normal",)),
    "quality invented": (kind_invented, ("qualifier",)),
    "size +30 %": (resized(1.3), ("number",)),
    "size -30 %": (resized(0.7), ("number",)),
    "size x10": (resized(10.0), ("number",)),
    "size invented": (size_invented, ("number",)),
    "side swapped": (side_swapped, ("side",)),
    "side invented": (side_invented, ("side",)),
    "plane": (plane_swapped, ("plane",)),
    "modality": (modality_swapped, ("modality",)),
    "position": (position_swapped, ("position",)),
    "count wrong": (count_changed, ("count", "number")),
    "count invented": (count_invented, ("count", "number")),
    "earlier time": (
        says(
            "It has grown since the prior examination.",
            "The patient has a history of surgery.",
            "This is unchanged compared with the previous study.",
        ),
        ("history",),
    ),
    "speaks of labels": (
        says(
            "The annotation says so.",
            "This follows from the segmentation mask.",
            "According to the provided information, this is all.",
            "The ground truth confirms it.",
        ),
        ("leak",),
    ),
    "refusal": (
        says(
            "I'm sorry, but I cannot interpret medical images.",
            "As an AI language model, I am unable to give a diagnosis.",
            "Please consult a healthcare professional.",
        ),
        ("refusal",),
    ),
    "talk to the user": (
        says("Let me know if more is needed.", "I hope this helps!", "Here is the description."),
        ("echo",),
    ),
    "other language": (
        says(
            "Das Bild zeigt eine normale Struktur und ist im axialen Schnitt mit der Leber.",
            "图像中可见病灶。",
            "\u041d\u0430 \u0441\u043d\u0438\u043c\u043a\u0435.",
        ),
        ("language",),
    ),
}
TEXT_FAULTS: dict[str, tuple[Damage, tuple[str, ...]]] = {
    "cut off": (cut_off, ("truncated",)),
    "loop": (repeated, ("loop",)),
    "prompt repeated": (echoed, ("echo",)),
    "two scripts": (mixed, ("language",)),
    "typing of a chat": (chatted, ("echo", "style")),
    "markdown": (marked_up, ("style",)),
    "file name": (file_told, ("file_name",)),
}
