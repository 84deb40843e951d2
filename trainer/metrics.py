"""What is seen of a run: a line of JSON a step, a progress line for a person, TensorBoard."""

import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from trainer.ledger import append_line

METRICS_FILE = "metrics.jsonl"
EVALUATION_FILE = "evaluation.jsonl"
_LINE_SECONDS = 10.0


@dataclass(kw_only=True)
class StepNumbers:
    """What one step counted, over all ranks.

    Attributes:
        step: Counts from 0.
        steps: Of the stage.
        loss: Mean over supervised tokens.
        gradient_norm: Before it is clipped.
        rates: Of each part.
        conversations: How many.
        tokens: All, of images and text.
        image_tokens: Those that stand for pixels.
        supervised: Those that are learnt.
        flops: Operations that had to be done.
        seconds: From the end of the step before to the end of this one.
        waited: Seconds of these in which the model waited for packs.
        capacity: Tokens that the packs could hold.
        by_source: Loss sum and supervised tokens of each source.
        by_format: The same of each format.
        bad: Conversations that could not be read so far, by reason.
    """

    step: int
    steps: int
    loss: float
    gradient_norm: float
    rates: dict[str, float]
    conversations: int
    tokens: int
    image_tokens: int
    supervised: int
    flops: float
    seconds: float
    waited: float
    capacity: int
    by_source: dict[str, tuple[float, int]] = field(default_factory=dict)
    by_format: dict[str, tuple[float, int]] = field(default_factory=dict)
    bad: dict[str, int] = field(default_factory=dict)

    def line(self, peak: float) -> dict[str, Any]:
        """The step as it is kept.

        Args:
            peak: Operations a second that all devices can do at most.
        """
        return {
            "step": self.step, "loss": self.loss, "gradient_norm": self.gradient_norm,
            "rates": self.rates, "conversations": self.conversations, "tokens": self.tokens,
            "image_tokens": self.image_tokens, "supervised_tokens": self.supervised,
            "tokens_per_second": self.tokens / self.seconds,
            "samples_per_second": self.conversations / self.seconds,
            "mfu": self.flops / self.seconds / peak,
            "padding": 1 - self.tokens / self.capacity,
            "data_wait": self.waited / self.seconds, "seconds": self.seconds,
            "loss_by_source": {k: s / n for k, (s, n) in sorted(self.by_source.items()) if n},
            "loss_by_format": {k: s / n for k, (s, n) in sorted(self.by_format.items()) if n},
            "bad": self.bad,
        }  # fmt: skip


def sums_by(
    word_of: Callable[[int], str], sums: Iterable[tuple[int, float, int]]
) -> dict[str, tuple[float, int]]:
    """Add up losses of conversations by a word of theirs.

    Args:
        word_of: The word of a conversation.
        sums: Number of a conversation, its loss sum, its supervised tokens.
    """
    out: dict[str, tuple[float, int]] = defaultdict(lambda: (0.0, 0))
    for number, loss, tokens in sums:
        before = out[word_of(number)]
        out[word_of(number)] = (before[0] + loss, before[1] + tokens)
    return dict(out)


class Seeing:
    """Writes what is seen of a stage.

    Args:
        folder: Of the stage.
        name: Of the stage.
        peak: Operations a second that all devices can do at most.
        is_shown: Whether a person is told.
        has_tensorboard: Whether TensorBoard files are written too.
    """

    def __init__(
        self, folder: Path, name: str, peak: float, *, is_shown: bool, has_tensorboard: bool
    ) -> None:
        self._folder, self._name, self._peak = folder, name, peak
        self._screen = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
        self._is_shown, self._shown_at = is_shown, 0.0
        self._board = _board(folder) if has_tensorboard else None

    def step(self, numbers: StepNumbers) -> None:
        """Keep and show a step."""
        line = numbers.line(self._peak)
        append_line(self._folder / METRICS_FILE, line)
        if self._board:
            for name, value in _flat(line):
                self._board.add_scalar(name, value, numbers.step)
        now = time.monotonic()
        is_last = numbers.step + 1 == numbers.steps
        if self._is_shown and (is_last or now - self._shown_at > self._every()):
            self._shown_at = now
            self._show(numbers, line, is_last=is_last)

    def _every(self) -> float:
        return 0.2 if sys.stderr.isatty() else _LINE_SECONDS

    def _show(self, numbers: StepNumbers, line: dict[str, Any], *, is_last: bool) -> None:
        left = (numbers.steps - numbers.step - 1) * numbers.seconds
        text = (
            f"{self._name} {numbers.step + 1}/{numbers.steps}  loss {numbers.loss:.4f}  "
            f"gradient {numbers.gradient_norm:.3f}  {line['tokens_per_second']:,.0f} tokens/s  "
            f"{line['samples_per_second']:,.1f} samples/s  MFU {line['mfu']:.1%}  "
            f"padding {line['padding']:.1%}  data wait {line['data_wait']:.1%}  "
            f"{left:,.0f} s left"
        )
        is_line = sys.stderr.isatty()
        self._screen.print(text, end="\n" if is_last or not is_line else "\r")

    def evaluation(self, line: dict[str, Any]) -> None:
        """Keep and show a look at held-out rows."""
        append_line(self._folder / EVALUATION_FILE, line)
        if self._board:
            for name, value in _flat(line):
                self._board.add_scalar(f"held_out/{name}", value, line["step"])
        if self._is_shown:
            control = line["loss_shuffled_images"]
            self.say(
                f"{self._name}: held out after {line['step']} steps: loss {line['loss']:.4f}, "
                + ("all with the same picture" if control is None
                   else f"with the pictures of others {control:.4f}")
            )  # fmt: skip

    def say(self, text: str) -> None:
        """Tell a person something."""
        if self._is_shown:
            self._screen.print(text)

    def close(self) -> None:
        """Let go of files."""
        if self._board:
            self._board.close()


def _board(folder: Path) -> Any:  # noqa: ANN401 - TensorBoard has no types
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(folder / "tensorboard")


def _flat(line: dict[str, Any], before: str = "") -> Iterable[tuple[str, float]]:
    for name, value in line.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{name}/")
        elif name != "step" and value is not None:
            yield f"{before}{name}", float(value)
