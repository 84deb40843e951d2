"""Parts shared by every block of a manifest."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from converters.pattern import check_pattern
from converters.vocabulary import terms, words


class Strict(BaseModel):
    """A model that refuses unknown keys and never turns one type into another."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _one_of(section: str) -> AfterValidator:
    def check(value: str) -> str:
        allowed = words(section)
        if value not in allowed:
            known = ", ".join(sorted(allowed))
            raise ValueError(f"{value!r} is not in [{section}] of vocabulary.toml: {known}")
        return value

    return AfterValidator(check)


def _check_term(value: str) -> str:
    if value not in terms():
        raise ValueError(f"{value!r} is not a term of terms.csv; add a row for it")
    return value


def _check_regex(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"{value!r} is no regular expression: {error}") from error
    return value


Text = Annotated[str, Field(min_length=1)]
Regex = Annotated[Text, AfterValidator(_check_regex)]
TermName = Annotated[str, AfterValidator(_check_term)]
PathPattern = Annotated[str, AfterValidator(check_pattern)]
ModalityCode = Annotated[str, _one_of("modality")]
Department = Annotated[str, _one_of("department")]
Anatomy = Annotated[str, _one_of("anatomy")]
Task = Annotated[str, _one_of("task")]
Access = Annotated[str, _one_of("access")]
EvidenceLevel = Annotated[str, _one_of("evidence")]
Completeness = Literal["complete", "presence", "partial"]
SplitName = Literal["train", "validation", "test"]
Missing = Literal["reject", "unknown", "absent"]


class AnnotationSpec(Strict):
    """What every annotation block states.

    Attributes:
        completeness: What may be concluded from what is not annotated.
        if_missing: What an image without this annotation means: it is rejected; nothing is
            known of it; or none of the block's labels is there.
    """

    completeness: Completeness
    if_missing: Missing = "reject"

    @model_validator(mode="after")
    def _absence_is_known(self) -> "AnnotationSpec":
        if self.if_missing == "absent" and self.completeness == "partial":
            raise ValueError("if_missing: absent needs labels that are complete or presence")
        return self


class TableFile(Strict):
    """A table on disk: csv, tsv, xlsx or json, told by its suffix.

    `header` names the columns where the file's own header is missing or broken;
    `skip_rows` rows are then passed over first. `sheet` is for xlsx. Where a quotation mark is a
    letter like others, the cells are not `quoted`. A json file is a list of objects, one a row,
    a jsonl file has one a line; columns are named by the path to a value, "image.pathname" or
    "box.0". Lists of `explode` hold the values of several rows each; `within` is the key of the
    list in a file that is an object, "*" for every list, whose key is then the column "list".
    Where the objects of a list have one key each, a name with what is said of it, `named` is the
    column of the name. `lines` is the pattern of a line of a text file that is no csv file, its
    placeholders the columns. In the cells of a column of `mend`, what each regular expression
    finds is replaced, one after another. Rows count where each column of `only` holds one of its
    values, and no column of `leave_out` does.
    """

    path: PathPattern
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    encoding: Literal["utf-8", "utf-8-sig", "latin-1", "cp1252", "gb18030"] = "utf-8-sig"
    skip_rows: Annotated[int, Field(ge=0)] = 0
    header: list[Text] | None = None
    sheet: str | None = None
    explode: list[Text] = []
    within: Text | None = None
    quoted: bool = True
    named: Text | None = None
    lines: PathPattern | None = None
    mend: dict[Text, dict[Regex, str]] = {}
    only: dict[Text, Annotated[list[str], Field(min_length=1)]] = {}
    leave_out: dict[Text, Annotated[list[str], Field(min_length=1)]] = {}


class SplitByField(Strict):
    """The official split stands in a part of the path or in a column of a table."""

    by: Literal["field"]
    field: Text
    names: dict[str, SplitName]


class SplitByLists(Strict):
    """The official split stands in text files that list names, one a line.

    `match` is a template over the fields of the image, for example "{name}.png". Where none
    of the files is there, the build stops, or (`digest`) goes on with a split of its own and
    says so. Where the lists are csv tables, `column` is the one with the names.
    """

    by: Literal["lists"]
    match: Text
    files: dict[SplitName, list[PathPattern]]
    if_absent: Literal["stop", "digest"]
    column: Text | None = None


class SplitByTable(Strict):
    """The official split stands in a column of a table with one row an image.

    `key` is a template over the row's columns, `match` one over the image's fields. Where the
    table is not there, the build stops, or (`digest`) goes on with a split of its own.
    """

    by: Literal["table"]
    table: TableFile
    key: Text
    match: Text
    column: Text
    names: dict[str, SplitName]
    if_absent: Literal["stop", "digest"]


class SplitByNumber(Strict):
    """The official split goes by a number in the path: `ranges` gives the first and the last."""

    by: Literal["number"]
    field: Text
    ranges: dict[SplitName, Annotated[list[int], Field(min_length=2, max_length=2)]]


class SplitByDigest(Strict):
    """The source has no usable split: 90/5/5 by a keyed digest of the subject."""

    by: Literal["digest"]


SplitRule = Annotated[
    SplitByField | SplitByLists | SplitByTable | SplitByNumber | SplitByDigest,
    Field(discriminator="by"),
]


class Spacing(Strict):
    """Pixel spacing that the source states for all its images."""

    row_mm: Annotated[float, Field(gt=0)]
    column_mm: Annotated[float, Field(gt=0)]
