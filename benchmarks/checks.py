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
from dataclasses import dataclass, field, replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from converters.files import locate_root  # noqa: E402 - tests are not installed
from converters.manifest import load_manifest  # noqa: E402
from converters.records import Sample  # noqa: E402
from converters.select import converter_for  # noqa: E402
from converters.vocabulary import modality, term, terms, wholes_of  # noqa: E402
from pipeline.claim import Asked  # noqa: E402
from pipeline.claims import claim, wrongs  # noqa: E402
from pipeline.known_facts import facts_of  # noqa: E402
from pipeline.view import diameter  # noqa: E402
from pipeline.word_forms import synonyms  # noqa: E402
from tests.fakes import build_twin  # noqa: E402

SOURCES = (
    "brain_tumor_sartaj,btcv_abdomen,kits23,lits,chestx_det,vindr_cxr,bccd,idrid_localization,"
    "rsna_ich,toothfairy2,totalsegmentator_v2,verse,brats2021,amos22_mr,acdc,cholec80,"
    "btxrd,vindr_mammo,camus,rsna_pneumonia,ribfrac,ct_ich"
)
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


MODALITY_ZH = {
    "CT": "CT", "MR": "磁共振", "US": "超声", "MG": "乳腺X线", "ES": "内镜", "CR": "X线",
    "DX": "X线", "GM": "显微镜", "OP": "眼底照片", "CBCT": "锥形束CT", "SM": "病理", "PT": "PET",
}  # fmt: skip
PLANE_ZH = {"axial": "轴位", "coronal": "冠状面", "sagittal": "矢状面", "": ""}
ROW_ZH, COLUMN_ZH = {"upper": "上", "lower": "下"}, {"left": "左", "right": "右", "center": "中"}


def position_zh(position: str) -> str:
    """A place in the picture in Chinese."""
    row, _, column = position.partition(" ")
    if not column:
        return "图像中央"
    if row == "center":
        return f"图像{COLUMN_ZH[column]}侧中部"
    if column == "center":
        return f"图像{ROW_ZH[row]}方中央"
    return f"图像{COLUMN_ZH[column]}{ROW_ZH[row]}方"


def chinese(story: Story, rng: random.Random) -> str:
    """The story in Chinese."""
    codes = [c for c, words in MODALITY_WORDS.items() if story.image in words]
    code = story.sample.modality if story.sample.modality in MODALITY_ZH else "CT"
    kind = MODALITY_ZH[codes[0] if codes else code]
    out = [rng.choice((f"这是一幅{PLANE_ZH[story.plane]}{kind}图像。",
                       f"图为{kind}{PLANE_ZH[story.plane]}图像。"))]  # fmt: skip
    for item in story.items:
        name = term(item.label).zh if item.name in _names_en(item.label) else item.name
        where = f"，位于{position_zh(item.position)}" if item.position else ""
        big = f"，最大径约{item.size_mm:.1f}毫米" if item.size_mm and item.size_mm >= 0.1 else ""
        if item.is_exact and item.count > 1:
            out.append(f"共有{item.count}个{name}。")
        else:
            out.append(rng.choice((f"可见{name}{where}{big}。", f"图中显示{name}{where}{big}。")))
    gone = [*(term(n).zh for n in story.absent), *story.denied_wrongly]
    gone = [term(n).zh if n in terms() else n for n in gone]
    if gone:
        row = "及".join(gone)
        out.append(rng.choice((f"未见{row}。", f"没有发现{row}。", f"图中不存在{row}。",
                               f"{row}未显示。")))  # fmt: skip
    return "".join(out)


def _names_en(label: str) -> set[str]:
    return {term(label).term, *(one.form for one in synonyms() if one.term == label)}


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


@dataclass
class Tally:
    """What came of one kind of text."""

    texts: int = 0
    found: int = 0
    meant: int = 0
    examples: list[str] = field(default_factory=list)


CHINESE_FAULTS = {
    "extra finding", "extra organ", "target left out", "unknown denied", "present denied",
    "negation dropped", "affirmed and denied", "size +30 %", "size -30 %", "size x10",
    "size invented", "position", "count wrong", "count invented", "plane", "modality", "cut off",
}  # fmt: skip


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
        text = chinese(story, rng)
        found, why = codes(text, story, "zh")
        note(true, found, text, why, is_example=bool(found))
        for name, damaged in damaged_texts(story, text, rng, chinese):
            if name in CHINESE_FAULTS and damaged != text:
                found, why = codes(damaged, story, "zh")
                meant = (STORY_FAULTS.get(name) or TEXT_FAULTS[name])[1]
                note(faulty[name], found & set(meant), damaged, why, is_example=not found)
                faulty[name].found += bool(found)
    return true, faulty


def codes(text: str, story: Story, language: str = "en") -> tuple[set[str], str]:
    """The checks that a text fails, and what they say."""
    facts = facts_of(story.sample, language)
    asked = Asked(language=language, targets=story.targets, prompt=PROMPT)
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
    story: Story, text: str, rng: random.Random, tell: Callable[[Story, random.Random], str]
) -> Iterator[tuple[str, str]]:
    """The story with each fault that fits it."""
    for name, (fault, _) in STORY_FAULTS.items():
        wrong = fault(story, rng)
        if wrong is not None:
            yield name, tell(wrong, rng)
    for name, (damage, _) in TEXT_FAULTS.items():
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
