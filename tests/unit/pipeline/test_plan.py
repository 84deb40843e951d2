"""The plan: duplicates set apart, partitions cut, and named by all that decides them."""

from dataclasses import replace

import pytest

from converters.manifest import LoadedManifest, load_manifest
from converters.records import Case, Entry, Fault, Split
from pipeline.plan import Plan, make_plan, set_apart_duplicates

TEXT = {"formats": ["caption"]}


@pytest.fixture
def loaded() -> LoadedManifest:
    """Any manifest."""
    return load_manifest("brain_tumor_sartaj")


def case(number: int, split: Split = "train", label: str = "glioma_tumor") -> Case:
    """A case with one image file and a label known from its path."""
    key = f"{split}/{label}/{number}.jpg"
    return Case(
        source="brain_tumor_sartaj", key=key, subject_id=key, split=split, image=key,
        entries=(Entry(labels=(label,)),),
    )  # fmt: skip


def digests(cases: list[Case]) -> dict[str, str]:
    """A digest of its own for each image."""
    return {one.image: f"sha256:{number:064d}" for number, one in enumerate(cases)}


def plan(loaded: LoadedManifest, cases: list[Case], files: dict[str, str], **text: str) -> Plan:
    """A plan of four cases a partition."""
    return make_plan(loaded, cases, files, partition_cases=4, text={**TEXT, **text})


def test_every_case_is_in_one_partition(loaded: LoadedManifest) -> None:
    cases = [case(n, split) for split in ("train", "test") for n in range(10)]
    made = plan(loaded, cases, digests(cases)).partitions
    assert sorted(c.key for p in made for c in p.cases) == sorted(c.key for c in cases)
    assert [len(p.cases) for p in made] == [4, 4, 2, 4, 4, 2]


def test_a_changed_file_renames_its_partition_alone(loaded: LoadedManifest) -> None:
    cases = [case(n) for n in range(12)]
    before = plan(loaded, cases, digests(cases)).partitions
    after = plan(loaded, cases, digests(cases) | {cases[5].image: "sha256:new"}).partitions
    changed = [a.digest == b.digest for a, b in zip(before, after, strict=True)]
    assert changed == [True, False, True]


def test_a_changed_row_of_a_table_renames_its_partition_alone(loaded: LoadedManifest) -> None:
    cases = [
        replace(case(n), entries=(Entry(table="t.csv", values={"a": str(n)}),)) for n in range(8)
    ]
    other = [*cases[:7], replace(cases[7], entries=(Entry(table="t.csv", values={"a": "9"}),))]
    before = plan(loaded, cases, digests(cases)).partitions
    after = plan(loaded, other, digests(cases)).partitions
    assert [a.digest == b.digest for a, b in zip(before, after, strict=True)] == [True, False]


def test_a_changed_template_renames_every_partition(loaded: LoadedManifest) -> None:
    cases = [case(n) for n in range(8)]
    before = plan(loaded, cases, digests(cases), templates="a").partitions
    after = plan(loaded, cases, digests(cases), templates="b").partitions
    assert not {p.digest for p in before} & {p.digest for p in after}


def test_a_changed_manifest_renames_every_partition(loaded: LoadedManifest) -> None:
    cases = [case(n) for n in range(8)]
    before = plan(loaded, cases, digests(cases)).partitions
    after = plan(replace(loaded, digest="sha256:other"), cases, digests(cases)).partitions
    assert not {p.digest for p in before} & {p.digest for p in after}


def test_of_equal_images_the_one_of_the_test_split_is_kept() -> None:
    cases = [case(0), case(1, "test"), case(2)]
    kept, rejected = set_apart_duplicates(
        cases, dict.fromkeys((c.image for c in cases), "sha256:x")
    )
    assert kept == [cases[1]]
    assert [r.reason for r in rejected] == ["duplicate_image"] * 2


def test_of_equal_images_with_other_labels_none_is_kept() -> None:
    cases = [case(0), case(1, label="no_tumor"), case(2)]
    same = {cases[0].image: "sha256:x", cases[1].image: "sha256:x", cases[2].image: "sha256:y"}
    kept, rejected = set_apart_duplicates(cases, same)
    assert kept == [cases[2]]
    assert [r.reason for r in rejected] == ["duplicate_contradiction"] * 2


def test_a_faulty_case_is_rejected_before_it_is_read(loaded: LoadedManifest) -> None:
    cases = [case(0), replace(case(1), fault=Fault(reason="image_missing", message="gone"))]
    made = plan(loaded, cases, digests(cases))
    assert [(r.case_key, r.reason) for r in made.rejections] == [(cases[1].key, "image_missing")]
