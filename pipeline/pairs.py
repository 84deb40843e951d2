"""A pair: one image with one conversation about it, before it becomes a row."""

from dataclasses import dataclass
from typing import Literal

from converters.records import Box


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Literal["user", "assistant"]
    content: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """A conversation with what it speaks of and how it came about.

    Attributes:
        pair_id: Digest of sample, format, language and number.
        sample_id: The image.
        format: A word of ``[format]`` in the vocabulary.
        language: "en" or "zh".
        messages: User and assistant in turn; the first opens with ``<image>``.
        labels: Canonical terms that it says are there, each once.
        boxes: Boxes it speaks of, in pixels, with their terms.
        template: Path below ``templates/``.
        template_digest: SHA-256 of the template and of all parts.
        captioner: Who wrote the answer.
        captioner_revision: Its version.
        captioner_settings: Canonical JSON of its settings.
        request_key: Digest of the request to a model, or "".
        prompt: What the captioner was given.
        prompt_digest: SHA-256 of the prompt.
        attempts: How often it was asked.
        checks: Names of the checks that the text passed.
    """

    pair_id: str
    sample_id: str
    format: str
    language: str
    messages: tuple[Message, ...]
    labels: tuple[str, ...]
    boxes: tuple[tuple[str, Box], ...]
    template: str
    template_digest: str
    captioner: str
    captioner_revision: str
    captioner_settings: str
    request_key: str
    prompt: str
    prompt_digest: str
    attempts: int
    checks: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class TextFailure:
    """A pair that is left out because its text failed a check."""

    format: str
    check: str
    message: str
