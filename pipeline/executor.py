"""What spreads partitions over processes or machines, as the driver of a build sees it."""

from collections.abc import Callable, Generator, Sequence
from types import TracebackType
from typing import Protocol

from pipeline.asking import Asked
from pipeline.build import Job, Made
from pipeline.captioning import Connection


class Executor(Protocol):
    """Makes partitions; used as a context around a whole build.

    Attributes:
        asked: What the model was asked, once everything is made; None where none writes texts.
    """

    asked: Asked | None

    def __enter__(self) -> "Executor": ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def make_all(
        self,
        jobs: Sequence[Job],
        *,
        on_cases: Callable[[int], None],
        connection: Connection | None = None,
    ) -> Generator[Made, None, None]:
        """Make every partition; yield each as it is done, in any order.

        Args:
            jobs: What to make.
            on_cases: Called now and then with the number of cases done so far.
            connection: The model that writes texts, if one does.

        Raises:
            GmaiError: A partition cannot be made, or the model cannot be asked any more.
            OSError: The disk cannot be written.
        """
