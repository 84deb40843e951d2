"""Several readers looked at the same image, and a table has a row of each."""

from typing import Annotated

from pydantic import Field

from converters.specs.base import Strict, Text


class Readers(Strict):
    """What all readers of an image agree on is taken; where they differ, nothing is known.

    `column` holds the reader's name. An image that fewer than `count` have read is rejected.
    """

    column: Text
    count: Annotated[int, Field(ge=2)]


class BoxReaders(Readers):
    """Boxes of a label are one where every reader drew one, and any two overlap enough.

    `overlap` is the least share of the area of two boxes together that both cover. Of a label
    that some readers did not box, or boxed several times or elsewhere, no box is taken.
    """

    overlap: Annotated[float, Field(gt=0, lt=1)]
