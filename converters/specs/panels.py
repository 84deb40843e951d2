"""Files that hold several pictures side by side."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from converters.specs.base import Strict


class Panels(Strict):
    """Pictures of one size side by side in one file: `count` of them, the meant one from 0."""

    count: Annotated[int, Field(ge=2, le=16)]
    shown: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if self.shown >= self.count:
            raise ValueError(f"panel {self.shown} of {self.count} is not there")
        return self
