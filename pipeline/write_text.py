"""Texts for a sample: drafts of each format, answered by the captioner, checked, made pairs."""

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from itertools import islice

from converters.manifest import Manifest
from converters.records import Json, Sample
from pipeline.box_notation import Notation
from pipeline.captioner import Answer, Captioner, Prompt, TemplateCaptioner
from pipeline.checks import Text, failed_check, names_of_checks
from pipeline.digests import digest_bytes
from pipeline.formats import format_module
from pipeline.mix import Mix, kept
from pipeline.model_settings import ModelSettings
from pipeline.pairs import Message, Pair, TextFailure
from pipeline.phrasing import has_template, in_language, render, template_digest, templates_of
from pipeline.prompts import facts_text
from pipeline.view import Draft, Labels, View, labels_of, turns_of
from pipeline.word_forms import WORD_LISTS


@dataclass(frozen=True, kw_only=True, slots=True)
class TextSettings:
    """What is written about each sample.

    Attributes:
        formats: Words of ``[format]`` in the vocabulary, in their fixed order.
        languages: Keys of :data:`pipeline.languages.LANGUAGES`.
        boxes: How boxes are written.
        model: The model that writes what a model can; None where templates write all.
        mix: Shares of the kinds of text; None keeps every pair.
    """

    formats: tuple[str, ...]
    languages: tuple[str, ...]
    boxes: Notation = "unit"
    model: ModelSettings | None = None
    mix: Mix | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Drafted:
    """What the template made of a draft.

    Attributes:
        outcome: The pair, or why there is none.
        draft: What it was made from.
        view: The sample that it is about.
    """

    outcome: Pair | TextFailure
    draft: Draft
    view: View


@lru_cache(maxsize=64)
def _labels(name: str, manifest: "_Kept") -> Labels:
    return labels_of(manifest.manifest)


class _Kept:
    """A manifest as a key of a cache: by its name and its identity."""

    def __init__(self, manifest: Manifest) -> None:
        self.manifest = manifest

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Kept) and other.manifest is self.manifest

    def __hash__(self) -> int:
        return id(self.manifest)


def text_identity(settings: TextSettings) -> dict[str, Json]:
    """Everything that decides the texts, for the digest of a partition."""
    captioner = TemplateCaptioner()
    templates = templates_of(settings.formats, settings.languages)
    return {
        "formats": list(settings.formats),
        "languages": list(settings.languages),
        "boxes": settings.boxes,
        "captioner": [captioner.name, captioner.revision, captioner.settings],
        "templates": {name: template_digest(name) for name in templates},
        **({"model": _model_identity(settings, settings.model)} if settings.model else {}),
        **({"mix": settings.mix.as_json} if settings.mix else {}),
    }


def _model_identity(settings: TextSettings, model: ModelSettings) -> dict[str, Json]:
    """The model, its prompts, and the words by which its texts are checked."""
    return {
        **model.identity(),
        "prompts": {n: template_digest(n) for n in templates_of(("prompts",), settings.languages)},
        "words": {path.name: digest_bytes(path.read_bytes()) for path in WORD_LISTS},
    }


def pairs_of(
    sample: Sample, manifest: Manifest, settings: TextSettings
) -> list[Pair | TextFailure]:
    """Every pair that can be made of a sample, in a fixed order.

    A draft that is in a language already, as a question in the source's own words, makes no pair
    in another one. The result depends on the sample, the manifest, the templates and the settings
    alone.
    """
    return [one.outcome for one in drafted_of(sample, manifest, settings)]


def drafted_of(sample: Sample, manifest: Manifest, settings: TextSettings) -> list[Drafted]:
    """What :func:`pairs_of` gives, each with the draft that it was made from."""
    view = View(
        sample=sample,
        manifest=manifest,
        labels=_labels(manifest.name, _Kept(manifest)),
        notation=settings.boxes,
    )
    captioner = TemplateCaptioner()
    made: list[Drafted] = []
    for language in settings.languages:
        facts = facts_text(view, language)
        said: list[Drafted] = []
        for name in settings.formats:
            drafts: list[Draft] = [
                draft
                for draft in format_module(name).drafts(view)
                if draft.language in ("", language)
                and has_template(in_language(draft.template, language))
            ]
            said += _written(view, name, language, drafts, facts, captioner)
        made += _mixed(settings.mix, said)
    return made


def _mixed(mix: Mix | None, made: list[Drafted]) -> list[Drafted]:
    """What stays of the pairs in one language; what failed its checks always does, to be told."""
    if mix is None:
        return made
    pairs = [one.outcome for one in made if isinstance(one.outcome, Pair)]
    stays = kept(mix, [(pair.pair_id, pair.format) for pair in pairs])
    gone = {pair.pair_id for pair, stay in zip(pairs, stays, strict=True) if not stay}
    return [
        one for one in made if not (isinstance(one.outcome, Pair) and one.outcome.pair_id in gone)
    ]


def _written(
    view: View,
    name: str,
    language: str,
    drafts: list[Draft],
    facts: str,
    captioner: Captioner,
) -> list[Drafted]:
    prompts = [
        Prompt(
            pair_id=_pair_id(view.sample.sample_id, name, language, draft.template, number),
            template=in_language(draft.template, language),
            variables=draft.variables,
            language=language,
            text=facts,
            block=f"answer{turn.block}",
        )
        for draft, number in zip(drafts, _numbers(drafts), strict=True)
        for turn in turns_of(draft)
    ]
    asked = zip(prompts, captioner.caption(prompts), strict=True)
    return [
        Drafted(
            outcome=_pair(view, name, draft, list(islice(asked, len(turns_of(draft)))), captioner),
            draft=draft,
            view=view,
        )
        for draft in drafts
    ]


def _numbers(drafts: list[Draft]) -> list[int]:
    """The number of each draft among those of its template: others do not move it."""
    seen: Counter[str] = Counter()
    numbers = []
    for draft in drafts:
        numbers.append(seen[draft.template])
        seen[draft.template] += 1
    return numbers


def _pair_id(sample_id: str, name: str, language: str, template: str, number: int) -> str:
    kind = template.split(".", 1)[0]  # without its language
    identity = f"{sample_id}\0{name}\0{kind}\0{language}\0{number}"
    return sha256(identity.encode()).hexdigest()[:32]


def _pair(
    view: View,
    name: str,
    draft: Draft,
    asked: list[tuple[Prompt, Answer]],
    captioner: Captioner,
) -> Pair | TextFailure:
    """One question with its answer, or all turns of a conversation, each of them checked."""
    messages: list[Message] = []
    for turn, (prompt, answer) in zip(turns_of(draft), asked, strict=True):
        question = _question(turn, prompt)
        text = Text(
            question=question,
            answer=answer.text,
            draft=turn,
            view=view,
            language=prompt.language,
        )
        failed = failed_check(text)
        if failed:
            return TextFailure(format=name, check=failed[0], message=f"{failed[0]}: {failed[1]}")
        opening = "" if messages else "<image>\n"
        messages.append(Message(role="user", content=f"{opening}{question}"))
        messages.append(Message(role="assistant", content=answer.text))
    prompt = asked[0][0]
    return Pair(
        pair_id=prompt.pair_id,
        sample_id=view.sample.sample_id,
        format=name,
        language=prompt.language,
        messages=tuple(messages),
        labels=tuple(dict.fromkeys(draft.labels)),
        boxes=draft.boxes,
        template=prompt.template,
        template_digest=template_digest(prompt.template),
        captioner=captioner.name,
        captioner_revision=captioner.revision,
        captioner_settings=captioner.settings,
        request_key="",
        prompt=prompt.text,
        prompt_digest=digest_bytes(prompt.text.encode("utf-8")),
        attempts=1,
        checks=names_of_checks(draft),
    )


def _question(turn: Draft, prompt: Prompt) -> str:
    return render(
        prompt.template,
        f"question{turn.block}",
        prompt.variables,
        language=prompt.language,
        seed=prompt.pair_id,
    )
