"""Where a build runs, as a command line names it; see :mod:`pipeline.ray_executor`."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Cluster:
    """Where Ray runs, and what of it is used.

    Attributes:
        address: Of a cluster that is there, or "auto"; None starts one on this machine.
        processors: Of the one that is started; None for all of this machine.
        engines: Actors that hold the model; None for as many as its settings say.
    """

    address: str | None = None
    processors: int | None = None
    engines: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """A part of the partitions, for one of several drivers.

    Attributes:
        index: Which, from 0.
        count: Of how many.
    """

    index: int
    count: int

    def __str__(self) -> str:
        return f"{self.index}-of-{self.count}"
