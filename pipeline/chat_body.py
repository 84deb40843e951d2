"""A request as the body of a chat completion."""

import base64
import json
from collections.abc import Mapping
from typing import TypeAlias

from converters.records import Json
from pipeline.model_request import Request

_BYTES_A_TOKEN = 3  # fewer than in English, as many as in Chinese: an estimate that is not low
_IMAGE_TOKENS = 1500
_FRAME_TOKENS = 50  # what the chat template of a model adds
_KINDS = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg"}

Body: TypeAlias = dict[str, Json]


def body_of(request: Request, image: bytes) -> Body:
    """The body: what is constant first, the image as a data URL.

    Raises:
        ValueError: The image is neither PNG nor JPEG.
    """
    sampling = request.sampling
    part: Json = {}
    if request.image_digest:
        part = {"type": "image_url", "image_url": {"url": _data_url(image)}}
    chosen: Mapping[str, Json] = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "seed": request.seed,
        "response_format": _response_format(request),
    }
    return {
        "model": request.model,
        "messages": request.messages(part),
        sampling.limit_name: sampling.max_tokens,
        **{name: value for name, value in chosen.items() if value is not None},
        **json.loads(sampling.extra),
    }


def _response_format(request: Request) -> Json:
    if not request.schema or request.sampling.structured == "none":
        return None
    if request.sampling.structured == "json_object":
        return {"type": "json_object"}
    schema: Json = json.loads(request.schema)
    return {
        "type": "json_schema",
        "json_schema": {"name": "answer", "strict": True, "schema": schema},
    }


def _data_url(image: bytes) -> str:
    return f"data:{media_type(image)};base64,{base64.b64encode(image).decode('ascii')}"


def media_type(image: bytes) -> str:
    """What an image is, by its first bytes.

    Raises:
        ValueError: It is neither PNG nor JPEG.
    """
    for opening, kind in _KINDS.items():
        if image.startswith(opening):
            return kind
    raise ValueError("an image is neither PNG nor JPEG")


def most_tokens(request: Request) -> int:
    """The most tokens that a request may cost, by a rough count of what is read."""
    words = (request.system, request.user, request.schema)
    read = sum(len(text.encode()) for text in words) // _BYTES_A_TOKEN + _FRAME_TOKENS
    image = _IMAGE_TOKENS if request.image_digest else 0
    return read + image + request.sampling.max_tokens
