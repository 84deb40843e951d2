"""What a server says, read with suspicion: an answer, or why there is none.

Nothing that a server sends is repeated in a message, apart from short words in a fixed place: the
text of an error may hold the prompt, or the key.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from converters.errors import GmaiError, SettingsError
from pipeline.captioner import Answer

_WORD = re.compile(r"[a-z]+(_[a-z]+){0,6}")
_REASONS = {"stop", "length", "content_filter", "tool_calls", "function_call"}
_TOO_LONG = {"context_length_exceeded", "string_above_max_length"}
_LENGTH_WORDS = re.compile(
    r"maximum context length|context length|max_model_len|prompt is too long|too many tokens"
    r"|longer than the maximum|exceeds? the (?:available )?context",
    re.IGNORECASE,
)
_ENDS_THE_BUILD = {
    401: ("the server does not take the key", "set the variable of --api-key-env to a valid key"),
    402: ("the server wants to be paid", "see to the account, then run the same command again"),
    403: ("the server does not allow it", "use a key that may use this model"),
    404: ("the server knows no such model or address", "check --model and --base-url"),
    405: ("the server answers no chat completions", "check --base-url; it often ends in /v1"),
}
_NO_MONEY = {"insufficient_quota", "billing_hard_limit_reached"}
_OVERLOADED = {429, 502, 503, 504, 529}
_PASSING = {408, 409, 425}


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """Why one try brought no answer.

    Attributes:
        message: A short word, a colon, and what was found.
        is_final: Another try would bring nothing else.
        is_overload: The server has too much.
        is_unreached: No server was there; the time of the prompt begins anew.
        counts: Whether it counts as a try of the prompt.
        wait_seconds: How long to wait; 0 for longer each time.
    """

    message: str
    is_final: bool = False
    is_overload: bool = False
    is_unreached: bool = False
    counts: bool = True
    wait_seconds: float = 0.0


def read_reply(body: bytes) -> Answer:
    """The answer in the body of a chat completion.

    Raises:
        ValueError: It is not a whole one: cut, of another shape, or not JSON.
    """
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise ValueError("is not JSON") from None
    choice = _only_choice(content)
    message = choice.get("message")
    if not isinstance(message, dict):
        raise ValueError("has no message")
    text, refusal = message.get("content"), message.get("refusal")
    if not isinstance(text, str | None) or not isinstance(refusal, str | None):
        raise ValueError("has no text")
    reason = choice.get("finish_reason")
    if reason not in _REASONS:
        raise ValueError("does not say why it ended")
    read, written = _usage(content)
    return Answer(
        # Half of a character outside the basic plane cannot be stored.
        text=(text or "").encode("utf-8", "replace").decode("utf-8"),
        finish_reason="refusal" if refusal and not text else str(reason),
        tokens_in=read,
        tokens_out=written,
    )


def _only_choice(content: object) -> Mapping[str, Any]:
    choices = content.get("choices") if isinstance(content, dict) else None
    if not isinstance(choices, list) or len(choices) != 1 or not isinstance(choices[0], dict):
        raise ValueError("holds no answer, or several")
    return choices[0]


def _usage(content: Mapping[str, Any]) -> tuple[int, int]:
    usage = content.get("usage")
    counts = usage if isinstance(usage, dict) else {}
    read, written = (
        count if isinstance(count, int) and 0 <= count < 1 << 40 else 0
        for count in (counts.get("prompt_tokens"), counts.get("completion_tokens"))
    )
    return read, written


def error_words(body: object) -> tuple[str, ...]:
    """Short words by which a server says what is wrong: code and type of its error."""
    content = body.get("error", body) if isinstance(body, dict) else {}
    if not isinstance(content, dict):
        return ()
    said = (content.get("code"), content.get("type"))
    return tuple(
        dict.fromkeys(
            word for word in said if isinstance(word, str) and len(word) < 50 and _is_word(word)
        )
    )


def failure_of_status(
    status: int, body: object, pause_seconds: float, patience_seconds: float
) -> Failure | GmaiError:
    """What an answer that is no success means.

    Args:
        status: The status of HTTP.
        body: What came with it; hostile.
        pause_seconds: How long the server asks to be left alone.
        patience_seconds: The longest pause that is waited for.

    Returns:
        The failure of this try, or the error that ends the build.
    """
    words = error_words(body)
    said = f"{status} ({', '.join(words)})" if words else str(status)
    if status in _ENDS_THE_BUILD:
        return _end(said, *_ENDS_THE_BUILD[status])
    if 300 <= status < 400:
        return _end(said, "the server points to another address", "name that one as --base-url")
    if status == 429 and _NO_MONEY & set(words):
        return _end(said, *_ENDS_THE_BUILD[402])
    if status in _OVERLOADED:
        if pause_seconds > patience_seconds:
            pause = f"the server asks for a pause of {pause_seconds:.0f} s"
            return _end(said, pause, "every answer is kept: run the same command again then")
        # The server itself is left alone for the pause; another may take the prompt at once.
        wait = 0.01 if pause_seconds else 0.0
        message = f"busy: the server says {said}"
        return Failure(message=message, is_overload=True, counts=False, wait_seconds=wait)
    if status >= 500 or status in _PASSING:
        return Failure(message=f"server_error: the server says {said}")
    if is_too_long(body):
        return Failure(message=f"too_long: the server says {said}", is_final=True)
    return Failure(message=f"refused: the server says {said}", is_final=True)


def _end(said: str, found: str, remedy: str) -> GmaiError:
    return SettingsError("captioner", f"{found}: it says {said}", remedy)


def _is_word(word: str) -> bool:
    return _WORD.fullmatch(word) is not None


def is_too_long(body: object) -> bool:
    """Whether a server says that the prompt is longer than the model can read."""
    if _TOO_LONG & set(error_words(body)):
        return True
    content = body.get("error", body) if isinstance(body, dict) else body
    message = content.get("message") if isinstance(content, dict) else content
    return isinstance(message, str) and _LENGTH_WORDS.search(message[:2000]) is not None


def retry_after_seconds(headers: Mapping[str, str]) -> float:
    """How long a server asks to be left alone; 0 where it does not say."""
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        said = headers.get(name, "")
        try:
            seconds = float(said) * scale
        except ValueError:
            seconds = _seconds_until(said)
        if 0 < seconds < float("inf"):
            return seconds
    return 0.0


def _seconds_until(date: str) -> float:
    try:
        when = parsedate_to_datetime(date)
    except ValueError:
        return 0.0
    return (when.replace(tzinfo=when.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
