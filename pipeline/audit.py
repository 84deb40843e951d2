"""An audit of a build: pairs drawn for people to rate, ratings kept, sources judged by them.

As the authors of GMAI-VL did (arXiv 2411.14522, v2): 30 pairs of each source, rated from 1 (best)
to 5 (worst); a source passes where the mean is at most 3.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from converters.errors import SettingsError
from pipeline.digests import digest_json
from pipeline.shards import read_shard, shard_paths, write_whole

PAIRS_A_SOURCE = 30
WORST_MEAN = 3.0
RATINGS_FILE = Path("audit") / "ratings.parquet"
_FILE_BYTES = 64 << 20
_MAX_TEXT = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Rating:
    """What one person says of one pair.

    Attributes:
        pair_id: The pair.
        text_digest: Of its conversation: another text of the same pair is not rated by it.
        source: Name of the manifest.
        rater: Who says it.
        rating: 1 (best) to 5 (worst).
        note: In words, or "".
    """

    pair_id: str
    text_digest: str
    source: str
    rater: str
    rating: int
    note: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What the ratings say of a source.

    Attributes:
        source: Name of the manifest.
        pairs: How many of its pairs were rated.
        raters: How many people rated them.
        mean: Mean rating, or None where there is none.
    """

    source: str
    pairs: int
    raters: int
    mean: float | None

    def passes(self, wanted: int) -> bool:
        """Whether enough pairs were rated, and well enough.

        Args:
            wanted: Pairs of the source that must be rated.
        """
        return self.mean is not None and self.pairs >= wanted and self.mean <= WORST_MEAN


def text_digest(messages: Sequence[Mapping[str, str]]) -> str:
    """SHA-256 of a conversation."""
    return digest_json([[message["role"], message["content"]] for message in messages])


def draw(out: Path, count: int, seed: str = "") -> dict[str, list[str]]:
    """Pairs of each source, drawn by a keyed digest: the same build and seed give the same ones.

    Args:
        out: The out folder of a finished build.
        count: Pairs a source; all where it has fewer.
        seed: Another one draws others.

    Returns:
        Identities of pairs by source, in the order drawn.
    """
    best: dict[str, list[tuple[bytes, str]]] = {}
    for path in _shards(out):
        drawn: dict[str, list[tuple[bytes, str]]] = {}
        for row in read_shard(path, ["pair_id", "source"], 8192):
            key = blake2b(f"{seed}\0{row['pair_id']}".encode(), digest_size=16).digest()
            drawn.setdefault(row["source"], []).append((key, row["pair_id"]))
        for source, keyed in drawn.items():
            best[source] = sorted(best.get(source, []) + keyed)[:count]
    return {source: [pair_id for _, pair_id in keyed] for source, keyed in sorted(best.items())}


def rows_of(out: Path, wanted: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Whole rows of some pairs; shards without any of them are read in one narrow column."""
    left = set(wanted)
    found: dict[str, dict[str, Any]] = {}
    for path in _shards(out):
        if not left:
            break
        if not any(row["pair_id"] in left for row in read_shard(path, ["pair_id"], 8192)):
            continue
        for row in read_shard(path):
            if row["pair_id"] in left:
                found[row["pair_id"]] = row
                left.discard(row["pair_id"])
    return found


def _shards(out: Path) -> list[Path]:
    try:
        return shard_paths(out)
    except FileNotFoundError as error:
        raise SettingsError(
            str(out), "no finished build is here", "run gmai-build first"
        ) from error


def read_ratings(out: Path) -> list[Rating]:
    """Ratings that were kept beside a build.

    Raises:
        SettingsError: The file is there and is none of ours.
    """
    path = out / RATINGS_FILE
    if not path.is_file():
        return []
    try:
        return [Rating(**row) for row in pq.read_table(path).to_pylist()]
    except (OSError, pa.ArrowInvalid, TypeError) as error:
        raise SettingsError(str(path), f"cannot be read: {error}", "move it away") from error


def keep_ratings(out: Path, file: Path) -> tuple[int, list[str]]:
    """Add the ratings of a file that the page saved.

    A person's later rating of the same text takes the place of the earlier one.

    Returns:
        How many were kept, and why each of the others was not.

    Raises:
        SettingsError: The file cannot be read, or is not what the page saves.
    """
    rater, given = _read_saved(file)
    rows = rows_of(out, {str(one.get("pair_id")) for one in given})
    kept = {(one.pair_id, one.rater): one for one in read_ratings(out)}
    refused: list[str] = []
    count = 0
    for one in given:
        rating = _checked(one, rater, rows)
        if isinstance(rating, str):
            refused.append(rating)
            continue
        kept[rating.pair_id, rating.rater] = rating
        count += 1
    table = pa.Table.from_pylist([asdict(kept[key]) for key in sorted(kept)], schema=_SCHEMA)
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    write_whole(out / RATINGS_FILE, sink.getvalue().to_pybytes())
    return count, refused


_SCHEMA = pa.schema(
    [
        ("pair_id", pa.string()),
        ("text_digest", pa.string()),
        ("source", pa.string()),
        ("rater", pa.string()),
        ("rating", pa.int32()),
        ("note", pa.string()),
    ]
)


def _read_saved(file: Path) -> tuple[str, list[dict[str, Any]]]:
    remedy = "name the file that the audit page saved"
    try:
        if file.stat().st_size > _FILE_BYTES:
            raise SettingsError(str(file), "is too large for a file of ratings", remedy)
        content = json.loads(file.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(str(file), f"cannot be read: {error.strerror}", remedy) from error
    except ValueError as error:
        raise SettingsError(str(file), f"is not JSON: {error}", remedy) from error
    rater = content.get("rater") if isinstance(content, dict) else None
    given = content.get("ratings") if isinstance(content, dict) else None
    is_ours = isinstance(rater, str) and rater.strip() and isinstance(given, list)
    if not is_ours or not all(isinstance(one, dict) for one in given or []):
        raise SettingsError(str(file), "holds no rater and ratings", remedy)
    return str(rater).strip()[:_MAX_TEXT], list(given or [])


def _checked(
    one: Mapping[str, Any], rater: str, rows: Mapping[str, Mapping[str, Any]]
) -> Rating | str:
    """The rating, or why it is not kept."""
    pair_id = str(one.get("pair_id"))[:64]
    row = rows.get(pair_id)
    if row is None:
        return f"{pair_id}: no such pair in this build"
    if one.get("text_digest") != text_digest(row["messages"]):
        return f"{pair_id}: its text is another one now"
    value = one.get("rating")
    if isinstance(value, bool) or value not in (1, 2, 3, 4, 5):
        return f"{pair_id}: rating {value!r} is not 1 to 5"
    return Rating(
        pair_id=pair_id,
        text_digest=text_digest(row["messages"]),
        source=row["source"],
        rater=rater,
        rating=int(value),
        note=str(one.get("note") or "")[:_MAX_TEXT],
    )


def verdicts(out: Path) -> list[Verdict]:
    """What the ratings say of each source of a build; of texts that are still the same.

    Several ratings of one pair count as their mean, so that no pair weighs more than another.
    """
    ratings = read_ratings(out)
    rows = rows_of(out, {one.pair_id for one in ratings})
    by_pair: dict[str, list[Rating]] = {}
    for one in ratings:
        row = rows.get(one.pair_id)
        if row is not None and text_digest(row["messages"]) == one.text_digest:
            by_pair.setdefault(one.pair_id, []).append(one)
    return [_verdict(source, by_pair) for source in draw(out, 1)]


def _verdict(source: str, by_pair: Mapping[str, Sequence[Rating]]) -> Verdict:
    own = [given for given in by_pair.values() if given[0].source == source]
    means = [sum(one.rating for one in given) / len(given) for given in own]
    return Verdict(
        source=source,
        pairs=len(own),
        raters=len({one.rater for given in own for one in given}),
        mean=sum(means) / len(means) if means else None,
    )
