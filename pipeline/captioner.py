"""Captioners turn prompts into texts: a batch in, one answer a prompt out, in order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pipeline.phrasing import render


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompt:
    """What a captioner is given for one pair.

    Attributes:
        pair_id: The pair; it decides the words of the embedded captioner.
        template: Template of the pair, below ``templates/``.
        variables: What the template may speak of.
        language: Language of the answer.
        text: The facts in words, as a model reads them; written into the row.
        block: The block of the template that answers.
    """

    pair_id: str
    template: str
    variables: Mapping[str, object]
    language: str
    text: str
    block: str = "answer"


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a captioner says to one prompt.

    Attributes:
        text: The answer; "" where `error` says why there is none.
        finish_reason: "stop", "length", or "error".
        tokens_in: Tokens read, 0 where none were counted.
        tokens_out: Tokens written.
        error: Why there is no text, for this prompt alone.
    """

    text: str
    finish_reason: str = "stop"
    tokens_in: int = 0
    tokens_out: int = 0
    error: str = ""


@dataclass(kw_only=True, slots=True)
class Usage:
    """What a captioner used so far.

    Attributes:
        answered: Prompts that have an answer.
        failed: Prompts that have an error.
        sent: Requests sent, tries that failed among them.
        tokens_in: Tokens read.
        tokens_out: Tokens written.
    """

    answered: int = 0
    failed: int = 0
    sent: int = 0
    tokens_in: int = 0
    tokens_out: int = 0


class Captioner(Protocol):
    """What the pipeline needs of a captioner."""

    name: str
    revision: str
    settings: str

    def caption(self, prompts: Sequence[Prompt]) -> list[Answer]:
        """One answer a prompt, in order; as many as there are prompts."""


class TemplateCaptioner:
    """The embedded captioner: realises the facts with the template's own words, no model.

    Attributes:
        name: "template".
        revision: Changes when the way of drawing words changes; the words themselves are in
            the digest of the template.
        settings: Canonical JSON; there is nothing to set.
    """

    name = "template"
    revision = "1"
    settings = "{}"

    def caption(self, prompts: Sequence[Prompt]) -> list[Answer]:
        """One answer a prompt, in order."""
        return [
            Answer(
                text=render(
                    prompt.template,
                    prompt.block,
                    prompt.variables,
                    language=prompt.language,
                    seed=prompt.pair_id,
                )
            )
            for prompt in prompts
        ]
