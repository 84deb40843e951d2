"""How fast the captioner with vLLM is, against vLLM's own batch call, and what its order saves.

Both run the same model with the same settings on the same prompts: captions and region captions of
generated twins, with the schema of their format, at temperature 0. Both engines are up all the
time and take turns, set after set of prompts that neither has seen; the one that goes first
changes. The batch call, ``LLM.generate``, is given prompts that were rendered beforehand; ours
renders them, hands answers over one by one and counts what it uses. The table gives the median and
the spread of the ratios of the sets, and CPU seconds of all processes of each.

Then the share of prompt tokens that the engine had kept from prompts before, in the order of a
build and shuffled over all sources, each in an engine that is fresh.

    python benchmarks/engine.py [--model DIR] [--prompts 32] [--sets 5] [--max-tokens 64] [--gpu]

Without --model it is SmolLM2-135M-Instruct, see tests/models/smollm2.py. Needs vLLM.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from pipeline.engine_settings import EngineRun, EngineSettings, stated  # noqa: E402
from pipeline.model_request import Request, Sampling, request_of  # noqa: E402
from pipeline.prompts import ModelPrompt  # noqa: E402
from pipeline.vllm_captioner import VllmCaptioner  # noqa: E402
from tests.models.smollm2 import smollm2  # noqa: E402
from tests.models.twin_prompts import twin_prompts  # noqa: E402

SOURCES = (
    "bccd", "msd_task04_hippocampus", "brain_tumor_sartaj", "btcv_abdomen", "kits23", "lits",
    "chestx_det", "vindr_cxr", "verse", "acdc", "camus", "idrid_localization",
)  # fmt: skip


@dataclass(kw_only=True)
class Runs:
    """What came of the sets of one side."""

    tokens: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)

    @property
    def speeds(self) -> list[float]:
        """Tokens written a second, set by set."""
        return [n / s for n, s in zip(self.tokens, self.seconds, strict=True)]


def cpu_of(pids: Sequence[int]) -> float:
    """CPU seconds of processes and all that they started."""
    found = [psutil.Process(pid) for pid in pids]
    every = [*found, *(child for one in found for child in one.children(recursive=True))]
    return sum(sum(one.cpu_times()[:2]) for one in every)


class Batch:
    """The other side: vLLM's own batch call in a process of its own."""

    def __init__(self, settings: EngineSettings, run: EngineRun, log: Path) -> None:
        with log.open("w") as errors:
            self.process = subprocess.Popen(
                [sys.executable, str(ROOT / "benchmarks" / "engine_batch.py")],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True,
                env={**os.environ, "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1",
                     "HF_HUB_OFFLINE": "1", "VLLM_CPU_KVCACHE_SPACE": str(run.cpu_cache_gib)},
            )  # fmt: skip
        self._write({"settings": asdict(settings), "run": asdict(run)})
        self._read("READY")

    def run(self, requests: Sequence[Request]) -> tuple[int, float]:
        """Tokens written, and seconds."""
        self._write(
            {
                "messages": [request.messages(None) for request in requests],
                "max_tokens": requests[0].sampling.max_tokens,
                "schema": requests[0].schema,
            }
        )
        said = json.loads(self._read("SAID"))
        return said["tokens"], said["seconds"]

    def end(self) -> None:
        """End it, with all that it started."""
        started = psutil.Process(self.process.pid).children(recursive=True)
        for one in (self.process, *started):
            one.kill()
        self.process.wait()

    def _write(self, message: dict) -> None:
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def _read(self, word: str) -> str:
        for line in self.process.stdout:
            if line.startswith(word):
                return line[len(word) :]
        raise RuntimeError("the batch call ended")


def run_ours(ours: VllmCaptioner, requests: Sequence[Request]) -> tuple[int, float]:
    """Tokens written, and seconds."""
    begun = time.perf_counter()
    answers = ours.caption(requests)
    seconds = time.perf_counter() - begun
    if errors := {answer.error for answer in answers if answer.error}:
        raise RuntimeError(f"errors: {errors}")
    return sum(answer.tokens_out for answer in answers), seconds


def requests_of(
    prompts: Sequence[ModelPrompt], settings: EngineSettings, max_tokens: int
) -> list[Request]:
    """Prompts as both sides are asked."""
    return [
        request_of(
            prompt, model=settings.name, revision=settings.revision, image_digest="",
            sampling=Sampling(max_tokens=max_tokens),
        )
        for prompt in prompts
    ]  # fmt: skip


def race(
    requests: list[Request], size: int, settings: EngineSettings, run: EngineRun, log: Path
) -> tuple[Runs, Runs, tuple[float, ...]]:
    """Both sides in turn over sets of prompts; the first set is for warming up.

    Returns:
        What came of each, and what a prompt of ours is: tokens read, of them kept, and written.
    """
    mine, theirs = Runs(), Runs()
    batch = Batch(settings, run, log)
    try:
        with VllmCaptioner(settings, run) as ours:
            sets = [requests[at : at + size] for at in range(0, len(requests), size)]
            for number, some in enumerate(sets):
                sides = [(mine, lambda r: run_ours(ours, r), lambda: ours.engine_pids),
                         (theirs, batch.run, lambda: [batch.process.pid])]  # fmt: skip
                for runs, ask, pids in sides if number % 2 else reversed(sides):
                    before = cpu_of(pids())
                    tokens, seconds = ask(some)
                    if number:
                        runs.tokens.append(tokens)
                        runs.seconds.append(seconds)
                        runs.cpu_seconds.append(cpu_of(pids()) - before)
            used = ours.usage
            sums = (used.tokens_in, ours.cached_tokens, used.tokens_out)
    finally:
        batch.end()
    return mine, theirs, tuple(total / used.answered for total in sums)


def hits(requests: Sequence[Request], settings: EngineSettings, run: EngineRun) -> float:
    """Share of prompt tokens that a fresh engine had kept."""
    with VllmCaptioner(settings, run) as ours:
        run_ours(ours, requests)
        return ours.cached_tokens / ours.usage.tokens_in


def show(mine: Runs, theirs: Runs) -> Table:
    """The first table."""
    table = Table("", "tokens/s", "lowest", "highest", "CPU s / 1,000 tokens", "tokens",
                  title="the captioner with vLLM, against LLM.generate")  # fmt: skip
    for name, runs in (("ours", mine), ("LLM.generate", theirs)):
        cpu = 1000 * sum(runs.cpu_seconds) / sum(runs.tokens)
        table.add_row(name, f"{statistics.median(runs.speeds):.1f}", f"{min(runs.speeds):.1f}",
                      f"{max(runs.speeds):.1f}", f"{cpu:.2f}", f"{sum(runs.tokens):,}")  # fmt: skip
    ratios = [a / b for a, b in zip(mine.speeds, theirs.speeds, strict=True)]
    table.add_row("ratio", f"{statistics.median(ratios):.3f}", f"{min(ratios):.3f}",
                  f"{max(ratios):.3f}", "", "")  # fmt: skip
    return table


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path)
    parser.add_argument("--prompts", type=int, default=32, help="in a set")
    parser.add_argument("--sets", type=int, default=5)
    parser.add_argument("--max-tokens", type=int, default=64)
    parser.add_argument("--seqs", type=int, default=32, help="prompts at once")
    parser.add_argument("--order", type=int, default=0, help="prompts of the second table")
    parser.add_argument("--gpu", action="store_true", help="with compiled graphs")
    given = parser.parse_args()
    settings = EngineSettings(
        model=str(given.model or smollm2()), max_model_len=2048, max_num_seqs=given.seqs,
        max_num_batched_tokens=8192 if given.gpu else 2048, enforce_eager=not given.gpu,
    )  # fmt: skip
    run = EngineRun(cpu_cache_gib=1, gpu_memory_share=0.4)
    with tempfile.TemporaryDirectory() as folder:
        prompts = [one for one, _ in twin_prompts(SOURCES, Path(folder), images=24)]
        settings = stated(settings)
        every = requests_of(prompts, settings, given.max_tokens)
        unique = list({request.key: request for request in every}.values())
        wanted = given.prompts * (given.sets + 1)
        print(f"{len(unique)} prompts, of {len(every)}; {wanted} are used")
        step = max(1, len(unique) // wanted)
        used = unique[::step][:wanted]
        mine, theirs, (read, kept, written) = race(
            used, given.prompts, settings, run, Path(folder) / "log"
        )
    Console(width=110).print(show(mine, theirs))
    print(f"a prompt: {read:.0f} tokens read, of them {kept:.0f} kept; {written:.0f} written")
    if given.order:
        in_order = requests_of(prompts, settings, 1)[: given.order]
        shuffled = random.Random(0).sample(in_order, len(in_order))
        table = Table("order", "prompts", "share of prompt tokens kept", title="prefix caching")
        for name, some in (("of a build", in_order), ("shuffled", shuffled)):
            table.add_row(name, str(len(some)), f"{hits(some, settings, run):.3f}")
        Console(width=110).print(table)


if __name__ == "__main__":
    main()
