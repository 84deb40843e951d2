"""What is sent to a model, as a record, and the key by which its answer is kept.

Two requests with the same key get the same answer from the store and are paid for once. The key
covers everything that decides the answer: model and revision, rendered messages, digests of the
images, sampling and schema. Where it is sent to, how often it is tried and how long it may take
are not part of it.
"""

import json
from dataclasses import asdict, dataclass, field
from typing import Literal, TypeAlias

from converters.errors import SettingsError
from converters.records import Json
from pipeline.digests import canonical, digest_json
from pipeline.prompts import ModelPrompt

Structured: TypeAlias = Literal["json_schema", "json_object", "none"]
LimitName: TypeAlias = Literal["max_tokens", "max_completion_tokens"]
MOST_SEED = 1 << 31  # what every server takes
_OURS = {
    "model", "messages", "temperature", "top_p", "seed", "max_tokens", "max_completion_tokens",
    "response_format", "n", "stream", "stream_options",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampling:
    """How a model draws its words; whatever is None is left to the server.

    Attributes:
        max_tokens: The longest answer.
        temperature: 0 for the likeliest word each time.
        top_p: Share of the likelihood that words are drawn from.
        seed: Of the first attempt and draw; each further one adds to it.
        structured: How the schema is asked for; "none" where the server knows none of it.
        limit_name: What the server calls the longest answer.
        extra: Canonical JSON of an object with more fields of the request, as
            ``{"chat_template_kwargs":{"enable_thinking":false}}``.
    """

    max_tokens: int = 512
    temperature: float | None = 0.0
    top_p: float | None = None
    seed: int | None = 0
    structured: Structured = "json_schema"
    limit_name: LimitName = "max_tokens"
    extra: str = "{}"

    def __post_init__(self) -> None:
        if self.max_tokens < 1:
            raise SettingsError("sampling", f"max_tokens is {self.max_tokens}", "at least 1")
        try:
            extra = json.loads(self.extra)
        except ValueError:
            extra = None
        if not isinstance(extra, dict):
            raise SettingsError("sampling", "extra is not a JSON object", "write it as {...}")
        if taken := sorted(_OURS & extra.keys()):
            raise SettingsError(
                "sampling",
                f"extra holds {', '.join(taken)}",
                "these are set by options of their own, or not at all",
            )
        object.__setattr__(self, "extra", canonical(extra))

    def record(self) -> dict[str, Json]:
        """Everything set, for keys and rows."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One question to a model.

    Attributes:
        model: Name that the server knows the model by.
        revision: Which weights: a commit, or a digest of the index of the weights.
        system: Role and rules, constant for many requests.
        user: What this request is about.
        schema: JSON schema of the answer as canonical JSON, or "" for free text.
        image_digest: ``sha256:...`` of the image that goes with it, or "".
        sampling: How words are drawn.
        attempt: 1 for the first time; asking again is another request.
        draw: Which of the texts that the model may draw; two requests that differ in it alone get
            texts of their own.
        key: SHA-256 of all of it.
    """

    model: str
    revision: str
    system: str
    user: str
    schema: str = ""
    image_digest: str = ""
    sampling: Sampling = field(default_factory=Sampling)
    attempt: int = 1
    draw: int = 0
    key: str = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", digest_json(self.record()))

    def record(self) -> dict[str, Json]:
        """What the key is the digest of."""
        return {
            "model": self.model,
            "revision": self.revision,
            "messages": self.messages({"type": "image", "digest": self.image_digest}),
            "sampling": self.sampling.record(),
            "schema": self.schema,
            "attempt": self.attempt,
            "draw": self.draw,
        }

    @property
    def settings(self) -> str:
        """What a row says of how its text was drawn, canonical JSON."""
        return canonical(
            {
                "model": self.model,
                "sampling": self.sampling.record(),
                "schema": self.schema,
                "attempt": self.attempt,
                "draw": self.draw,
            }
        )

    def messages(self, image: Json) -> list[Json]:
        """The messages, with the image as the receiver wants it.

        The image stands before the text: several requests about one image share what a server
        keeps of it.

        Args:
            image: The part that stands for the image; not used where there is none.
        """
        text: Json = {"type": "text", "text": self.user}
        content: Json = [image, text] if self.image_digest else self.user
        opening: list[Json] = [{"role": "system", "content": self.system}] if self.system else []
        return [*opening, {"role": "user", "content": content}]

    @property
    def seed(self) -> int | None:
        """The seed of this attempt and draw."""
        first = self.sampling.seed
        return None if first is None else (first + self.draw + self.attempt - 1) % MOST_SEED


def request_of(
    prompt: ModelPrompt,
    *,
    model: str,
    revision: str,
    image_digest: str,
    sampling: Sampling,
    attempt: int = 1,
    remark: str = "",
) -> Request:
    """The request for a prompt.

    Args:
        prompt: What is asked.
        model: Name of the model.
        revision: Its weights.
        image_digest: SHA-256 of the image; used where the prompt needs the image.
        sampling: How words are drawn.
        attempt: 1 for the first time.
        remark: Why the answer before was not taken; stands below the question.
    """
    return Request(
        model=model,
        revision=revision,
        system=prompt.system,
        user=f"{prompt.user}\n\n{remark}" if remark else prompt.user,
        schema=prompt.schema,
        image_digest=image_digest if prompt.needs_image else "",
        sampling=sampling,
        attempt=attempt,
    )
