"""The process of an engine: vLLM's AsyncLLM, asked over a pipe; the only module that imports vLLM.

    python -m pipeline.vllm_engine NUMBER

NUMBER is its end of the pipe. It ends when the other end is gone, with all that it started. What a
prompt says is repeated in no message and no log.
"""

import asyncio
import json
import os
import signal
import sys
import threading
from collections.abc import Mapping
from io import BytesIO
from multiprocessing.connection import Connection
from typing import Any

from jinja2 import TemplateError
from PIL import Image
from vllm import AsyncEngineArgs, SamplingParams
from vllm.exceptions import VLLMClientError, VLLMServerError
from vllm.renderers import ChatParams, TokenizeParams
from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams
from vllm.v1.engine.async_llm import AsyncLLM
from vllm.v1.engine.exceptions import EngineDeadError, EngineGenerateError

from pipeline.captioner import Answer
from pipeline.engine_messages import Ask, Ready, Said, Start, connection_of
from pipeline.engine_settings import EngineSettings

_REFUSALS = (
    VLLMClientError, VLLMServerError, EngineGenerateError, TemplateError, ValueError, TypeError,
    KeyError, OSError, Image.DecompressionBombError,
)  # fmt: skip


def engine_arguments(start: Start) -> AsyncEngineArgs:
    """The settings in the words of vLLM; whatever its defaults depend on the machine for is set."""
    settings, run = start.settings, start.run
    return AsyncEngineArgs(
        model=settings.model,
        revision=None if settings.is_folder else settings.revision,
        tokenizer_revision=None if settings.is_folder else settings.revision,
        dtype=settings.dtype,
        seed=settings.seed,
        max_model_len=settings.max_model_len,
        max_num_batched_tokens=settings.max_num_batched_tokens,
        max_num_seqs=settings.max_num_seqs,
        enable_prefix_caching=settings.prefix_caching,
        tensor_parallel_size=settings.tensor_parallel,
        enforce_eager=settings.enforce_eager,
        gpu_memory_utilization=run.gpu_memory_share,
        limit_mm_per_prompt={"image": settings.images_per_prompt},
        mm_processor_kwargs=json.loads(settings.processor) or None,
        mm_processor_cache_gb=0,  # an image is used once, or for prompts that follow one another
        structured_outputs_config={"backend": "xgrammar", "disable_any_whitespace": True},
        performance_mode="throughput",
        trust_remote_code=False,
        disable_log_stats=True,
        enable_log_requests=False,
    )


def sampling_of(ask: Ask, defaults: Mapping[str, Any]) -> SamplingParams:
    """How a prompt's words are drawn.

    Args:
        ask: The prompt.
        defaults: What the model itself asks for, for all that the prompt leaves open.

    Raises:
        ValueError: A field is none that vLLM knows, or has a value that it refuses.
    """
    sampling = ask.sampling
    extra: dict[str, Any] = json.loads(sampling.extra)
    extra.pop("chat_template_kwargs", None)
    if unknown := sorted(extra.keys() - set(SamplingParams.__struct_fields__)):
        raise ValueError(f"vLLM knows no {', '.join(unknown)}")
    named = {"temperature": sampling.temperature, "top_p": sampling.top_p, "seed": ask.seed}
    chosen = {name: value for name, value in named.items() if value is not None}
    return SamplingParams(
        **{**defaults, **chosen, **extra},
        max_tokens=sampling.max_tokens,
        structured_outputs=_structure(ask),
        output_kind=RequestOutputKind.FINAL_ONLY,
    )


def _structure(ask: Ask) -> StructuredOutputsParams | None:
    if not ask.schema or ask.sampling.structured == "none":
        return None
    if ask.sampling.structured == "json_object":
        return StructuredOutputsParams(json_object=True)
    return StructuredOutputsParams(json=ask.schema)


def conversation_of(ask: Ask) -> list[Any]:
    """The messages in the words of vLLM: images decoded, and known by their digest."""
    messages: list[Any] = ask.messages  # JSON of our own making
    return [
        message
        if isinstance(message["content"], str)
        else {**message, "content": [_part(part, ask.images) for part in message["content"]]}
        for message in messages
    ]


def _part(part: Mapping[str, Any], images: Mapping[str, bytes]) -> Mapping[str, Any]:
    if part["type"] != "image":
        return part
    digest = part["digest"]
    image = Image.open(BytesIO(images[digest]), formats=["PNG", "JPEG"]).convert("RGB")
    return {"type": "image_pil", "image_pil": image, "uuid": digest}


class Engine:
    """AsyncLLM, and what is needed to ask it.

    Args:
        settings: What it is.
        engine: The engine itself.
    """

    def __init__(self, settings: EngineSettings, engine: AsyncLLM) -> None:
        self._settings = settings
        self._engine = engine
        self._defaults = engine.model_config.get_diff_sampling_param()
        self._defaults.pop("max_tokens", None)

    async def say(self, ask: Ask) -> Said:
        """The answer to a prompt, or the error that is its alone.

        Raises:
            EngineDeadError: The engine ended.
        """
        try:
            prompt = await self._rendered(ask)
            tokens = len(prompt["prompt_token_ids"])
            most = self._settings.max_model_len
            if tokens + ask.sampling.max_tokens > most:
                return _error(
                    ask,
                    f"too_long: {tokens} tokens to read and {ask.sampling.max_tokens} to write, "
                    f"of {most} that the engine takes",
                )
            parameters = sampling_of(ask, self._defaults)
            outputs = self._engine.generate(prompt, parameters, str(ask.number))
            (output,) = [output async for output in outputs]
        except EngineDeadError:
            raise
        except _REFUSALS as error:
            return _error(ask, f"refused: {_reason(error)}")
        return _said(ask, output)

    async def _rendered(self, ask: Ask) -> Any:  # noqa: ANN401  vLLM's own record
        """The prompt in tokens, by the chat template of the model; never cut."""
        conversation = await asyncio.to_thread(conversation_of, ask) if ask.images else ask.messages
        wanted = json.loads(ask.sampling.extra).get("chat_template_kwargs", {})
        _, (prompt,) = await self._engine.renderer.render_chat_async(
            [conversation],
            ChatParams(chat_template_kwargs={"add_generation_prompt": True, **wanted}),
            TokenizeParams(max_total_tokens=None, add_special_tokens=False),
        )
        return prompt


def _said(ask: Ask, output: Any) -> Said:  # noqa: ANN401  vLLM's own record
    written = output.outputs[0]
    if written.finish_reason not in ("stop", "length"):
        return _error(ask, f"server_error: the engine ended it with {written.finish_reason}")
    answer = Answer(
        # Half of a character outside the basic plane cannot be stored.
        text=written.text.encode("utf-8", "replace").decode("utf-8"),
        finish_reason=written.finish_reason,
        tokens_in=len(output.prompt_token_ids),
        tokens_out=len(written.token_ids),
    )
    return Said(number=ask.number, answer=answer, cached=output.num_cached_tokens or 0)


def _error(ask: Ask, reason: str) -> Said:
    answer = Answer(text="", finish_reason="error", error=reason)
    return Said(number=ask.number, answer=answer)


def _reason(error: BaseException) -> str:
    """What went wrong, without a word of the prompt: messages of libraries may repeat it."""
    own = str(error) if type(error) is ValueError and str(error).startswith("vLLM knows no") else ""
    return own or type(error.__cause__ or error).__name__


class Serving:
    """Answers the prompts that come through a pipe, many at a time; used in an event loop.

    Args:
        pipe: This end of it.
        engine: Who answers.
    """

    def __init__(self, pipe: Connection, engine: Engine) -> None:
        self._pipe = pipe
        self._engine = engine
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()

    def read(self) -> None:
        """Take prompts until the other end is gone; in a thread of its own."""
        try:
            while True:
                self._loop.call_soon_threadsafe(self._begin, self._pipe.recv())
        except (EOFError, OSError):
            end_all()

    def _begin(self, ask: Ask) -> None:
        task = self._loop.create_task(self._answer(ask))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def _answer(self, ask: Ask) -> None:
        self._pipe.send(await self._engine.say(ask))

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error:  # a prompt without an answer would be waited for without end
            sys.stderr.write(f"{type(error).__name__}: while a prompt was answered\n")
            end_all()


async def serve(pipe: Connection, start: Start) -> None:
    """Start an engine, and answer prompts until the other end is gone."""
    engine = Engine(start.settings, AsyncLLM.from_engine_args(engine_arguments(start)))
    serving = Serving(pipe, engine)
    pipe.send(Ready())
    threading.Thread(target=serving.read, daemon=True).start()
    await asyncio.Event().wait()


def end_all() -> None:
    """End this process and all that it started; the one that watches it starts it again."""
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    pipe = connection_of(sys.argv[1])
    asyncio.run(serve(pipe, pipe.recv()))
