"""True texts for the benchmark of the checks: several ways of writing, none of ``templates/``."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from converters.files import locate_root
from converters.manifest import load_manifest
from converters.records import Sample
from converters.select import converter_for
from converters.vocabulary import modality, term
from pipeline.view import diameter
from pipeline.word_forms import synonyms
from tests.fakes import build_twin

NUMBER_WORDS = "no one two three four five six seven eight nine ten eleven twelve"
WORDS = NUMBER_WORDS.split()
MODALITY_WORDS = {
    "CT": ["CT", "computed tomography", "CT scan"], "MR": ["MRI", "magnetic resonance"],
    "US": ["ultrasound", "sonogram"], "MG": ["mammogram"], "ES": ["endoscopy"],
    "CR": ["radiograph", "X-ray"], "DX": ["radiograph", "X-ray"], "GM": ["microscopy"],
    "OP": ["fundus photograph"], "CBCT": ["cone-beam CT"], "SM": ["histopathology"],
    "PT": ["PET"],
}  # fmt: skip
PROMPT = (
    "Describe the image in plain sentences for a reader who knows medicine, name every finding "
    "that is listed, and add nothing that the list does not say."
)
PLANES = ("axial", "coronal", "sagittal")
POSITIONS = tuple(
    f"{row} {column}" for row in ("upper", "lower") for column in ("left", "center", "right")
)


@dataclass(frozen=True, kw_only=True)
class Item:
    """A finding to be told."""

    label: str
    name: str
    plural: str
    article: str
    position: str = ""
    size_mm: float | None = None
    count: int = 1
    side: str = ""
    is_exact: bool = False


@dataclass(frozen=True, kw_only=True)
class Story:
    """What a text tells, before it is told."""

    sample: Sample
    image: str
    plane: str
    anatomy: str
    items: tuple[Item, ...]
    absent: tuple[str, ...]
    extra: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    denied_wrongly: tuple[str, ...] = ()


Fault = Callable[[Story, random.Random], Story | None]
Damage = Callable[[str, Story, random.Random], str | None]


def samples_of(source: str, folder: Path) -> Iterator[Sample]:
    """Every sample of a generated twin."""
    manifest = load_manifest(source).manifest
    twin = build_twin(manifest, folder / source, count=6)
    root, _ = locate_root(manifest, twin.folder)
    converter = converter_for(manifest)
    for case in converter.cases(root):
        for outcome in converter.convert(root, case):
            if isinstance(outcome, Sample):
                yield outcome


def story_of(sample: Sample, rng: random.Random, *, is_paraphrase: bool) -> Story | None:
    """A true story of at most three terms and two absent ones."""
    there = [f for f in sample.findings if f.role != "normal"]
    labels = sorted({f.label for f in there})
    rng.shuffle(labels)
    items = []
    for label in labels[:3]:
        same = [f for f in there if f.label == label]
        boxed = [f for f in same if f.box]
        one = boxed[0] if len(boxed) == 1 else same[0]
        single = len(same) == 1 or len(boxed) == 1
        sized = single and diameter(one, (sample.width, sample.height))
        name, plural = names_for(label, rng, is_paraphrase=is_paraphrase)
        items.append(
            Item(
                label=label,
                name=name,
                plural=plural,
                article=term(label).article,
                position=one.position or "" if single else "",
                size_mm=one.longest_diameter_mm if sized else None,
                count=len(boxed) if label in sample.countable else 1,
                is_exact=label in sample.countable and bool(boxed),
                side=one.side or "" if single and not term(label).side else "",
            )
        )
    absent = [name for name in sample.absent if term(name).role != "normal"]
    rng.shuffle(absent)
    words = MODALITY_WORDS.get(sample.modality, [])
    image = rng.choice(words) if is_paraphrase and words else modality(sample.modality).image
    if not items and not absent:
        return None
    return Story(
        sample=sample,
        image=image,
        plane=sample.view if sample.view in PLANES else "",
        anatomy=sample.anatomy[0] if sample.anatomy else "",
        items=tuple(items),
        absent=tuple(absent[:2]),
        targets=tuple(item.label for item in items),
    )


def names_for(label: str, rng: random.Random, *, is_paraphrase: bool) -> tuple[str, str]:
    """A name of a term and its plural; a synonym for a paraphrase, where there is one."""
    forms = [one.form for one in synonyms() if one.term == label and one.language == "en"]
    forms = [form for form in forms if not form.startswith(("both", "bilateral", "pair"))]
    if is_paraphrase and forms and rng.random() < 0.7:
        form = rng.choice(forms)
        return form, form
    return term(label).term, term(label).plural


def an(name: str, article: str) -> str:
    """A name with its article."""
    if article == "the":
        return f"the {name}"
    if not article:
        return name
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def upper(text: str) -> str:
    """A sentence's first letter as a capital."""
    return text[:1].upper() + text[1:]


def size(item: Item, rng: random.Random, *, is_paraphrase: bool) -> str:
    """A size with its unit."""
    assert item.size_mm is not None
    if item.size_mm < 0.1:
        return f"{item.size_mm * 1000:.1f} µm"
    if is_paraphrase and item.size_mm >= 10 and rng.random() < 0.6:
        return f"{item.size_mm / 10:.1f} {rng.choice(['cm', 'centimeters'])}"
    return f"{item.size_mm:.1f} {'millimeters' if is_paraphrase and rng.random() < 0.4 else 'mm'}"


def plain(story: Story, rng: random.Random) -> str:
    """The story in plain sentences."""
    plane = f" in the {story.plane} plane" if story.plane else ""
    of = f" of the {story.anatomy}" if story.anatomy else ""
    out = [f"{upper(an(story.image, 'a'))}{of}{plane}."]
    for item in story.items:
        side = f" on the {item.side} side of the patient" if item.side else ""
        where = f" in the {item.position} of the image" if item.position else ""
        if item.is_exact and item.count > 1:
            out.append(f"There are {item.count} {item.plural}{side}.")
        else:
            out.append(f"{upper(an(item.name, item.article))} can be seen{side}{where}.")
        if item.size_mm is not None:
            out.append(f"The {item.name} measures {size(item, rng, is_paraphrase=False)}.")
    if story.absent:
        out.append(f"There is no {' and no '.join(story.absent)}.")
    out += [f"No {name} is seen." for name in story.denied_wrongly]
    return " ".join([*out, *story.extra])


def paraphrase(story: Story, rng: random.Random) -> str:
    """The story in other words."""
    shown = f"{story.plane} {story.image}".strip()
    through = f" through the {story.anatomy}" if story.anatomy else ""
    openings = (
        f"This {shown} was taken{through}.",
        f"What we see is {an(shown, 'a')}{through}.",
        f"{upper(an(shown, 'a'))}{through} is shown here.",
    )
    out = [rng.choice(openings)]
    out += [_retold(item, rng) for item in story.items]
    for name in (*story.absent, *story.denied_wrongly):
        out.append(
            rng.choice(
                (
                    f"There is no evidence of {name}.",
                    f"{upper(name)} is not seen.",
                    f"The image is negative for {name}.",
                    f"It does not show any {name}.",
                    f"Absence of {name} is noted.",
                    f"{upper(name)} cannot be identified, and none is expected.",
                )
            )
        )
    return " ".join([*out, *story.extra])


def joined(story: Story, rng: random.Random) -> str:
    """The story in long sentences: lists, clauses, denials in one breath."""
    shown = f"{story.plane} {story.image}".strip()
    of = f" of the {story.anatomy}" if story.anatomy else ""
    parts = [_in_list(item, rng) for item in story.items]
    out = []
    if parts:
        verb = rng.choice(("shows", "demonstrates", "reveals", "contains"))
        out.append(f"The {shown}{of} {verb} {_listed(parts, 'and')}")
    else:
        out.append(f"We are looking at {an(shown, 'a')}{of}")
    gone = [*story.absent, *story.denied_wrongly]
    if gone:
        endings = (
            f", but no {_listed(gone, 'or')}.",
            f"; {_listed(gone, 'and')} {'is' if len(gone) == 1 else 'are'} absent.",
            f", without {_listed(gone, 'or')}.",
            f", whereas {_listed(gone, 'and')} cannot be seen.",
            f". Neither {gone[0]} nor {gone[-1]} is found.",
            f". No sign of {_listed(gone, 'or')} was detected.",
            f". {upper(_listed(gone, 'and'))}: not present.",
        )
        out.append(rng.choice(endings))
    else:
        out.append(".")
    return " ".join(["".join(out), *story.extra])


def _listed(parts: list[str], word: str) -> str:
    if len(parts) == 1:
        return parts[0]
    return f"{', '.join(parts[:-1])} {word} {parts[-1]}"


def _in_list(item: Item, rng: random.Random) -> str:
    if item.is_exact and item.count > 1:
        number = WORDS[item.count] if item.count < len(WORDS) else str(item.count)
        return f"{number} {item.plural}"
    text = an(f"{item.side} {item.name}".strip(), item.article)
    if item.size_mm is not None:
        big = size(item, rng, is_paraphrase=True)
        text += rng.choice((f" measuring {big}", f" ({big})", f" of {big}"))
    if item.position:
        text += rng.choice((f" at the {item.position}", f" in the {item.position} portion"))
    return text


def model_like(story: Story, rng: random.Random) -> str:
    """The story as vision-language models write: long, with words that say little."""
    shown = f"{story.plane} {story.image}".strip()
    of = f" of the {story.anatomy}" if story.anatomy else ""
    openings = (
        f"The image is {an(shown, 'a')}{of}.",
        f"This is {an(shown, 'a')}{of}, obtained for diagnostic purposes.",
        f"{upper(an(shown, 'a'))}{of} is presented, offering a clear view of the region.",
        f"Displayed is {an(shown, 'a')}{of} in grayscale.",
    )
    out = [rng.choice(openings)]
    out += [_as_a_model(item, rng) for item in story.items]
    gone = [*story.absent, *story.denied_wrongly]
    for name in gone:
        out.append(
            rng.choice(
                (
                    f"Importantly, there are no visible signs of {name}.",
                    f"Furthermore, the image does not demonstrate {name}.",
                    f"No obvious {name} is observed within the field of view.",
                    f"Notably, {name} is absent from this image.",
                    f"The examination reveals no discernible {name}.",
                    f"There does not appear to be any {name}.",
                )
            )
        )
    return " ".join([*out, *story.extra])


def _as_a_model(item: Item, rng: random.Random) -> str:
    name = an(f"{item.side} {item.name}".strip(), item.article)
    if item.is_exact and item.count > 1:
        number = WORDS[item.count] if item.count < len(WORDS) else str(item.count)
        return f"A total of {number} {item.plural} can be appreciated."
    where, how = "", ""
    if item.position:
        where = rng.choice(
            (
                f", situated in the {item.position} region of the image",
                f", which is located towards the {item.position} of the frame",
                f" within the {item.position} quadrant",
            )
        )
    if item.size_mm is not None:
        big = size(item, rng, is_paraphrase=True)
        how = rng.choice(
            (f", with a maximal in-plane extent of approximately {big}",
             f", spanning roughly {big} across its longest axis", f" (about {big})")
        )  # fmt: skip
    return rng.choice(
        (
            f"Within the field of view, {name} is clearly delineated{where}{how}.",
            f"The most prominent feature is {name}{where}{how}.",
            f"Additionally, {name} can be readily identified{where}{how}.",
            f"We can also observe {name}{where}{how}.",
            f"{upper(name)} stands out against the surrounding tissue{where}{how}.",
        )
    )


def _retold(item: Item, rng: random.Random) -> str:
    name = f"{item.side}-sided {item.name}" if item.side else item.name
    big = size(item, rng, is_paraphrase=True) if item.size_mm is not None else ""
    if item.is_exact and item.count > 1:
        number = WORDS[item.count] if item.count < len(WORDS) else str(item.count)
        return f"{upper(number)} {item.plural} are present."
    where = item.position
    if where and big:
        return (
            f"With a longest diameter of {big}, {an(name, item.article)} lies in the {where} part."
        )
    if big:
        return f"The longest extent of {an(name, item.article)} is {big}."
    if where:
        return f"In the {where} area of the picture, {an(name, item.article)} is visible."
    return rng.choice(
        (
            f"{upper(an(name, item.article))} is visible.",
            f"One recognizes {an(name, item.article)}.",
            f"The picture depicts {an(name, item.article)}.",
        )
    )


def terse(story: Story, rng: random.Random) -> str:
    """The story as reports are dictated: clipped, without articles, negatives in a row."""
    shown = f"{story.image}{f', {story.plane}' if story.plane else ''}"
    out = [rng.choice((f"{upper(shown)}.", f"Technique: {shown}.", f"Study: {shown}."))]
    if story.anatomy:
        out.append(f"Region: {story.anatomy}.")
    for item in story.items:
        name = f"{item.side} {item.name}".strip()
        if item.is_exact and item.count > 1:
            out.append(f"{upper(item.plural)}, {item.count} in number.")
            continue
        where = f", {item.position}" if item.position else ""
        big = f", {size(item, rng, is_paraphrase=True)}" if item.size_mm is not None else ""
        verb = rng.choice(("seen", "noted", "visualized", "depicted", "evident"))
        out.append(
            rng.choice(
                (
                    f"{upper(name)} {verb}{where}{big}.",
                    f"{upper(verb)}: {name}{big}{where}.",
                    f"Presence of {name}{where}{big}.",
                    f"{upper(name)}{big}{where}.",
                )
            )
        )
    gone = [*story.absent, *story.denied_wrongly]
    if gone:
        row = ", ".join(gone)
        out.append(
            rng.choice(
                (
                    f"No {row}.", f"{upper(row)} not seen.", f"Negative for {row}.",
                    f"Without evidence of {row}.", f"Excluded: {row}.", f"Absent: {row}.",
                    f"{upper(row)} excluded.",
                )
            )
        )  # fmt: skip
    return " ".join([*out, *story.extra])
