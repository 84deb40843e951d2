"""The model that a command line names, as records."""

import argparse
import json
from collections.abc import Iterable, Mapping
from typing import Any

from converters.errors import SettingsError
from pipeline.captioning import Connection, Engine
from pipeline.digests import canonical
from pipeline.engine_settings import EngineRun, EngineSettings, stated
from pipeline.model_request import Sampling
from pipeline.model_settings import TEMPERATURE, ModelSettings
from pipeline.server_settings import ApiKey, ServerSettings

_OF_SERVERS = ("concurrency", "max_tokens_per_minute", "budget_tokens")
_OF_ENGINES = ("revision", "tensor_parallel", "max_model_len", "max_num_batched_tokens",
               "max_num_seqs", "dtype", "enforce_eager", "batch_invariant")  # fmt: skip
_OF_RUNS = ("engines", "gpu_memory_share", "cpu_cache_gib")


def model_and_connection(arguments: argparse.Namespace) -> tuple[ModelSettings, Connection]:
    """What decides the texts of a model, and how it is reached.

    Raises:
        SettingsError: A value cannot be used, or vLLM is not installed.
    """
    reuse = tuple(arguments.reuse or ())
    if arguments.captioner == "openai":
        return _model(arguments, {}), Connection(to=server_of(arguments), reuse=reuse)
    engine = stated(EngineSettings(model=arguments.model, **_given(arguments, _OF_ENGINES)))
    named = {
        "model": engine.name,
        "revision": engine.revision,
        "engine": canonical(engine.record()),
    }
    run = EngineRun(**_given(arguments, _OF_RUNS))
    to = Engine(settings=engine, run=run)
    return _model(arguments, named), Connection(to=to, reuse=reuse)


def _model(arguments: argparse.Namespace, named: Mapping[str, str]) -> ModelSettings:
    sampling = {
        "temperature": TEMPERATURE,
        **_given(arguments, ("temperature", "seed", "structured")),
    }
    if arguments.max_output_tokens:
        sampling["max_tokens"] = arguments.max_output_tokens
    if arguments.request_fields is not None:
        sampling["extra"] = _fields(arguments.request_fields)
    given = {**_given(arguments, ("model", "revision", "mode", "attempts")), **named}
    return ModelSettings(captioner=arguments.captioner, sampling=Sampling(**sampling), **given)


def server_of(arguments: argparse.Namespace) -> ServerSettings:
    """Where a model is served.

    Raises:
        SettingsError: A value cannot be used.
    """
    return ServerSettings(
        base_urls=tuple(arguments.base_url),
        api_key=ApiKey(variable=arguments.api_key_env) if arguments.api_key_env else None,
        allow_image_egress=bool(arguments.allow_image_egress),
        **_given(arguments, _OF_SERVERS),
    )


def _given(arguments: argparse.Namespace, names: Iterable[str]) -> dict[str, Any]:
    """Options that were given; the others have the defaults of their records."""
    values = {name: getattr(arguments, name) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def _fields(text: str) -> str:
    try:
        return json.dumps(json.loads(text))
    except ValueError as error:
        raise SettingsError("--request-fields", "is not JSON", "write it as {...}") from error
