"""A free text of a model, read, with what it is held against."""

from dataclasses import dataclass

from pipeline.known_facts import Facts
from pipeline.mentions import Cue, Mention, Reading

_NONE: list[Cue] = []


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """A text and what it is held against.

    Attributes:
        reading: The text, read in its language.
        facts: What is known of the image, in the same language.
        language: "en" or "zh".
        targets: Canonical terms that the text has to name.
        hidden: Canonical terms that it must not name, as a question its answer.
        prompt: What the model was asked, or "".
        is_cut: The model stopped because it ran out of tokens.
    """

    reading: Reading
    facts: Facts
    language: str
    targets: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    prompt: str = ""
    is_cut: bool = False

    def written(self, part: Mention | Cue) -> str:
        """The words of a part, as they stand in the text."""
        return self.reading.written(part.first, part.last)

    def cues(self, kind: str) -> list[Cue]:
        """The cues of a kind, in the order of the text."""
        return self.reading.cues.get(kind, _NONE)
