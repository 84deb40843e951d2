"""How many there are: only of what is marked object by object, and completely."""

from collections.abc import Iterator

from converters.vocabulary import term, wholes_of
from pipeline.phrasing import digest_order
from pipeline.view import Draft, View, image_words, named

MAX_COUNT = 60
NUMBER_WORDS = (
    "", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve",
)  # fmt: skip


def drafts(view: View) -> list[Draft]:
    """At most one number of what is there, and one of what is not."""
    return [*_present(view), *_none(view)]


def _present(view: View) -> Iterator[Draft]:
    found = [finding.label for finding in view.sample.findings]
    kinds = {whole for label in found for whole in wholes_of(label)}
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
