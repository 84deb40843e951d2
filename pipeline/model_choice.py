"""The model that a command line names, as records."""

import argparse
import json

from converters.errors import SettingsError
from pipeline.captioning import Connection
from pipeline.model_request import Sampling
from pipeline.model_settings import TEMPERATURE, ModelSettings
from pipeline.server_settings import ApiKey, ServerSettings


def model_of(arguments: argparse.Namespace) -> ModelSettings:
    """What decides its texts.

    Raises:
        SettingsError: A value cannot be used.
    """
    sampling = {
        "max_tokens": arguments.max_output_tokens,
        "temperature": TEMPERATURE if arguments.temperature is None else arguments.temperature,
        "seed": arguments.seed,
        "structured": arguments.structured,
        "extra": _fields(arguments.request_fields),
    }
    return ModelSettings(
        captioner=arguments.captioner,
        model=arguments.model,
        revision=arguments.revision or "",
        mode=arguments.mode or "facts",
        sampling=Sampling(**{k: v for k, v in sampling.items() if v is not None}),
        **({"attempts": arguments.attempts} if arguments.attempts else {}),
    )


def connection_of(arguments: argparse.Namespace) -> Connection:
    """How it is reached.

    Raises:
        SettingsError: A value cannot be used.
    """
    limits = {
        name: getattr(arguments, name)
        for name in ("concurrency", "max_tokens_per_minute", "budget_tokens")
        if getattr(arguments, name) is not None
    }
    server = ServerSettings(
        base_urls=tuple(arguments.base_url),
        api_key=ApiKey(variable=arguments.api_key_env) if arguments.api_key_env else None,
        allow_image_egress=bool(arguments.allow_image_egress),
        **limits,
    )
    return Connection(server=server, reuse=tuple(arguments.reuse or ()))


def _fields(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        return json.dumps(json.loads(text))
    except ValueError as error:
        raise SettingsError("--request-fields", "is not JSON", "write it as {...}") from error
