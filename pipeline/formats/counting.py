"""How many there are: only of what is marked object by object, and completely."""

from collections.abc import Iterator

from converters.vocabulary import term, wholes_of
from pipeline.formats import distractors
from pipeline.formats.multi_region import apart
from pipeline.phrasing import digest_order, draw_number
from pipeline.view import Draft, View, image_words, named

MAX_COUNT = 60
MIN_MARKED, MAX_MARKED = 3, 6
NUMBER_WORDS = (
    "", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve",
)  # fmt: skip


def drafts(view: View) -> list[Draft]:
    """At most one number of what is there, one of what is not, and one of what is marked."""
    return [*_present(view), *_none(view), *_marked(view)]


def _present(view: View) -> Iterator[Draft]:
    # A label of the whole image beside its boxes is no object more.
    found = [finding.label for finding in view.sample.findings if finding.is_instance]
    kinds = {whole for one in view.sample.findings for whole in wholes_of(one.label)}
    # Of white blood cells there are more than are called so, where some are called neutrophils.
    labels = [label for label in view.sample.countable if _is_noun(label) and label not in kinds]
    fair = [label for label in labels if found.count(label) <= MAX_COUNT]
    for label in digest_order(f"{view.sample.sample_id}/counting", sorted(fair))[:1]:
        yield _draft(view, label, found.count(label))


def _none(view: View) -> Iterator[Draft]:
    """Zero of a label that would have been marked object by object, as its like are here."""
    if view.is_one_sided:
        return
    counted = {(view.block_of(label), term(label).role) for label in view.sample.countable}
    labels = [
        label
        for label in view.sample.absent
        if _is_noun(label)
        and view.is_complete(label)
        and (view.block_of(label), term(label).role) in counted
    ]
    for label in digest_order(f"{view.sample.sample_id}/counting", labels)[:1]:
        yield _draft(view, label, 0)


def _marked(view: View) -> Iterator[Draft]:
    """How many of some marked objects are of one kind: known, whatever else is not marked."""
    found = [f for f in view.local if f.is_instance and f.role in distractors.OBJECT_ROLES]
    seed = f"{view.sample.sample_id}/marked"
    numbers = digest_order(seed, [str(n) for n, f in enumerate(found) if _is_noun(f.label)])
    objects = apart([found[int(number)] for number in numbers])
    count = MIN_MARKED + draw_number(seed.encode(), 0) % (MAX_MARKED - MIN_MARKED + 1)
    shown = objects[:count]
    labels = sorted({finding.label for finding in shown})
    if len(shown) < MIN_MARKED or len(labels) < 2 or _has_kinds(labels):
        return
    label = digest_order(seed, labels)[0]
    right = [number for number, f in enumerate(shown, start=1) if f.label == label]
    yield Draft(
        template="counting/marked.en.j2",
        variables={
            **image_words(view.sample),
            "name": named(term(label)),
            "regions": [view.numbers(f.box) for f in shown if f.box],
            "right": right,
            "count": len(right),
            "of": len(shown),
            "numbers": list(range(1, len(shown) + 1)),
        },
        labels=(label,),
        boxes=tuple((f.label, f.box) for f in shown if f.box),
    )


def _has_kinds(labels: list[str]) -> bool:
    """Whether one of them is a kind of another, so that an object may be both."""
    return any(wholes_of(label) & set(labels) for label in labels)


def _is_noun(label: str) -> bool:
    """Whether there can be several: "a platelet", not "the liver" or "edema"."""
    return term(label).article in ("a", "an")


def _draft(view: View, label: str, count: int) -> Draft:
    return Draft(
        template="counting/image.en.j2",
        variables={
            **image_words(view.sample),
            "name": named(term(label)),
            "count": count,
            "word": NUMBER_WORDS[count] if count < len(NUMBER_WORDS) else "",
        },
        labels=(label,) if count else (),
        denied=() if count else (label,),
        asked=(label,),
    )
