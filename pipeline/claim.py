"""A free text of a model, read, with what it is held against."""

from dataclasses import dataclass

from pipeline.known_facts import Facts
from pipeline.mentions import Cue, Mention, Reading

_NONE: list[Cue] = []


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What a text was asked for.

    Attributes:
        language: "en" or "zh".
        targets: Canonical terms that the text has to name.
        hidden: Canonical terms that it must not name, as a question its answer.
        given: What else the model was told and may repeat: what a grade means, a tolerance, a
            department.
        prompt: What the model was asked, or ""; a dozen words of it in a row are an echo.
    """

    language: str = "en"
    targets: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    given: str = ""
    prompt: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """A text and what it is held against.

    Attributes:
        reading: The text, read in its language.
        facts: What is known of the image, in the same language.
        asked: What it was asked for.
        given: What else the model was told, read; None where nothing was.
        is_cut: The model stopped because it ran out of tokens.
    """

    reading: Reading
    facts: Facts
    asked: Asked
    given: Reading | None = None
    is_cut: bool = False

    def written(self, part: Mention | Cue) -> str:
        """The words of a part, as they stand in the text."""
        return self.reading.written(part.first, part.last)

    def cues(self, kind: str) -> list[Cue]:
        """The cues of a kind, in the order of the text."""
        return self.reading.cues.get(kind, _NONE)

    def is_given(self, names: tuple[str, ...]) -> bool:
        """Whether a mention with these names stands in what was given."""
        return self.given is not None and any(
            not set(names).isdisjoint(other.names) for other in self.given.mentions
        )

    def unknown_cues(self, kind: str) -> list[Cue]:
        """The cues of a kind that do not stand in what was given."""
        found = self.cues(kind)
        if self.given is None or not found:
            return found
        known = {cue.value for cue in self.given.cues.get(kind, _NONE)}
        return [cue for cue in found if cue.value not in known]
