"""Which model writes texts, and how: all of it that decides what the texts say."""

from dataclasses import asdict, dataclass, field
from typing import Literal, TypeAlias

from converters.errors import SettingsError
from converters.records import Json
from pipeline.model_request import Sampling
from pipeline.prompts import Mode

TEMPERATURE = 0.7
ModelCaptionerName: TypeAlias = Literal["openai", "vllm"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelSettings:
    """A model and what it is given.

    Where it is served and how fast it is asked decide nothing of what it says and are not here,
    see :mod:`pipeline.server_settings`.

    Attributes:
        captioner: Who asks it: "openai" over HTTP, "vllm" in an engine of this build.
        model: Name that the server knows it by, or the folder of its weights.
        revision: Which weights: a commit, or a digest of the index of the weights; "" where a
            server does not say.
        mode: What it is given, see :mod:`pipeline.prompts`.
        sampling: How it draws its words. Above temperature 0 each pair has a draw of its own, so
            that images with the same facts do not share a text; at 0 they do, and it is paid once.
        engine: Canonical JSON of the engine that runs it, see
            :class:`pipeline.engine_settings.EngineSettings`; "" where a server runs it.
        attempts: How often it is asked for one text before the template's text takes its place.
    """

    captioner: ModelCaptionerName
    model: str
    revision: str = ""
    mode: Mode = "facts"
    sampling: Sampling = field(default_factory=lambda: Sampling(temperature=TEMPERATURE))
    engine: str = ""
    attempts: int = 3

    def __post_init__(self) -> None:
        if not self.model.strip():
            raise SettingsError("--model", "no model is named", "give the name the server knows")
        if self.attempts < 1:
            raise SettingsError("--attempts", f"is {self.attempts}", "at least 1")

    def identity(self) -> dict[str, Json]:
        """Everything set, for the digest of a partition and the receipt."""
        return asdict(self)
