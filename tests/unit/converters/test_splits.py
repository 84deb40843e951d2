"""Splits: by subject, stable, and never leaking."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converters.errors import CaseError, SourceError
from converters.files import Root
from converters.records import Case, Split
from converters.specs.base import SplitByLists, SplitByNumber, SplitByTable, TableFile
from converters.splits import OfficialSplit, assign_splits, digest_split

SPLITS: Sequence[Split | None] = ("train", "validation", "test", None)


def case(key: str, subject: str, split: Split | None = None) -> Case:
    """A case without files."""
    return Case(source="toy", key=key, subject_id=subject, split=split, image=key)


cases = st.lists(
    st.builds(case, st.uuids().map(str), st.sampled_from("abcde"), st.sampled_from(SPLITS)),
    max_size=30,
    unique_by=lambda c: c.key,
)


@given(found=cases)
def test_no_subject_stands_in_two_splits(found: list[Case]) -> None:
    splits: dict[str, set[str | None]] = {}
    for one in assign_splits(found):
        if one.fault is None:
            splits.setdefault(one.subject_id, set()).add(one.split)
    assert all(len(names) == 1 for names in splits.values())


@given(found=cases)
def test_test_cases_are_never_given_up(found: list[Case]) -> None:
    kept = {one.key for one in assign_splits(found) if one.fault is None}
    assert {one.key for one in found if one.split == "test"} <= kept


@given(found=cases)
def test_nothing_is_lost(found: list[Case]) -> None:
    assert [one.key for one in assign_splits(found)] == [one.key for one in found]


@given(subjects=st.lists(st.text(min_size=1), unique=True, max_size=20), other=st.text(min_size=1))
def test_a_digest_split_does_not_depend_on_other_subjects(subjects: list[str], other: str) -> None:
    alone = assign_splits([case("k", other)])[0].split
    among = assign_splits([*(case(s, s) for s in subjects if s != other), case("k", other)])[
        -1
    ].split
    assert alone == among


def test_digest_split_is_90_5_5() -> None:
    count = Counter(digest_split("toy", f"subject {n}") for n in range(20_000))
    assert abs(count["train"] / 20_000 - 0.90) < 0.01
    assert abs(count["validation"] / 20_000 - 0.05) < 0.01


def test_digest_split_is_frozen() -> None:
    """A change here would move subjects between the splits of every build ever made."""
    found = [digest_split("toy", f"s{n}") for n in (15, 16, 26, 30)]
    assert found == ["train", "validation", "validation", "test"]


TABLE = SplitByTable(
    by="table", table=TableFile(path="meta.csv", delimiter=";"), key="{id}", match="{case}",
    column="split", names={"train": "train", "val": "validation"}, if_absent="digest",
)  # fmt: skip


def official(tmp_path: Path, text: str | None) -> OfficialSplit:
    """The split that a table says."""
    if text is not None:
        (tmp_path / "meta.csv").write_text(text)
    root = Root(source="toy", folder=tmp_path)
    return OfficialSplit(TABLE, root, root.listing())


def test_a_table_says_the_split(tmp_path: Path) -> None:
    found = official(tmp_path, "id;split\ns1;train\ns2;val\n")
    assert (found.of({"case": "s1"}), found.of({"case": "s2"})) == ("train", "validation")


def test_an_image_that_the_table_does_not_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match="split_unknown"):
        official(tmp_path, "id;split\ns1;train\n").of({"case": "s9"})


def test_a_split_that_is_not_known_stops_the_source(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="split of s1 is holdout"):
        official(tmp_path, "id;split\ns1;holdout\n")


def test_without_its_table_a_source_goes_on_by_digest(tmp_path: Path) -> None:
    assert official(tmp_path, None).of({"case": "s1"}) is None


BY_NUMBER = SplitByNumber(by="number", field="case", ranges={"test": [0, 20], "train": [21, 139]})


@pytest.mark.parametrize(
    ("number", "split"), [("0", "test"), ("020", "test"), ("21", "train"), ("139", "train")]
)
def test_a_number_falls_into_its_range(tmp_path: Path, number: str, split: str) -> None:
    root = Root(source="toy", folder=tmp_path)
    assert OfficialSplit(BY_NUMBER, root, root.listing()).of({"case": number}) == split


@pytest.mark.parametrize("number", ["140", "", "-1", "1a"])
def test_a_number_outside_the_ranges_has_no_split(tmp_path: Path, number: str) -> None:
    root = Root(source="toy", folder=tmp_path)
    with pytest.raises(CaseError) as found:
        OfficialSplit(BY_NUMBER, root, root.listing()).of({"case": number})
    assert found.value.reason == "split_unknown"


def test_a_list_may_be_a_column_of_a_table(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("n,name\n1,a.png\n")
    (tmp_path / "test.csv").write_text('n,name\n2,"b,c.png"\n')
    rule = SplitByLists(
        by="lists", match="{name}.png", files={"train": ["train.csv"], "test": ["test.csv"]},
        if_absent="stop", column="name",
    )  # fmt: skip
    root = Root(source="toy", folder=tmp_path)
    split = OfficialSplit(rule, root, root.listing())
    assert [split.of({"name": name}) for name in ("a", "b,c")] == ["train", "test"]
