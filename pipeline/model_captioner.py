"""What captioners with a model have in common: a whole batch asked, images checked, an end."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import Self, TypeAlias

from pipeline.captioner import Answer
from pipeline.chat_body import media_type
from pipeline.digests import digest_bytes
from pipeline.model_request import Request

OnAnswer: TypeAlias = Callable[[Answer], None]


class ModelCaptionerBase(ABC):
    """Asks a model, one prompt or many; used as a context, or closed by hand."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @abstractmethod
    def submit(
        self, request: Request, image: bytes = b"", on_answer: OnAnswer = lambda _answer: None
    ) -> "Future[Answer]":
        """Begin to ask; returns at once. May be called from any thread.

        Args:
            request: What is asked.
            image: The image that its digest is of, PNG or JPEG; b"" where it has none.
            on_answer: Called with a whole answer before the future has it, in a thread of the
                captioner; what it raises is the future's.

        Returns:
            The answer, or the error of this prompt as an answer; it raises GmaiError where no
            prompt can be answered any more.
        """

    @abstractmethod
    def close(self) -> None:
        """Stop; what is in flight is given up."""

    def caption(
        self, requests: Sequence[Request], images: Mapping[str, bytes] | None = None
    ) -> list[Answer]:
        """One answer a request, in order; as many as there are requests.

        Args:
            requests: What is asked.
            images: Images by their digest.

        Raises:
            GmaiError: No prompt can be answered any more.
        """
        held = images or {}
        futures = [
            self.submit(request, held.get(request.image_digest, b"")) for request in requests
        ]
        return [future.result() for future in futures]


def require_named_image(request: Request, image: bytes) -> None:
    """Raise ValueError where an image is not the PNG or JPEG that a request names."""
    media_type(image)
    if digest_bytes(image) != request.image_digest:
        raise ValueError("the image is not the one that the request names")
