"""What the instruments of an operation do, and to what: of sources that say it."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from converters.records import Finding
from converters.vocabulary import term
from pipeline.formats import distractors
from pipeline.formats.single_choice import Choice
from pipeline.phrasing import digest_order, draw_number
from pipeline.view import LETTERS, Draft, Named, View, image_words, named

ROLE = "action"
MAX_ACTIONS, MAX_OPTIONS = 4, 5
_STEM = 4  # letters by which a verb and the name of an instrument are known to be one word


@dataclass(frozen=True, kw_only=True, slots=True)
class Action:
    """One thing that is done.

    Attributes:
        tool: The instrument.
        verb: A term of role "action".
        target: What it is done to, where that is known.
    """

    tool: Named
    verb: str
    target: Named | None

    @property
    def labels(self) -> tuple[str, ...]:
        """The terms of what is done and to what."""
        return (self.verb, self.target.term) if self.target else (self.verb,)


def drafts(view: View) -> list[Draft]:
    """All that is done, what one instrument does, and a choice where the rest surely is not."""
    found = [_action(f) for f in view.sample.findings if f.role == ROLE and f.attributes]
    actions = list(dict.fromkeys(found))
    return [*_all(view, actions), *_one(view, actions)]


def _action(finding: Finding) -> Action:
    said = dict(finding.attributes)
    target = named(term(said["target"])) if "target" in said else None
    return Action(tool=named(term(said["instrument"])), verb=finding.label, target=target)


def _all(view: View, actions: list[Action]) -> Iterator[Draft]:
    if not 0 < len(actions) <= MAX_ACTIONS:
        return
    labels = [label for one in actions for label in (one.tool.term, *one.labels)]
    yield Draft(
        template="surgical_action/image.en.j2",
        variables={**image_words(view.sample), "actions": actions},
        labels=tuple(dict.fromkeys(labels)),
        is_open=True,
    )


def _one(view: View, actions: list[Action]) -> Iterator[Draft]:
    """Of instruments that do one thing, and are not called after it: one is drawn."""
    times = Counter(one.tool.term for one in actions)
    single = {
        one.tool.term: one
        for one in actions
        if times[one.tool.term] == 1 and not _is_named_for_it(one)
    }
    for name in digest_order(f"{view.sample.sample_id}/action", sorted(single))[:1]:
        action = single[name]
        variables = {**image_words(view.sample), "action": action}
        yield Draft(
            template="surgical_action/tool.en.j2",
            variables=variables,
            labels=action.labels,
            asked=(name,),
            is_open=True,
        )
        yield from _choice(view, action, variables)


def _is_named_for_it(action: Action) -> bool:
    """Whether the question would give its answer away: a grasper grasps, an irrigator irrigates."""
    tool, verb = term(action.tool.term), term(action.verb)
    return verb.term[:_STEM] in tool.term or verb.zh in tool.zh


def _choice(view: View, action: Action, variables: dict[str, object]) -> Iterator[Draft]:
    wrong = [name for name in view.sample.absent if term(name).role == ROLE]
    if not wrong:
        return
    seed = f"{view.sample.sample_id}/action/{action.tool.term}"
    most = min(MAX_OPTIONS, 1 + len(wrong))
    count = 2 + draw_number(seed.encode(), 0) % (most - 1)
    shown = [action.verb, *distractors.ranked(seed, action.verb, wrong)[: count - 1]]
    shown = digest_order(f"{seed}/order", shown)
    choices = [Choice(letter=a, text=text) for a, text in zip(LETTERS, shown, strict=False)]
    yield Draft(
        template="surgical_action/choice.en.j2",
        variables={
            **variables,
            "choices": choices,
            "letter": choices[shown.index(action.verb)].letter,
        },
        labels=(action.verb,),
        asked=(action.tool.term,),
        options=tuple(shown),
        right=action.verb,
    )
