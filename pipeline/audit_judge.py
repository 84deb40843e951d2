"""Pairs of a build rated by a model: the four questions of GMAI-VL (arXiv 2411.14522).

A judgement is kept apart from what people say, and takes no part in whether a source passes.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from converters.errors import SettingsError
from converters.records import Json
from pipeline.asking import Asking
from pipeline.audit import rows_of, text_digest
from pipeline.captioner import Answer
from pipeline.digests import canonical
from pipeline.model_request import Request, Sampling, request_of
from pipeline.phrasing import keep_lines, render
from pipeline.pointers import pixels_of
from pipeline.prompts import ModelPrompt
from pipeline.shards import write_whole

JUDGEMENTS_FILE = Path("audit") / "judgements.parquet"
QUESTIONS = ("medical_accuracy", "clarity", "completeness", "relevance")
_WORST = 5
_LONGEST_REASON = 500
_SAMPLING = Sampling(max_tokens=256)
_RATINGS: dict[str, Json] = {
    name: {"type": "integer", "minimum": 1, "maximum": _WORST} for name in QUESTIONS
}
_SCHEMA: dict[str, Json] = {
    "type": "object",
    "properties": {**_RATINGS, "reason": {"type": "string"}},
    "required": [*QUESTIONS, "reason"],
    "additionalProperties": False,
}
_COLUMNS = pa.schema(
    [
        ("pair_id", pa.string()),
        ("text_digest", pa.string()),
        ("source", pa.string()),
        ("model", pa.string()),
        ("saw_image", pa.bool_()),
        *((name, pa.int32()) for name in QUESTIONS),
        ("reason", pa.string()),
    ]
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """What a model says of one pair.

    Attributes:
        pair_id: The pair.
        text_digest: Of its conversation.
        source: Name of the manifest.
        model: Who says it.
        saw_image: Whether it was given the image.
        medical_accuracy: 1 (best) to 5 (worst), as the three below.
        clarity: Whether it can be understood in one way only.
        completeness: Whether it answers what is asked.
        relevance: Whether it speaks of this image.
        reason: In words.
    """

    pair_id: str
    text_digest: str
    source: str
    model: str
    saw_image: bool
    medical_accuracy: int
    clarity: int
    completeness: int
    relevance: int
    reason: str

    @property
    def mean(self) -> float:
        """Mean of the four."""
        return fmean(getattr(self, name) for name in QUESTIONS)


def judge(
    out: Path,
    wanted: Sequence[str],
    asking: Asking,
    *,
    model: str,
    revision: str,
    sees_image: bool,
) -> tuple[list[Judgement], list[str]]:
    """Ask a model to rate pairs, and keep what it says beside the build.

    Args:
        out: The out folder of a finished build.
        wanted: Identities of pairs.
        asking: The model, and the store of its answers.
        model: Its name.
        revision: Its weights.
        sees_image: Whether images are sent.

    Returns:
        The judgements, and why each of the other pairs has none.

    Raises:
        GmaiError: The model cannot be asked.
        OSError: Answers or judgements cannot be written.
    """
    rows = rows_of(out, wanted)
    pairs = [rows[pair_id] for pair_id in wanted]
    requests = [_request(row, model, revision, sees_image=sees_image) for row in pairs]
    images = {row["image_digest"]: pixels_of(row) for row in pairs if sees_image}
    with asking.store.open("audit-judge") as opened:
        answers = asking.ask(opened, requests, images)
    judged: list[Judgement] = []
    refused: list[str] = []
    for row, answer in zip(pairs, answers, strict=True):
        try:
            judged.append(_read(row, answer, model, saw_image=sees_image))
        except ValueError as error:
            refused.append(f"{row['pair_id']}: {error}")
    _keep(out, judged)
    return judged, refused


def read_judgements(out: Path) -> list[Judgement]:
    """Judgements that were kept beside a build.

    Raises:
        SettingsError: The file is there and is none of ours.
    """
    path = out / JUDGEMENTS_FILE
    if not path.is_file():
        return []
    try:
        return [Judgement(**row) for row in pq.read_table(path).to_pylist()]
    except (OSError, pa.ArrowInvalid, TypeError) as error:
        raise SettingsError(str(path), f"cannot be read: {error}", "move it away") from error


def means_of(out: Path) -> dict[str, list[tuple[str, float]]]:
    """Each model's mean of the four questions, by source."""
    found: dict[tuple[str, str], list[float]] = {}
    for one in read_judgements(out):
        name = one.model if one.saw_image else f"{one.model} without images"
        found.setdefault((one.source, name), []).append(one.mean)
    by_source: dict[str, list[tuple[str, float]]] = {}
    for (source, name), means in sorted(found.items()):
        by_source.setdefault(source, []).append((name, fmean(means)))
    return by_source


def _request(row: Mapping[str, Any], model: str, revision: str, *, sees_image: bool) -> Request:
    turns = (f"{turn['role']}: {turn['content']}" for turn in row["messages"])
    variables: dict[str, object] = {
        "sees_image": sees_image,
        "findings": keep_lines(row["findings"]),
        "width": row["width"],
        "height": row["height"],
        "modality": row["modality"],
        "anatomy": list(row["anatomy"]),
        "conversation": keep_lines("\n".join(turns)),
    }
    language = row["language"]
    template = f"prompts/judge.{language}.j2"
    system, user = (
        render(template, block, variables, language=language, seed="")
        for block in ("system", "user")
    )
    prompt = ModelPrompt(
        system=system, user=user, schema=canonical(_SCHEMA), needs_image=sees_image
    )
    return request_of(
        prompt,
        model=model,
        revision=revision,
        image_digest=row["image_digest"],
        sampling=_SAMPLING,
    )


def _read(row: Mapping[str, Any], answer: Answer, model: str, *, saw_image: bool) -> Judgement:
    """The judgement in an answer.

    Raises:
        ValueError: There is none, or it is not of the form that was asked for.
    """
    if answer.error:
        raise ValueError(answer.error)
    try:
        said = json.loads(answer.text)
    except ValueError:
        raise ValueError("what the model said is not JSON") from None
    if not isinstance(said, dict):
        raise ValueError("what the model said is no object")
    ratings = {name: said.get(name) for name in QUESTIONS}
    for name, rating in ratings.items():
        if type(rating) is not int or not 1 <= rating <= _WORST:
            raise ValueError(f"{name} is not a whole number from 1 to {_WORST}")
    return Judgement(
        pair_id=row["pair_id"],
        text_digest=text_digest(row["messages"]),
        source=row["source"],
        model=model,
        saw_image=saw_image,
        reason=" ".join(str(said.get("reason", "")).split())[:_LONGEST_REASON],
        **ratings,  # type: ignore[arg-type]
    )


def _keep(out: Path, judged: Sequence[Judgement]) -> None:
    kept = {(one.pair_id, one.model, one.saw_image): one for one in read_judgements(out)}
    kept |= {(one.pair_id, one.model, one.saw_image): one for one in judged}
    table = pa.Table.from_pylist([asdict(kept[key]) for key in sorted(kept)], schema=_COLUMNS)
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    write_whole(out / JUDGEMENTS_FILE, sink.getvalue().to_pybytes())
