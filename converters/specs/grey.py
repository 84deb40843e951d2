"""How the values of a volume become grey levels."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from converters.specs.base import Strict, Text
from converters.vocabulary import words


def _window_name(value: str) -> str:
    if value not in words("window"):
        known = ", ".join(sorted(words("window")))
        raise ValueError(f"{value!r} is not in [window] of vocabulary.toml: {known}")
    return value


WindowName = Annotated[str, AfterValidator(_window_name)]


class Window(Strict):
    """Hounsfield units to grey through one window (DICOM 0028,1050 and 0028,1051)."""

    map: Literal["window"]
    center_hu: float
    width_hu: Annotated[float, Field(gt=0)]


class NamedWindow(Strict):
    """A CT window by its name in `[window]` of vocabulary.toml: `grey: {window: lung}`."""

    window: WindowName


class NamedWindows(Strict):
    """Several CT windows of each slice: `grey: {windows: [lung, mediastinum]}`.

    Each gives a sample of its own, with the same findings; the first one decides which slices
    look the same.
    """

    windows: Annotated[list[WindowName], Field(min_length=2)]


class Percentiles(Strict):
    """Grey from `low` to `high` percentile of the values inside the body, over the volume."""

    map: Literal["percentiles"]
    low: Annotated[float, Field(ge=0, lt=50)] = 0.5
    high: Annotated[float, Field(gt=50, le=100)] = 99.5


class Scale(Strict):
    """Grey from `low` to `high` in the unit of the values: uptake in PET, and maps."""

    map: Literal["scale"]
    low: float
    high: float
    unit: Text


def _kind(value: Any) -> str | None:  # noqa: ANN401 - what stands in a manifest
    """Which of the models a block is meant to be: by `map`, or by the key that names windows."""
    if not isinstance(value, dict):
        return _TAGS.get(type(value).__name__)
    if "map" in value:
        return str(value["map"])
    return "named windows" if "windows" in value else "named window"


_TAGS = {
    "Window": "window", "Percentiles": "percentiles", "Scale": "scale",
    "NamedWindow": "named window", "NamedWindows": "named windows",
}  # fmt: skip

Grey = Annotated[
    Annotated[Window, Tag("window")]
    | Annotated[Percentiles, Tag("percentiles")]
    | Annotated[Scale, Tag("scale")]
    | Annotated[NamedWindow, Tag("named window")]
    | Annotated[NamedWindows, Tag("named windows")],
    Discriminator(_kind),
]


class StoredHounsfield(Strict):
    """Pictures of 16 bits that hold Hounsfield units: the value of a pixel plus `offset` is one.

    They are shown through a window by its name, or through the bounds in the field
    `window_field` of the image: the values shown black and white, a comma between them.
    """

    offset: int
    window: WindowName | None = None
    window_field: Text | None = None

    @model_validator(mode="after")
    def _one_window(self) -> "StoredHounsfield":
        if (self.window is None) == (self.window_field is None):
            raise ValueError("a window is named, or stands in a field of the image")
        return self
