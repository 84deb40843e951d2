"""The card of an exported model: what it is, what it learnt from, how well, and its limits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.attribution import plain
from pipeline.mixture_terms import conditions
from trainer.export_receipts import BuildReceipt

_LIMITS = (
    "Not for clinical use. It was not tested on patients, and no regulator has seen it.",
    "It answers in the manner of its training texts also where an image shows nothing it knows.",
    "Where the control above comes close to the model, the model answers from the question alone.",
    "Its weights come under the licences of its parts and of the sources above; which uses these "
    "allow is for the user to settle. `not stated` never means free.",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class CardFacts:
    """What a card tells.

    Attributes:
        name: Of the model.
        chat_format: See :mod:`trainer.chat_formats`.
        tokens_per_image: What an image costs.
        parameters: All of them.
        fit: How pictures are made square.
        weights: SHA-256 by file.
        training: What is known of the run, as lines of words.
        builds: What was trained on.
        evaluation: Groups of an evaluation, see :mod:`trainer.evaluate`; empty where none is.
    """

    name: str
    chat_format: str
    tokens_per_image: int
    parameters: int
    fit: str
    weights: Mapping[str, str]
    training: Sequence[str] = ()
    builds: Sequence[BuildReceipt] = ()
    evaluation: Mapping[str, Any] = field(default_factory=dict)


def model_card(facts: CardFacts) -> str:
    """The card as Markdown, with the YAML that model hubs read."""
    return "\n".join([
        "---", "library_name: transformers", "pipeline_tag: image-text-to-text", "license: other",
        "tags:", "- medical", "- llava", "---", "", f"# {facts.name}", "",
        *_what(facts), *_use(), *_training(facts), *_sources(facts.builds),
        *_evaluation(facts.evaluation), *_limits(), *_attribution(facts.builds),
    ])  # fmt: skip


def _what(facts: CardFacts) -> list[str]:
    fit = {
        "pad": "padded to a square", "crop": "cut to a square around their middle"
    }[facts.fit]  # fmt: skip
    return [
        f"A vision-language model of {facts.parameters:,} parameters for medical images: a CLIP "
        f"encoder, a projector of two layers and a language model. An image is "
        f"{facts.tokens_per_image} tokens; pictures are {fit}. Chat format: {facts.chat_format}.",
        "",
        "| file | SHA-256 |", "|---|---|",
        *(f"| {name} | `{digest}` |" for name, digest in facts.weights.items()), "",
    ]  # fmt: skip


def _use() -> list[str]:
    return [
        "## Use", "", "```python",
        "from PIL import Image",
        "from transformers import AutoProcessor, LlavaForConditionalGeneration", "",
        'processor = AutoProcessor.from_pretrained("DIR")',
        'model = LlavaForConditionalGeneration.from_pretrained("DIR")',
        'question = [{"role": "user", "content": "<image>\\nIs there a tumor?"}]',
        "text = processor.apply_chat_template(question, add_generation_prompt=True)",
        'inputs = processor(text=text, images=Image.open("FILE"), return_tensors="pt")',
        "answer = model.generate(**inputs, max_new_tokens=64, do_sample=False)",
        "```", "", "Or with vLLM: `vllm serve DIR`.", "",
    ]  # fmt: skip


def _training(facts: CardFacts) -> list[str]:
    known = [f"- {line}" for line in facts.training] or ["Not recorded with the weights."]
    return ["## Training", "", *known, ""]


def _sources(builds: Sequence[BuildReceipt]) -> list[str]:
    if not builds:
        return ["## Data", "", "No receipt of a build was given: it is not known from here.", ""]
    lines = ["## Data", ""]
    for build in builds:
        lines += [
            f"Build with receipt `sha256:{build.digest}`, made by gmai {build.version}. The "
            "receipt names the digest of every shard.", "",
            "| source | title | licence | evidence | access | pairs to train | manifest |",
            "|---|---|---|---|---|---|---|",
            *(
                f"| {s.name} | {_cell(s.title)} | {s.license} | {s.evidence} | {s.access} "
                f"| {s.train_pairs:,} | `{s.manifest_digest[:12]}` |"
                for s in build.sources
            ), "",
        ]  # fmt: skip
    return lines


def _attribution(builds: Sequence[BuildReceipt]) -> list[str]:
    sources = {one.name: one for build in builds for one in build.sources}
    if not sources:
        return []
    whole = conditions(one.terms for one in sources.values())
    return [
        "## Attribution", "", "Terms of the whole:", "", *(f"- {plain(line)}" for line in whole),
        "", *(line for one in sources.values() for line in one.attribution),
    ]  # fmt: skip


def _evaluation(evaluation: Mapping[str, Any]) -> list[str]:
    if not evaluation:
        return ["## Evaluation", "", "None was given.", ""]
    lines = [
        "## Evaluation", "",
        f"Split `{evaluation['split']}`, {evaluation['rows']:,} rows. The control gives each "
        "question the image of another row. The guess is the commonest answer to this format and "
        "source in the same rows.", "",
        "| group | rows | loss | control | answers | right | control | guess |",
        "|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for group in evaluation["groups"]:
        lines.append(
            f"| {group['by']} {_cell(group['name'])} | {group['rows']} | {group['loss']:.3f} "
            f"| {group['loss_shuffled']:.3f} | {group['answers']} | {_share(group, 'exact')} "
            f"| {_share(group, 'exact_shuffled')} | {_share(group, 'guess')} |"
        )
    return [*lines, ""]


def _share(group: Mapping[str, Any], name: str) -> str:
    return f"{group[name] / group['answers']:.1%}" if group["answers"] else "-"


def _limits() -> list[str]:
    return ["## Limits", "", *(f"- {line}" for line in _LIMITS), ""]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
