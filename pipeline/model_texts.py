"""Texts that a model writes: asked, checked against the annotation, asked again, or replaced.

A text that fails its checks goes back to the model with what was wrong. After the last attempt the
template's text stands in its place, and the row says so. A prompt that gets no answer at all makes
no pair: it is rejected, and can be asked again.
"""

import json
import queue
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Protocol

from converters.records import Finding, Json, Sample
from pipeline.captioner import Answer
from pipeline.claim import Asked
from pipeline.claims import CHECKS, Wrong, claim, wrongs
from pipeline.digests import canonical, digest_bytes
from pipeline.known_facts import Facts, facts_of
from pipeline.languages import LANGUAGES
from pipeline.model_request import Request, request_of
from pipeline.model_settings import ModelSettings
from pipeline.pairs import Message, Pair, TextFailure
from pipeline.phrasing import render, spoken
from pipeline.prompts import FORMATS, ModelPrompt, model_prompt, read_answer
from pipeline.write_text import Drafted

NO_ANSWER = "captioner_failed"
INSTEAD = "template instead"
_LONGEST_REMARK = 300  # of one reason: the words in it are the model's own
_REFUSED = {"refusal": "refuses", "content_filter": "was stopped by a filter of the server"}


class Asker(Protocol):
    """Where requests go."""

    def submit(self, request: Request, image: bytes) -> "Future[Answer]":
        """Begin to ask; the image is used where the request names one."""


@dataclass(kw_only=True, eq=False)
class Slot:
    """A text that is waited for.

    Attributes:
        outcome: The pair, or why there is none; None as long as it is waited for.
        said: What counts in the tally of texts.
    """

    template: Pair
    prompt: ModelPrompt
    facts: Facts
    asked: Asked
    image: bytes
    image_digest: str
    request: Request
    outcome: Pair | TextFailure | None = None
    said: str = ""
    failed: list[list[Wrong]] = field(default_factory=list)


class ModelTexts:
    """The texts of one partition; used by one thread.

    Args:
        settings: The model.
        asker: Where requests go.
    """

    def __init__(self, settings: ModelSettings, asker: Asker) -> None:
        self._settings = settings
        self._asker = asker
        self._arrived: queue.SimpleQueue[tuple[Slot, Future[Answer]]] = queue.SimpleQueue()

    def begin(self, drafted: Drafted, image: bytes, image_digest: str) -> Slot | None:
        """Begin to ask for a text; None where a model does not write it.

        Args:
            drafted: What the template made of it.
            image: The picture, for prompts that come with it.
            image_digest: Its SHA-256.
        """
        pair, view = drafted.outcome, drafted.view
        if not isinstance(pair, Pair) or pair.format not in FORMATS:
            return None
        region = _region(drafted) if pair.format == "region_caption" else None
        mode = self._settings.mode
        prompt = model_prompt(view, pair.format, pair.language, mode, region)
        slot = Slot(
            template=pair,
            prompt=prompt,
            facts=facts_of(_sample_of(view.sample, region), pair.language),
            asked=Asked(
                language=pair.language,
                targets=pair.labels,
                given=spoken(pair.language, view.manifest.department),
                prompt=prompt.system,
            ),
            image=image if prompt.needs_image else b"",
            image_digest=image_digest,
            request=self._request(prompt, image_digest, self._draw(pair)),
        )
        self._submit(slot)
        return slot

    def settle_arrived(self) -> None:
        """Judge the answers that are here."""
        while not self._arrived.empty():
            self.settle()

    def settle(self) -> None:
        """Wait for an answer, and judge it.

        Raises:
            GmaiError: No prompt can be answered any more.
            OSError: An answer cannot be kept.
        """
        slot, future = self._arrived.get()
        self._judge(slot, future.result())

    def _draw(self, pair: Pair) -> int:
        """Which text is drawn: a pair's own, or one for all where nothing is left to chance."""
        return 0 if self._settings.sampling.temperature == 0 else int(pair.pair_id[:7], 16)

    def _request(
        self,
        prompt: ModelPrompt,
        image_digest: str,
        draw: int,
        attempt: int = 1,
        remark: str = "",
    ) -> Request:
        request = request_of(
            prompt,
            model=self._settings.model,
            revision=self._settings.revision,
            image_digest=image_digest,
            sampling=self._settings.sampling,
            attempt=attempt,
            remark=remark,
        )
        return replace(request, draw=draw)

    def _submit(self, slot: Slot) -> None:
        future = self._asker.submit(slot.request, slot.image)
        future.add_done_callback(lambda done: self._arrived.put((slot, done)))

    def _judge(self, slot: Slot, answer: Answer) -> None:
        if answer.error:
            slot.said = "no answer"
            slot.outcome = TextFailure(
                format=slot.template.format, check=NO_ANSWER, message=answer.error
            )
            return
        text, wrong = _read(slot, answer)
        if not wrong:
            slot.said = f"attempt {slot.request.attempt}"
            slot.outcome = self._pair(slot, text)
            return
        slot.failed.append(wrong)
        attempt = slot.request.attempt + 1
        if attempt > self._settings.attempts:
            slot.said = INSTEAD
            slot.outcome = self._instead(slot)
            return
        remark = _remark(slot.asked.language, wrong)
        slot.request = self._request(
            slot.prompt, slot.image_digest, slot.request.draw, attempt, remark
        )
        self._submit(slot)

    def _pair(self, slot: Slot, text: str) -> Pair:
        question, _ = slot.template.messages
        prompt = f"{slot.request.system}\n\n{slot.request.user}"
        return replace(
            slot.template,
            messages=(question, Message(role="assistant", content=text)),
            captioner=self._settings.captioner,
            captioner_revision=self._settings.revision,
            captioner_settings=self._said_settings(slot.request),
            request_key=slot.request.key,
            prompt=prompt,
            prompt_digest=digest_bytes(prompt.encode("utf-8")),
            attempts=slot.request.attempt,
            checks=tuple(check.code for check in CHECKS),
        )

    def _said_settings(self, request: Request) -> str:
        """What a row says of how its text was drawn, canonical JSON."""
        said = {**json.loads(request.settings), "mode": self._settings.mode}
        if self._settings.engine:
            said["engine"] = json.loads(self._settings.engine)
        return canonical(said)

    def _instead(self, slot: Slot) -> Pair:
        """The template's pair, with what it stands for."""
        refused: list[Json] = [[wrong.code for wrong in failed] for failed in slot.failed]
        instead: Json = {
            "captioner": self._settings.captioner,
            "model": self._settings.model,
            "failed_checks": refused,
        }
        return replace(
            slot.template,
            captioner_settings=canonical({"instead_of": instead}),
            request_key=slot.request.key,
            attempts=slot.request.attempt + 1,
        )


def _region(drafted: Drafted) -> Finding:
    """The finding that a region caption is about."""
    (place,) = drafted.draft.boxes
    return next(f for f in drafted.view.sample.findings if (f.label, f.box) == place)


def _sample_of(sample: Sample, region: Finding | None) -> Sample:
    """What a text may speak of: of a region, what is in it, not what lies elsewhere."""
    if region is None:
        return sample
    return replace(sample, findings=(region,), absent=(), countable=())


def _read(slot: Slot, answer: Answer) -> tuple[str, list[Wrong]]:
    """The text of an answer, and what is wrong with it."""
    if answer.finish_reason in _REFUSED:
        return "", [Wrong(code="refusal", message=_REFUSED[answer.finish_reason])]
    is_cut = answer.finish_reason == "length"
    try:
        text = read_answer(slot.template.format, answer.text)
    except ValueError as error:
        cut = [Wrong(code="truncated", message="is too long: it was cut off")] if is_cut else []
        return "", cut or [Wrong(code="malformed", message=str(error))]
    wrong = wrongs(claim(text, slot.facts, slot.asked, is_cut=is_cut))
    opening = LANGUAGES[slot.asked.language].region_opening
    if slot.template.format == "region_caption" and not text.startswith(opening):
        wrong.append(Wrong(code="opening", message=f"does not begin with {opening!r}"))
    return text, wrong


def _remark(language: str, wrong: Sequence[Wrong]) -> str:
    """What the model is told of a text that was not taken; one line a reason."""
    reasons = [" ".join(one.message.split())[:_LONGEST_REMARK] for one in wrong]
    variables = {"reasons": reasons}
    template = f"prompts/again.{language}.j2"
    return render(template, "remark", variables, language=language, seed="")


class Line:
    """Things in order, each taken out when its turn has come and it is whole.

    Args:
        most: The most that stand in line.
        most_bytes: The most bytes of pictures in line.
    """

    def __init__(self, *, most: int, most_bytes: int) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._bytes = 0
        self._waiting: deque[tuple[object, tuple[Slot, ...], int]] = deque()

    def add(self, item: object, slots: Sequence[Slot], size: int) -> None:
        """Put something at the end.

        Args:
            item: What comes out again.
            slots: The texts that it waits for.
            size: Bytes that it holds.
        """
        self._waiting.append((item, tuple(slots), size))
        self._bytes += size

    @property
    def is_full(self) -> bool:
        """Whether something has to come out before more is put in."""
        return len(self._waiting) > self._most or self._bytes > self._most_bytes

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def ready(self) -> "list[object]":
        """What can come out now, in order."""
        out = []
        while self._waiting and all(slot.outcome for slot in self._waiting[0][1]):
            item, _, size = self._waiting.popleft()
            self._bytes -= size
            out.append(item)
        return out
