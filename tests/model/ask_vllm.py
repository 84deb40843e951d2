"""Asks a model folder a question through vLLM on a CPU, and prints the tokens of the answer.

A program of its own, since vLLM lives in an environment of its own. Arguments: folder of the model,
picture, text file with the prompt, how many tokens. Where torchvision is absent (there is no build
of it for torch on CPUs), an empty one stands in: vLLM imports it, and needs nothing of it for CLIP.
"""

import importlib.util
import json
import os
import sys
import tempfile
from pathlib import Path

_EMPTY = """
import enum

class InterpolationMode(enum.Enum):
    NEAREST = "nearest"
    NEAREST_EXACT = "nearest-exact"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    LANCZOS = "lanczos"
    BOX = "box"
    HAMMING = "hamming"

class _Nothing:
    def __init__(self, *arguments, **options):
        pass

__version__ = "0.28.0"

def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return _Nothing
"""
_FOLDERS = ("", "io", "transforms", "transforms/functional", "transforms/v2",
            "transforms/v2/functional")  # fmt: skip


def _without_torchvision() -> None:
    """Put the empty package where this process and those that it starts find it."""
    folder = Path(tempfile.mkdtemp())
    for name in _FOLDERS:
        (folder / "torchvision" / name).mkdir(parents=True)
        (folder / "torchvision" / name / "__init__.py").write_text(_EMPTY)
    os.environ["PYTHONPATH"] = str(folder)
    sys.path.insert(0, str(folder))
    import transformers.utils.import_utils as imports
    from transformers import utils

    for where in (utils, imports):
        for name in ("is_torchvision_available", "is_torchvision_v2_available"):
            setattr(where, name, lambda *_: False)
    for name in [name for name in imports.BACKENDS_MAPPING if "torchvision" in name]:
        _, message = imports.BACKENDS_MAPPING[name]
        imports.BACKENDS_MAPPING[name] = (lambda *_: False, message)


def main(folder: str, picture: str, prompt: str, count: str) -> None:
    """Load, ask, print."""
    os.environ.update(
        VLLM_CPU_KVCACHE_SPACE="1", HF_HUB_OFFLINE="1", VLLM_LOGGING_LEVEL="ERROR",
        VLLM_ENABLE_V1_MULTIPROCESSING="0", VLLM_NO_USAGE_STATS="1",
    )  # fmt: skip
    if importlib.util.find_spec("torchvision") is None:
        _without_torchvision()
    from PIL import Image
    from vllm import LLM, SamplingParams

    model = LLM(
        model=folder, enforce_eager=True, dtype="float32", max_model_len=512,
        limit_mm_per_prompt={"image": 1},
    )  # fmt: skip
    asked = {
        "prompt": Path(prompt).read_text("utf-8"),
        "multi_modal_data": {"image": Image.open(picture).convert("RGB")},
    }
    greedy = SamplingParams(temperature=0, max_tokens=int(count), ignore_eos=True)
    answer = model.generate(asked, greedy)[0].outputs[0]
    print("\nANSWER", json.dumps(list(answer.token_ids)))  # noqa: T201 - what the program is for


if __name__ == "__main__":
    main(*sys.argv[1:])
