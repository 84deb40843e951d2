"""Options of gmai-build for texts that a model writes."""

import argparse
from collections.abc import Iterable

from converters.errors import SettingsError
from pipeline.command_line import folder, positive

CAPTIONERS = ("template", "openai", "vllm")
_FOR_SERVERS = (
    "base_url", "api_key_env", "allow_image_egress", "concurrency", "max_tokens_per_minute",
    "budget_tokens",
)  # fmt: skip
_FOR_ENGINES = (
    "engines", "tensor_parallel", "max_model_len", "max_num_batched_tokens", "max_num_seqs",
    "dtype", "enforce_eager", "batch_invariant", "gpu_memory_share", "cpu_cache_gib",
)  # fmt: skip
_FOR_MODELS = (
    "model", "revision", "mode", "temperature", "seed", "max_output_tokens", "structured",
    "request_fields", "attempts", "reuse", "retry",
)  # fmt: skip


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Add them, in a group of their own."""
    out = parser.add_argument_group(
        "texts of a model",
        "A model writes captions and region captions from the annotation; each text is checked "
        "against it, asked for again where it fails, and replaced by the template's at last. "
        "Every answer is kept in OUT/.gmai/answers and never paid for twice.",
    )
    out.add_argument("--captioner", choices=CAPTIONERS, default="template",
                     help="who writes these texts: templates alone, a model behind an "
                     "OpenAI-compatible server, or a model that vLLM runs here "
                     "(default: %(default)s)")  # fmt: skip
    out.add_argument("--model", metavar="NAME",
                     help="name that the server knows the model by; for vLLM a folder with its "
                     "weights, or a name on the hub of Hugging Face")  # fmt: skip
    out.add_argument("--revision", metavar="TEXT",
                     help="which weights: a commit, or a digest (default: not stated; for a folder "
                     "the digest of its files)")  # fmt: skip
    out.add_argument("--mode", choices=["facts", "vision", "free"],
                     help="what the model is given: the annotation, the image with it, or the "
                     "image alone as a control (default: facts)")  # fmt: skip
    out.add_argument("--temperature", type=float, metavar="T",
                     help="of sampling; at 0, images with the same facts share one text "
                     "(default: 0.7)")  # fmt: skip
    out.add_argument("--seed", type=int, metavar="N", help="of sampling (default: 0)")
    out.add_argument("--max-output-tokens", type=positive, metavar="N",
                     help="longest answer (default: 512)")  # fmt: skip
    out.add_argument("--structured", choices=["json_schema", "json_object", "none"],
                     help="how answers are made to fit (default: json_schema)")  # fmt: skip
    out.add_argument("--request-fields", metavar="JSON",
                     help="more fields of each request, as "
                     '\'{"chat_template_kwargs": {"enable_thinking": false}}\'')  # fmt: skip
    out.add_argument("--attempts", type=positive, metavar="N",
                     help="times that a text is asked for before the template's takes its place "
                     "(default: 3)")  # fmt: skip
    out.add_argument("--reuse", action="append", type=folder, metavar="DIR",
                     help="out folder of another build whose answers are taken where they fit; may "
                     "be repeated")  # fmt: skip
    out.add_argument("--retry", choices=["failed"],
                     help="ask again for texts that the model gave no answer to")  # fmt: skip
    add_server_options(parser.add_argument_group("a model behind a server (--captioner openai)"))
    _add_engine_options(parser)


def add_server_options(out: argparse._ActionsContainer) -> None:
    """Add those that say where a model is served, and how fast it is asked."""
    out.add_argument("--base-url", action="append", metavar="URL",
                     help="address of the server, often ending in /v1; may be repeated for several "
                     "servers of the same model")  # fmt: skip
    out.add_argument("--api-key-env", metavar="VAR",
                     help="environment variable that holds the key (default: no key)")  # fmt: skip
    out.add_argument("--allow-image-egress", action="store_true", default=None,
                     help="let images be sent to the server (modes vision and free)")  # fmt: skip
    out.add_argument("--concurrency", type=positive, metavar="N",
                     help="most requests at once at each server (default: 64)")  # fmt: skip
    out.add_argument("--max-tokens-per-minute", type=positive, metavar="N",
                     help="most tokens in any minute (default: no limit)")  # fmt: skip
    out.add_argument("--budget-tokens", type=positive, metavar="N",
                     help="most tokens in all; the build stops there, and goes on with a larger "
                     "budget (default: no limit)")  # fmt: skip


def _add_engine_options(parser: argparse.ArgumentParser) -> None:
    out = parser.add_argument_group("a model that vLLM runs here (--captioner vllm)")
    out.add_argument("--engines", type=positive, metavar="N",
                     help="engines, each with GPUs of its own (default: 1)")  # fmt: skip
    out.add_argument("--tensor-parallel", type=positive, metavar="N",
                     help="GPUs that hold the model together (default: 1)")  # fmt: skip
    out.add_argument("--max-model-len", type=positive, metavar="N",
                     help="most tokens of a prompt and its answer (default: 4096)")  # fmt: skip
    out.add_argument("--max-num-batched-tokens", type=positive, metavar="N",
                     help="most tokens of one step of the engine (default: 8192)")  # fmt: skip
    out.add_argument("--max-num-seqs", type=positive, metavar="N",
                     help="most prompts served at once (default: 256)")  # fmt: skip
    out.add_argument("--dtype", metavar="TYPE", help="type of the weights (default: auto)")
    out.add_argument("--enforce-eager", action="store_true", default=None,
                     help="run without compiled graphs: starts faster, runs slower")  # fmt: skip
    out.add_argument("--batch-invariant", action="store_true", default=None,
                     help="the same text whatever else is served at the time; slower")  # fmt: skip
    out.add_argument("--gpu-memory-share", type=float, metavar="X",
                     help="share of a GPU's memory for an engine (default: 0.9)")  # fmt: skip
    out.add_argument("--cpu-cache-gib", type=positive, metavar="N",
                     help="memory for kept prompts without a GPU (default: 2)")  # fmt: skip


def require_fitting(arguments: argparse.Namespace) -> None:
    """Raise SettingsError where options do not fit together."""
    captioner = arguments.captioner
    if captioner == "template":
        _refuse(arguments, (*_FOR_MODELS, *_FOR_SERVERS, *_FOR_ENGINES), "add --captioner openai")
        return
    others = _FOR_ENGINES if captioner == "openai" else _FOR_SERVERS
    _refuse(arguments, others, f"leave it out with --captioner {captioner}")
    for name in ("model", "base_url") if captioner == "openai" else ("model",):
        if not getattr(arguments, name):
            raise SettingsError(_option(name), "is missing", f"--captioner {captioner} needs it")
    is_sent = captioner == "openai" and arguments.mode in ("vision", "free")
    if is_sent and not arguments.allow_image_egress:
        raise SettingsError(
            f"--mode {arguments.mode}",
            "sends images to the server",
            "allow it with --allow-image-egress, or use --mode facts",
        )


def _refuse(arguments: argparse.Namespace, names: Iterable[str], remedy: str) -> None:
    given = [name for name in names if getattr(arguments, name) is not None]
    if given:
        raise SettingsError(_option(given[0]), "is for another captioner", remedy)


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
