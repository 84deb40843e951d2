"""Which conversations a step sees: a pure function of lengths, seed and shares.

Every rank computes the same plan and reads only its own packs of it, so batches do not depend on
how many ranks or workers there are, and the state of the data is the number of a step.

An epoch takes the declared share of every source, exactly: the passes over a source follow one
another without a gap, so no conversation is seen a third time before all were seen twice. Within
a pass, row groups are shuffled, then conversations within a window of row groups, so that bytes
can be read group by group. The sources are spread evenly over the epoch. Packs are filled by
first fit with some kept open, over the borders of epochs too.

NumPy's generators may change their streams between versions; order here is by a hash of integers
instead, which never changes.
"""

import hashlib
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_CHUNK = 1 << 18


@dataclass(frozen=True, kw_only=True, slots=True)
class SourcePart:
    """The conversations of one source.

    Attributes:
        name: Of the source, with its build; decides the order with the seed.
        share: How much of it an epoch takes: 0.5 is half, 2 is twice all.
        tokens: Length of each conversation.
        block: Number of the row group that each lies in.
    """

    name: str
    share: float
    tokens: Integers
    block: Integers


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanSettings:
    """What decides a plan beside the conversations.

    Attributes:
        seed: Of the order.
        epochs: How often the mixture is gone through.
        pack_tokens: Longest pack.
        packs_per_step: Packs of a step, over all ranks.
        open_packs: Packs that are kept open while filling.
        window_blocks: Row groups that are shuffled together.
    """

    seed: int
    epochs: int
    pack_tokens: int
    packs_per_step: int
    open_packs: int = 8
    window_blocks: int = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """Packs in the order of training.

    Attributes:
        settings: What it was made with.
        documents: Numbers of conversations, pack after pack; a part's follow the part before.
        pack_ends: Where each pack ends in `documents`.
        pack_lengths: Tokens of each pack.
    """

    settings: PlanSettings
    documents: npt.NDArray[np.int32]
    pack_ends: Integers
    pack_lengths: Integers

    @property
    def steps(self) -> int:
        """Optimiser updates; the last one may have fewer packs."""
        return -(-len(self.pack_ends) // self.settings.packs_per_step)

    def pack(self, number: int) -> tuple[int, ...]:
        """Conversations of a pack."""
        start = int(self.pack_ends[number - 1]) if number else 0
        return tuple(self.documents[start : int(self.pack_ends[number])].tolist())

    def packs_of_step(self, step: int) -> range:
        """Numbers of the packs of a step, which counts from 0."""
        first = step * self.settings.packs_per_step
        return range(first, min(first + self.settings.packs_per_step, len(self.pack_ends)))

    @property
    def padding(self) -> float:
        """Share of the packs that no conversation fills."""
        whole = len(self.pack_ends) * self.settings.pack_tokens
        return 1 - float(self.pack_lengths.sum()) / whole if whole else 0.0

    def digest(self) -> str:
        """Digest of all packs."""
        state = hashlib.sha256(self.documents.astype("<i4").tobytes())
        state.update(self.pack_ends.astype("<i8").tobytes())
        return f"sha256:{state.hexdigest()}"


def make_plan(parts: Sequence[SourcePart], settings: PlanSettings) -> Plan:
    """Order conversations and fill packs with them.

    Args:
        parts: Sources; none of their conversations is longer than a pack.
        settings: See :class:`PlanSettings`.
    """
    tokens = np.concatenate([part.tokens for part in parts] or [np.zeros(0, np.int64)])
    documents, ends = array("i"), array("q")
    packer = _Packer(settings, documents, ends)
    for epoch in range(settings.epochs):
        order = epoch_order(parts, settings, epoch)
        for start in range(0, len(order), _CHUNK):
            piece = order[start : start + _CHUNK]
            packer.add(piece.tolist(), tokens[piece].tolist())
    packer.finish()
    flat = np.frombuffer(documents, np.int32) if documents else np.zeros(0, np.int32)
    pack_ends = np.frombuffer(ends, np.int64) if ends else np.zeros(0, np.int64)
    total = np.concatenate([[0], np.cumsum(tokens[flat])])
    bounds = np.concatenate([[0], pack_ends])
    return Plan(
        settings=settings,
        documents=flat,
        pack_ends=pack_ends,
        pack_lengths=np.diff(total[bounds]),
    )


class _Packer:
    """First fit; packs stay open from one call of :meth:`add` to the next."""

    def __init__(self, settings: PlanSettings, documents: "array[int]", ends: "array[int]") -> None:
        self._capacity = settings.pack_tokens
        self._most = settings.open_packs
        self._documents, self._ends = documents, ends
        self._rooms: list[int] = []
        self._contents: list[list[int]] = []

    def add(self, documents: Sequence[int], tokens: Sequence[int]) -> None:
        rooms, contents = self._rooms, self._contents
        for document, length in zip(documents, tokens, strict=True):
            for place, room in enumerate(rooms):
                if length <= room:
                    rooms[place] = room - length
                    contents[place].append(document)
                    break
            else:
                if len(rooms) == self._most:
                    self._close(rooms.index(min(rooms)))
                rooms.append(self._capacity - length)
                contents.append([document])

    def _close(self, place: int) -> None:
        self._documents.extend(self._contents.pop(place))
        self._ends.append(len(self._documents))
        self._rooms.pop(place)

    def finish(self) -> None:
        while self._rooms:
            self._close(0)


def epoch_order(parts: Sequence[SourcePart], settings: PlanSettings, epoch: int) -> Integers:
    """Numbers of the conversations of one epoch, in order."""
    numbers, keys = [], []
    first = 0
    for part in parts:
        taken = _taken(part, settings, epoch)
        size = max(len(taken), 1)
        spread = _uniform(_seed(settings.seed, part.name, "spread", epoch), np.arange(len(taken)))
        numbers.append(taken + first)
        keys.append((np.arange(len(taken)) + spread) / size)
        first += len(part.tokens)
    if not numbers:
        return np.zeros(0, np.int64)
    return np.concatenate(numbers)[np.argsort(np.concatenate(keys), kind="stable")]


def _taken(part: SourcePart, settings: PlanSettings, epoch: int) -> Integers:
    """What an epoch takes of a source: a piece of the passes laid end to end."""
    size = len(part.tokens)
    share = Fraction(str(part.share))
    start, stop = int(share * size * epoch), int(share * size * (epoch + 1))
    pieces = [np.zeros(0, np.int64)]
    for number in range(start // max(size, 1), -(-stop // max(size, 1))):
        order = _pass_order(part, settings, number)
        pieces.append(order[max(start - number * size, 0) : stop - number * size])
    return np.concatenate(pieces)


def _pass_order(part: SourcePart, settings: PlanSettings, number: int) -> Integers:
    blocks, block_of = np.unique(part.block, return_inverse=True)
    by_hash = np.argsort(_hash(_seed(settings.seed, part.name, "block", number), blocks))
    rank = np.empty(len(blocks), np.int64)
    rank[by_hash] = np.arange(len(blocks))
    window = rank[block_of] // settings.window_blocks
    within = _hash(_seed(settings.seed, part.name, "row", number), np.arange(len(part.tokens)))
    return np.lexsort((within, window))


def _seed(*words: int | str) -> int:
    return int.from_bytes(hashlib.sha256(repr(words).encode()).digest()[:8], "big")


def _hash(seed: int, numbers: Integers) -> npt.NDArray[np.uint64]:
    """SplitMix64 of each number."""
    with np.errstate(over="ignore"):
        mixed = (numbers.astype(np.uint64) + np.uint64(1)) * _GOLDEN + np.uint64(seed)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * _MIX[0]
        mixed = (mixed ^ (mixed >> np.uint64(27))) * _MIX[1]
    return mixed ^ (mixed >> np.uint64(31))


def _uniform(seed: int, numbers: Integers) -> npt.NDArray[np.float64]:
    return (_hash(seed, numbers) >> np.uint64(11)).astype(np.float64) / float(1 << 53)


def packs_of_rank(plan: Plan, step: int, rank: int, world: int) -> Iterator[int | None]:
    """Packs that a rank trains on in a step; None where others have one more.

    All ranks get the same number, since they wait for one another at each.
    """
    packs = plan.packs_of_step(step)
    for turn in range(-(-len(packs) // world)):
        place = turn * world + rank
        yield packs[place] if place < len(packs) else None
