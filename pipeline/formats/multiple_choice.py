"""A question with lettered options, of which several, one or none may be right."""

from collections.abc import Iterator

from converters.terminology import implied_by
from converters.vocabulary import term
from pipeline.formats import distractors
from pipeline.formats.single_choice import Choice
from pipeline.phrasing import digest_order, draw_number
from pipeline.view import LETTERS, Draft, View, image_words

MIN_OPTIONS, MAX_OPTIONS, MAX_RIGHT = 3, 7, 4
NONE = "none of these"


def drafts(view: View) -> list[Draft]:
    """One question with one or more right options, or now and then one with none."""
    if view.is_one_sided:
        return []
    seed = f"{view.sample.sample_id}/multiple"
    kinds = (_none, _some) if draw_number(seed.encode(), 0) % 4 == 0 else (_some, _none)
    return [draft for kind in kinds for draft in kind(view)][:1]


def _some(view: View) -> Iterator[Draft]:
    """Terms of a block and role that are there, among some that surely are not."""
    groups = [group for group in view.groups() if group.role != "normal"]
    labels = sorted(group.name.term for group in groups)
    for first in digest_order(f"{view.sample.sample_id}/multiple", labels):
        like = [
            name
            for name in labels
            if name in view.block_of(first) and term(name).role == term(first).role
        ]
        wrong = [n for n in distractors.of_image(view, first) if term(n).role != "normal"]
        wrong = [name for name in wrong if not implied_by(name) & set(like)]
        if wrong and len(like) + len(wrong) >= MIN_OPTIONS:
            yield _draft(view, first, like, wrong)
            return


def _draft(view: View, first: str, like: list[str], wrong: list[str]) -> Draft:
    seed = f"{view.sample.sample_id}/multiple/{first}"
    least_right = min(2, len(like))
    extra = draw_number(seed.encode(), 0) % (min(MAX_RIGHT, len(like)) - least_right + 1)
    right = digest_order(seed, like)[: least_right + extra]
    least = max(1, MIN_OPTIONS - len(right))
    most = min(MAX_OPTIONS - 1 - len(right), len(wrong))
    count_wrong = least + draw_number(seed.encode(), 1) % max(1, most - least + 1)
    offered = distractors.ranked(seed, first, wrong)[:count_wrong]
    options = digest_order(f"{seed}/order", [*right, *offered])
    # "None of these" is offered as a wrong option as well, or it would always be right.
    if draw_number(seed.encode(), 2) % 2 == 0:
        options.append(NONE)
    return _asked(view, options, [name for name in options if name in right], term(first).role)


def _none(view: View) -> Iterator[Draft]:
    """Options of one role that surely are all not there."""
    names = [name for name in distractors.absent(view) if term(name).role != "normal"]
    for first in digest_order(f"{view.sample.sample_id}/none", names):
        role = term(first).role
        like = [
            n for n in names if n in view.block_of(first) and term(n).role == role and n != first
        ]
        if len(like) >= MIN_OPTIONS - 2:
            seed = f"{view.sample.sample_id}/none/{first}"
            most = min(MAX_OPTIONS - 1, 1 + len(like))
            count = 2 + draw_number(seed.encode(), 0) % (most - 1)
            shown = [first, *distractors.ranked(seed, first, like)[: count - 1]]
            yield _asked(view, [*digest_order(seed, shown), NONE], [NONE], role)
            return


def _asked(view: View, options: list[str], right: list[str], role: str) -> Draft:
    choices = [
        Choice(letter=letter, text=text) for letter, text in zip(LETTERS, options, strict=False)
    ]
    return Draft(
        template="multiple_choice/image.en.j2",
        variables={
            **image_words(view.sample),
            "choices": choices,
            "right": [choice for choice in choices if choice.text in right],
            "role": role,
        },
        labels=tuple(name for name in right if name != NONE),
        options=tuple(options),
        rights=tuple(right),
    )
