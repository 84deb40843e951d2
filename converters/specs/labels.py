"""Labels of whole images: a part of the path, or the columns of a table."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from converters.pattern import field_names
from converters.specs.base import AnnotationSpec, PathPattern, Strict, TableFile, TermName, Text
from converters.specs.readers import Readers


class FolderLabel(AnnotationSpec):
    """A part of the path is the label of the whole image.

    `field` is a placeholder of the image pattern. With `exclusive`, an image has just one
    of the labels and the others are absent.
    """

    kind: Literal["folder_label"]
    field: Text
    labels: dict[str, TermName]
    exclusive: bool


class SingleColumn(Strict):
    """One column holds one code, or several joined by `separator`.

    With `literal`, the cell is a list as Python writes it: "['mass', 'cyst']".
    """

    style: Literal["column"]
    column: Text
    separator: str | None = None
    literal: bool = False
    labels: dict[str, TermName]
    ignore: list[str] = []
    exclusive: bool

    @model_validator(mode="after")
    def _several_in_one_way(self) -> "SingleColumn":
        if self.literal and self.separator:
            raise ValueError("codes are joined by a separator, or a list as Python writes it")
        return self


class OneHotColumns(Strict):
    """One column a label; the cell says whether it is there.

    Cells in `unknown` (for example an empty cell, or -1) say nothing of the label.
    """

    style: Literal["one_hot"]
    labels: dict[str, TermName]
    present: list[str] = ["1", "1.0"]
    absent: list[str] = ["0", "0.0"]
    unknown: list[str] = []
    exclusive: bool


class Measurement(Strict):
    """A column with a number that the source measured, said as an attribute of a label.

    `unit` is the unit in the file; it is written beside the number as it is.
    """

    style: Literal["measurement"]
    column: Text
    label: TermName
    quantity: Text
    unit: Literal["mm", "cm", "mm2", "ml", "HU", "years", "months", "score"]


class ViewColumn(Strict):
    """A column with the view position; `names` says what its codes mean (PA, AP, ...)."""

    column: Text
    names: dict[str, Text]


LabelColumns = Annotated[SingleColumn | OneHotColumns | Measurement, Field(discriminator="style")]


class LabelRows(Strict):
    """The table has one row a label and an image; its labels become columns.

    `column` holds both, as `pattern` says with the placeholder `label` and others, which become
    columns too; `value` is the column with what is said of the label.
    """

    column: Text
    pattern: PathPattern
    value: Text

    @model_validator(mode="after")
    def _names_the_label(self) -> "LabelRows":
        if "label" not in field_names(self.pattern):
            raise ValueError("the pattern needs a placeholder {label}")
        return self


class LabelTable(AnnotationSpec):
    """A table with one row an image; its columns say labels of the whole image.

    `key` is a template over the row's columns, `match` one over the image's fields: the row
    and the image belong together where both give the same string. `spacing` names the
    columns of row and column spacing in millimetres, one name or two. A label of role
    `normal` excludes the other labels of its columns. With `readers`, an image has a row of
    each of several readers; with `rows`, a row of each label. `says` are fields of every image
    that the table names: `{part: test}` where each official part has a table of its own.
    """

    kind: Literal["label_table"]
    table: TableFile
    key: Text
    match: Text
    columns: Annotated[list[LabelColumns], Field(min_length=1)]
    spacing: Annotated[list[Text], Field(min_length=1, max_length=2)] | None = None
    view: ViewColumn | None = None
    readers: Readers | None = None
    rows: LabelRows | None = None
    says: dict[Text, Text] = {}

    @model_validator(mode="after")
    def _disputes_have_a_code(self) -> "LabelTable":
        if self.readers and not all(
            isinstance(columns, OneHotColumns) and columns.unknown for columns in self.columns
        ):
            raise ValueError("readers need one-hot columns with a code for what is unknown")
        if self.readers and (self.spacing or self.view):
            raise ValueError("readers and columns of spacing or view do not go together")
        return self
