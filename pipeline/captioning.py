"""The captioner of a build with a model, and the store of its answers, while the build runs."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline.answers import AnswerStore
from pipeline.asking import Asking
from pipeline.server_settings import ServerSettings


@dataclass(frozen=True, kw_only=True, slots=True)
class Connection:
    """How the model is reached; nothing of it decides a text.

    Attributes:
        server: Where it is served.
        reuse: Out folders of other builds, whose answers are taken where they fit.
    """

    server: ServerSettings
    reuse: Sequence[Path] = ()


@contextmanager
def captioning(connection: Connection, out: Path) -> Iterator[Asking]:
    """Ask a model through the store of answers beside a build.

    Entered after worker processes are forked: it has threads.

    Args:
        connection: How the model is reached.
        out: The out folder.

    Raises:
        SettingsError: The key is not set, or a folder to reuse holds no answers.
        OSError: The store cannot be written.
    """
    from pipeline.openai_captioner import OpenAICaptioner

    with (
        AnswerStore(out, connection.reuse) as store,
        OpenAICaptioner(connection.server) as captioner,
    ):
        yield Asking(captioner=captioner, store=store)
        store.merge_left()
