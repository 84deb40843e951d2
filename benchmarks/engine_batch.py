"""vLLM's own batch call, driven by benchmarks/engine.py: a line of JSON in, a line of JSON out."""

import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from vllm import LLM, SamplingParams
from vllm.sampling_params import StructuredOutputsParams

from pipeline.engine_messages import Start
from pipeline.engine_settings import EngineRun, EngineSettings
from pipeline.vllm_engine import engine_arguments


def main() -> None:
    """Answer one call after another."""
    first = json.loads(sys.stdin.readline())
    start = Start(settings=EngineSettings(**first["settings"]), run=EngineRun(**first["run"]))
    arguments = vars(engine_arguments(start))
    names = (
        "model", "dtype", "seed", "max_model_len", "max_num_batched_tokens", "max_num_seqs",
        "enable_prefix_caching", "tensor_parallel_size", "enforce_eager",
        "gpu_memory_utilization", "structured_outputs_config", "performance_mode",
        "disable_log_stats",
    )  # fmt: skip
    llm = LLM(**{name: arguments[name] for name in names})
    tokenizer = llm.get_tokenizer()
    print("READY", flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        # Rendered before the clock starts: only the call itself is measured.
        prompts = [
            tokenizer.apply_chat_template(m, tokenize=False, add_generation_prompt=True)
            for m in asked["messages"]
        ]
        how = SamplingParams(
            temperature=0, seed=0, max_tokens=asked["max_tokens"],
            structured_outputs=StructuredOutputsParams(json=asked["schema"]),
        )  # fmt: skip
        begun = time.perf_counter()
        outputs = llm.generate(prompts, how, use_tqdm=False)
        seconds = time.perf_counter() - begun
        written = sum(len(output.outputs[0].token_ids) for output in outputs)
        print("SAID", json.dumps({"seconds": seconds, "tokens": written}), flush=True)


if __name__ == "__main__":
    main()
