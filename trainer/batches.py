"""Packs of conversations as arrays: tokens, positions, what is to be predicted, pixels.

This module knows no torch: what it makes is the same wherever a pack is made. A picture that
cannot be read becomes one of the mean color, and nothing of its conversation is learnt; the plan,
which every rank has made before, stays as it is.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from trainer.chat import Chat, TokenizedRow, one_conversation, tokenize
from trainer.corpus import Corpus, Document
from trainer.errors import TrainerError, UnusableRow
from trainer.images import ImageSettings, decode, placeholder
from trainer.rows import RowReader

NOT_LEARNT = -100
NO_DOCUMENT = -1


@dataclass(frozen=True, kw_only=True, slots=True)
class Pack:
    """Conversations one after the other; each one's positions start at zero.

    Attributes:
        ids: Tokens.
        positions: Place of each token within its conversation.
        targets: Token that is to be predicted at each place, or :data:`NOT_LEARNT`.
        owner: Index in `documents` of the conversation of each token; :data:`NO_DOCUMENT` for
            what only keeps the vision encoder busy.
        pixels: Images, height, width, channels; bytes.
        documents: Numbers of the conversations.
        bad: Number and reason of conversations that are masked since they cannot be read.
        image_tokens: Tokens that stand for pixels.
    """

    ids: npt.NDArray[np.int64]
    positions: npt.NDArray[np.int64]
    targets: npt.NDArray[np.int64]
    owner: npt.NDArray[np.int64]
    pixels: npt.NDArray[np.uint8]
    documents: tuple[int, ...]
    bad: tuple[tuple[int, str], ...]
    image_tokens: int

    @property
    def supervised(self) -> int:
        """Tokens that are learnt."""
        return int((self.targets != NOT_LEARNT).sum())


@dataclass(frozen=True, kw_only=True, slots=True)
class _Read:
    row: TokenizedRow
    picture: npt.NDArray[np.uint8] | None
    reason: str | None


class PackMaker:
    """Makes packs out of numbers of conversations; for several threads at once.

    Args:
        corpus: What the numbers mean.
        chat: Tokenizer and format.
        images: How pictures are brought to size.
        max_tokens: Longest conversation, as planned.
        reader: Reads the rows.
    """

    def __init__(
        self,
        corpus: Corpus,
        chat: Chat,
        images: ImageSettings,
        max_tokens: int,
        reader: RowReader | None = None,
    ) -> None:
        self._corpus, self._chat, self._images = corpus, chat, images
        self._max_tokens = max_tokens
        self._reader = reader or RowReader()

    def pack(self, documents: Sequence[int]) -> Pack:
        """Read, decode and put together.

        Args:
            documents: None at all makes a pack of a masked picture alone.

        Raises:
            TrainerError: A shard is no longer what was planned with.
        """
        read = [self._read(self._corpus.document(number)) for number in documents]
        return self.assemble(documents, read)

    def assemble(self, documents: Sequence[int], read: Sequence[_Read]) -> Pack:
        """Put what was read together."""
        pixels = [one.picture for one in read if one.picture is not None]
        rows = [(one.row, one.reason is None) for one in read]
        owners = list(range(len(rows)))
        if not pixels:
            # Without a picture the vision encoder would be left out, and ranks that wait for
            # its gradient would wait forever.
            pixels = [placeholder(self._images)]
            rows.append((_image_alone(self._chat), False))
            owners.append(NO_DOCUMENT)
        lengths = [len(row.ids) for row, _ in rows]
        return Pack(
            ids=np.concatenate([np.array(row.ids, np.int64) for row, _ in rows]),
            positions=np.concatenate([np.arange(length) for length in lengths]),
            targets=np.concatenate([_targets(row, is_learnt) for row, is_learnt in rows]),
            owner=np.repeat(owners, lengths),
            pixels=np.stack(pixels),
            documents=tuple(documents),
            bad=tuple((number, one.reason) for number, one in zip(documents, read, strict=True)
                      if one.reason),
            image_tokens=len(pixels) * self._chat.tokens_per_image,
        )  # fmt: skip

    def _read(self, document: Document) -> _Read:
        try:
            rows = self._reader.rows(document)
        except (OSError, pa.ArrowException):
            return self._unreadable(document, "shard_unreadable")
        if len({row.image_digest for row in rows}) > 1:
            raise _changed(document, "rows of several images, where one was planned")
        row = self._tokenized(document, [row.messages for row in rows])
        if not document.images:
            return _Read(row=row, picture=None, reason=None)
        try:
            return _Read(row=row, picture=decode(rows[0].image, self._images), reason=None)
        except UnusableRow as error:
            return _Read(row=row, picture=placeholder(self._images), reason=error.reason)

    def _tokenized(
        self, document: Document, messages: Sequence[Sequence[dict[str, str]]]
    ) -> TokenizedRow:
        try:
            row = tokenize(one_conversation(messages), self._chat, images=document.images,
                           max_tokens=self._max_tokens)  # fmt: skip
        except UnusableRow as error:
            raise _changed(document, str(error)) from error
        if len(row.ids) != document.tokens:
            raise _changed(document, f"{len(row.ids)} tokens, {document.tokens} were planned")
        return row

    def _unreadable(self, document: Document, reason: str) -> _Read:
        """A conversation of the planned length that teaches nothing."""
        places = (0,) * document.images
        image = (self._chat.image_id,) * (self._chat.tokens_per_image * document.images)
        ids = image + (0,) * (document.tokens - len(image))
        row = TokenizedRow(
            ids=ids, supervised=(False,) * len(ids), image_places=places, is_cut=False
        )
        picture = placeholder(self._images) if document.images else None
        return _Read(row=row, picture=picture, reason=reason)


def _changed(document: Document, found: str) -> TrainerError:
    return TrainerError(
        f"{document.shard}, row {document.first_row}",
        f"the shard has changed since it was planned with: {found}",
        "remove .gmai/lengths of the build and start the stage anew",
    )


def _image_alone(chat: Chat) -> TokenizedRow:
    count = chat.tokens_per_image
    return TokenizedRow(
        ids=(chat.image_id,) * count, supervised=(False,) * count, image_places=(0,), is_cut=False
    )


def _targets(row: TokenizedRow, is_learnt: bool) -> npt.NDArray[np.int64]:  # noqa: FBT001
    out = np.full(len(row.ids), NOT_LEARNT, np.int64)
    if is_learnt:
        ids, supervised = np.array(row.ids, np.int64), np.array(row.supervised)
        # Each place predicts the next token, and the last one nothing: not the next conversation.
        out[:-1] = np.where(supervised[1:], ids[1:], NOT_LEARNT)
    return out


def join_packs(packs: Sequence[Pack]) -> Pack:
    """Several packs as one row; since positions restart they do not see each other."""
    if len(packs) == 1:
        return packs[0]
    owners, first = [], 0
    for pack in packs:
        owners.append(np.where(pack.owner == NO_DOCUMENT, NO_DOCUMENT, pack.owner + first))
        first += len(pack.documents)
    return Pack(
        ids=np.concatenate([pack.ids for pack in packs]),
        positions=np.concatenate([pack.positions for pack in packs]),
        targets=np.concatenate([pack.targets for pack in packs]),
        owner=np.concatenate(owners),
        pixels=np.concatenate([pack.pixels for pack in packs]),
        documents=tuple(number for pack in packs for number in pack.documents),
        bad=tuple(one for pack in packs for one in pack.bad),
        image_tokens=sum(pack.image_tokens for pack in packs),
    )


class Loader:
    """Makes the packs of coming steps while the model is busy.

    Threads are enough: decoding, resizing and tokenizing leave Python's lock, and one cache of
    row groups serves them all.

    Args:
        steps: Conversations of each pack of each step, in order.
        make: Makes a pack.
        workers: Threads.
        ahead: Steps that are made before they are asked for, and more of them where that leaves
            workers idle: each has two packs to make at any time.
    """

    def __init__(
        self,
        steps: Iterator[list[Sequence[int]]],
        make: Callable[[Sequence[int]], Pack],
        workers: int,
        ahead: int = 2,
    ) -> None:
        self._steps, self._make = steps, make
        self._pool = ThreadPoolExecutor(max(workers, 1), thread_name_prefix="gmai-packs")
        self._ahead, self._packs_ahead = max(ahead, 1), 2 * max(workers, 1)
        self.waited = 0.0

    def __iter__(self) -> Iterator[list[Pack]]:
        waiting: deque[list[Future[Pack]]] = deque()
        try:
            self._read_ahead(waiting)
            while waiting:
                futures = waiting.popleft()
                self._read_ahead(waiting)
                started = time.perf_counter()
                packs = [future.result() for future in futures]
                self.waited += time.perf_counter() - started
                yield packs
        finally:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def _read_ahead(self, waiting: deque[list[Future[Pack]]]) -> None:
        while len(waiting) < self._ahead or sum(map(len, waiting)) < self._packs_ahead:
            step = next(self._steps, None)
            if step is None:
                return
            waiting.append([self._pool.submit(self._make, documents) for documents in step])


def running_loaders() -> int:
    """Threads of loaders that are still there; none may be left behind by a run."""
    return sum(thread.name.startswith("gmai-packs") for thread in threading.enumerate())
