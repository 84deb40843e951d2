"""The captioner of a build with a model, and the store of its answers, while the build runs."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline.answers import AnswerStore
from pipeline.asking import Asking, ModelCaptioner
from pipeline.engine_settings import EngineRun, EngineSettings
from pipeline.server_settings import ServerSettings


@dataclass(frozen=True, kw_only=True, slots=True)
class Engine:
    """A model that runs in the build itself."""

    settings: EngineSettings
    run: EngineRun


@dataclass(frozen=True, kw_only=True, slots=True)
class Connection:
    """How the model is reached; nothing of it decides a text.

    Attributes:
        to: Where it is served, or the engine that runs it.
        reuse: Out folders of other builds, whose answers are taken where they fit.
        is_alone: Whether no other driver keeps answers in the same out folder now.
    """

    to: ServerSettings | Engine
    reuse: Sequence[Path] = ()
    is_alone: bool = True


@contextmanager
def captioning(connection: Connection, out: Path) -> Iterator[Asking]:
    """Ask a model through the store of answers beside a build.

    Entered after worker processes are forked: it has threads.

    Args:
        connection: How the model is reached.
        out: The out folder.

    Raises:
        SettingsError: The key is not set, vLLM is not installed, or a folder to reuse holds no
            answers.
        OSError: The store cannot be written.
    """
    with ExitStack() as stack:
        store = stack.enter_context(AnswerStore(out, connection.reuse))
        captioner = _enter(stack, connection.to)
        yield Asking(captioner=captioner, store=store)
        if connection.is_alone:
            store.merge_left()


def _enter(stack: ExitStack, to: ServerSettings | Engine) -> ModelCaptioner:
    if isinstance(to, ServerSettings):
        from pipeline.openai_captioner import OpenAICaptioner

        return stack.enter_context(OpenAICaptioner(to))
    from pipeline.vllm_captioner import VllmCaptioner

    return stack.enter_context(VllmCaptioner(to.settings, to.run))
