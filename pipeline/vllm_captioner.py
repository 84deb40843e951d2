"""A model that runs here, in vLLM: in engine processes of its own, watched and started again.

An engine starts with the first prompt, so that a build whose answers are all kept starts none.
An error of one prompt is that prompt's alone and comes back as its answer; what no other prompt
would survive is raised to everybody. This module imports no vLLM: :mod:`pipeline.vllm_engine` does,
in the engine's process.
"""

import os
import threading
from concurrent.futures import Future

from converters.errors import SettingsError
from pipeline.captioner import Answer, Usage
from pipeline.digests import canonical
from pipeline.engine_jobs import Job
from pipeline.engine_messages import VLLM_ENGINE, EngineProcess, EngineStarter, Said, Start
from pipeline.engine_settings import EngineRun, EngineSettings, stated
from pipeline.engine_watch import EngineWatch
from pipeline.model_captioner import ModelCaptionerBase, OnAnswer, require_named_image
from pipeline.model_request import Request

_REFUSED_AT_FIRST = 20  # prompts refused in a row, none answered before: it is not the prompts


class VllmCaptioner(ModelCaptionerBase):
    """Asks a model that runs here.

    Attributes:
        name: "vllm".
        model: What requests call the model.
        revision: Which weights, for requests.
        engine: What decides, beside a request, what it says; whole.
        settings: The same as canonical JSON.
        usage: What was used so far.
        cached_tokens: Tokens of prompts that engines had kept from others.

    Args:
        settings: The engine.
        run: How it is run here.
        start: Starts an engine at a place; vLLM where None.

    Raises:
        SettingsError: vLLM is not installed, or the model has no weights or no commit.
    """

    name = "vllm"

    def __init__(
        self,
        settings: EngineSettings,
        run: EngineRun | None = None,
        start: EngineStarter | None = None,
    ) -> None:
        run = run or EngineRun()
        self.engine = stated(settings)
        self.model = self.engine.name
        self.revision = self.engine.revision
        self.settings = canonical(self.engine.record())
        self.usage = Usage()
        self.cached_tokens = 0
        self._refused = 0
        self._counting = threading.Lock()  # several engines answer
        most = run.in_flight or 2 * settings.max_num_seqs
        starter = start or (lambda place: start_vllm(self.engine, run, place))
        self._watch = EngineWatch(starter, run, most, self._note)

    @property
    def starts(self) -> int:
        """How often an engine was started."""
        return self._watch.starts

    @property
    def engine_pids(self) -> list[int]:
        """The processes of the engines that run now."""
        return self._watch.pids

    def submit(
        self, request: Request, image: bytes = b"", on_answer: OnAnswer = lambda _answer: None
    ) -> "Future[Answer]":
        """Begin to ask, see :meth:`ModelCaptionerBase.submit`.

        Raises:
            ValueError: The request is for another model, or the image is not the one that it names.
        """
        if (request.model, request.revision) != (self.model, self.revision):
            raise ValueError("the request is for another model")
        if request.image_digest:
            require_named_image(request, image)
        job = Job(request=request, image=image, on_answer=on_answer, future=Future())
        self._watch.put(job)
        return job.future

    def close(self) -> None:
        """End the engines; what is in flight is given up."""
        self._watch.close()

    def _note(self, said: Said) -> None:
        """Count an answer, or an error."""
        answer = said.answer
        with self._counting:
            self.usage.sent += 1
            if not answer.error:
                self._refused = 0
                self.usage.answered += 1
                self.usage.tokens_in += answer.tokens_in
                self.usage.tokens_out += answer.tokens_out
                self.cached_tokens += said.cached
                return
            self.usage.failed += 1
            self._refused += 1
            is_hopeless = not self.usage.answered and self._refused >= _REFUSED_AT_FIRST
        if is_hopeless:
            raise SettingsError(
                "captioner",
                f"the engine refused the first {_REFUSED_AT_FIRST} prompts; the last: "
                f"{answer.error}",
                "where prompts are too long, raise --max-model-len",
            )


def start_vllm(settings: EngineSettings, run: EngineRun, place: int) -> EngineProcess:
    """Start an engine of vLLM.

    Args:
        settings: What it is.
        run: How it is run.
        place: Which of several, from 0; it decides the GPUs.

    Raises:
        OSError: It cannot be started.
    """
    environment = {
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        "VLLM_BATCH_INVARIANT": str(int(settings.batch_invariant)),
        "VLLM_CPU_KVCACHE_SPACE": str(run.cpu_cache_gib),
    }
    if settings.is_folder:  # nothing is looked up elsewhere
        environment |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    if run.engines > 1:
        environment["CUDA_VISIBLE_DEVICES"] = _devices(place, settings.tensor_parallel)
    return EngineProcess(VLLM_ENGINE, Start(settings=settings, run=run), environment)


def _devices(place: int, count: int) -> str:
    """The GPUs of a place, of those that this process may use."""
    first = place * count
    usable = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = usable.split(",") if usable else [str(number) for number in range(first + count)]
    if len(names) < first + count:
        raise SettingsError(
            "--engines",
            f"engine {place + 1} finds no GPU among the {len(names)} that may be used",
            "ask for fewer engines, or allow more GPUs in CUDA_VISIBLE_DEVICES",
        )
    return ",".join(names[first : first + count])
