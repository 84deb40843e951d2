"""Options of gmai-build for texts that a model writes."""

import argparse

from converters.errors import SettingsError
from pipeline.command_line import folder, positive

CAPTIONERS = ("template", "openai")
_FOR_MODELS = (
    "model", "base_url", "api_key_env", "revision", "mode", "temperature", "seed",
    "max_output_tokens", "structured", "request_fields", "attempts", "concurrency",
    "max_tokens_per_minute", "budget_tokens", "allow_image_egress", "reuse", "retry",
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
                     help="who writes these texts: templates alone, or a model behind an "
                     "OpenAI-compatible server (default: %(default)s)")  # fmt: skip
    out.add_argument("--model", metavar="NAME", help="name that the server knows the model by")
    out.add_argument("--base-url", action="append", metavar="URL",
                     help="address of the server, often ending in /v1; may be repeated for several "
                     "servers of the same model")  # fmt: skip
    out.add_argument("--api-key-env", metavar="VAR",
                     help="environment variable that holds the key (default: no key)")  # fmt: skip
    out.add_argument("--revision", metavar="TEXT",
                     help="which weights the server has, for the record and the store of answers: "
                     "a commit, or a digest (default: not stated)")  # fmt: skip
    out.add_argument("--mode", choices=["facts", "vision", "free"],
                     help="what the model is given: the annotation, the image with it, or the "
                     "image alone as a control (default: facts)")  # fmt: skip
    out.add_argument("--allow-image-egress", action="store_true", default=None,
                     help="let images be sent to the server (modes vision and free)")  # fmt: skip
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
    out.add_argument("--concurrency", type=positive, metavar="N",
                     help="most requests at once at each server (default: 64)")  # fmt: skip
    out.add_argument("--max-tokens-per-minute", type=positive, metavar="N",
                     help="most tokens in any minute (default: no limit)")  # fmt: skip
    out.add_argument("--budget-tokens", type=positive, metavar="N",
                     help="most tokens in all; the build stops there, and goes on with a larger "
                     "budget (default: no limit)")  # fmt: skip
    out.add_argument("--reuse", action="append", type=folder, metavar="DIR",
                     help="out folder of another build whose answers are taken where they fit; may "
                     "be repeated")  # fmt: skip
    out.add_argument("--retry", choices=["failed"],
                     help="ask again for texts that the model gave no answer to")  # fmt: skip


def require_fitting(arguments: argparse.Namespace) -> None:
    """Raise SettingsError where options do not fit together."""
    if arguments.captioner == "template":
        given = [name for name in _FOR_MODELS if getattr(arguments, name) is not None]
        if given:
            option = f"--{given[0].replace('_', '-')}"
            raise SettingsError(option, "is for a captioner with a model", "add --captioner openai")
        return
    for name in ("model", "base_url"):
        if not getattr(arguments, name):
            option = f"--{name.replace('_', '-')}"
            raise SettingsError(option, "is missing", f"--captioner {arguments.captioner} needs it")
    if arguments.mode in ("vision", "free") and not arguments.allow_image_egress:
        raise SettingsError(
            f"--mode {arguments.mode}",
            "sends images to the server",
            "allow it with --allow-image-egress, or use --mode facts",
        )
