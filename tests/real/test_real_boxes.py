"""Boxes and questions of real data, against counts taken from the raw files alone."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from converters.files import locate_root
from converters.manifest import load_manifest
from converters.records import Outcome, Rejection, Sample
from converters.select import converter_for

CELLS = {"RBC": "red blood cell", "WBC": "white blood cell", "Platelets": "platelet"}


def outcomes(source: str, folder: Path) -> list[Outcome]:
    """Everything that the converter of a source yields."""
    manifest = load_manifest(source).manifest
    root, _ = locate_root(manifest, folder)
    converter = converter_for(manifest)
    return [out for case in converter.cases(root) for out in converter.convert(root, case)]


@pytest.fixture(scope="module")
def bccd(real_data: Path) -> list[Outcome]:
    """All records of BCCD."""
    return outcomes("bccd", real_data / "bccd")


@pytest.fixture(scope="module")
def raw(real_data: Path) -> dict[str, str]:
    """The raw XML of BCCD by the stem of its name."""
    files = (real_data / "bccd" / "BCCD" / "Annotations").glob("*.xml")
    return {path.stem: path.read_text() for path in files}


def is_point(text: str) -> bool:
    """Whether a raw XML holds a box whose corners are one point."""
    return bool(re.search(r"<xmin>(\d+)</xmin>\s*<ymin>(\d+)</ymin>\s*<xmax>\1</xmax>", text))


def test_boxes_of_bccd_are_those_of_its_xml(bccd: list[Outcome], raw: dict[str, str]) -> None:
    found = Counter(f.label for out in bccd if isinstance(out, Sample) for f in out.findings)
    expected: Counter[str] = Counter()
    for text in raw.values():
        if not is_point(text):
            boxes = re.findall(r"<name>(\w+)</name>.*?<bndbox>(.*?)</bndbox>", text, re.DOTALL)
            expected.update(
                CELLS[name] for name, _ in {(n, re.sub(r"\s", "", b)) for n, b in boxes}
            )
    assert found == expected


def test_images_of_bccd_with_a_box_of_one_point_are_rejected(
    bccd: list[Outcome], raw: dict[str, str]
) -> None:
    rejected = {Path(out.case_key).stem for out in bccd if isinstance(out, Rejection)}
    assert rejected == {name for name, text in raw.items() if is_point(text)}
    assert {out.reason for out in bccd if isinstance(out, Rejection)} == {"box_empty"}


def test_splits_of_bccd_are_the_official_ones(real_data: Path) -> None:
    manifest = load_manifest("bccd").manifest
    root, _ = locate_root(manifest, real_data / "bccd")
    found = Counter(case.split for case in converter_for(manifest).cases(root))
    lists = real_data / "bccd" / "BCCD" / "ImageSets" / "Main"
    expected = {
        split: len((lists / f"{name}.txt").read_text().split())
        for split, name in (("train", "train"), ("validation", "val"), ("test", "test"))
    }
    assert found == expected


@pytest.fixture(scope="module")
def vqa(real_data: Path) -> list[Outcome]:
    """All records of VQA-RAD."""
    return outcomes("vqa_rad", real_data / "vqa_rad")


@pytest.fixture(scope="module")
def asked(real_data: Path) -> dict[str, list[dict[str, object]]]:
    """The raw objects of both splits."""
    folder = real_data / "vqa_rad"
    return {n: json.loads((folder / f"{n}.json").read_text()) for n in ("trainset", "testset")}


def test_missing_images_of_vqa_rad_are_rejected(
    vqa: list[Outcome], asked: dict[str, list[dict[str, object]]], real_data: Path
) -> None:
    named = {row["image_name"] for rows in asked.values() for row in rows}
    there = {path.name for path in (real_data / "vqa_rad" / "images").iterdir()}
    rejected = [out for out in vqa if isinstance(out, Rejection)]
    assert Counter(out.reason for out in rejected) == {"image_missing": len(named - there)}
    assert {out.case_key for out in rejected} == named - there


def test_test_images_of_vqa_rad_keep_test_questions_alone(
    vqa: list[Outcome], asked: dict[str, list[dict[str, object]]]
) -> None:
    for out in vqa:
        if isinstance(out, Sample):
            name = Path(out.source_path).name
            test = {str(r["question"]).strip() for r in asked["testset"] if r["image_name"] == name}
            assert test
            assert {exchange.question for exchange in out.exchanges} == test


def test_modality_of_vqa_rad_is_that_of_its_image(
    vqa: list[Outcome], asked: dict[str, list[dict[str, object]]]
) -> None:
    codes = {"CT": "CT", "X-Ray": "DX", "MRI": "MR"}
    for out in vqa:
        if isinstance(out, Sample):
            name = Path(out.source_path).name
            said = {str(r["modality"]) for r in asked["testset"] if r["image_name"] == name}
            assert {codes[code] for code in said} == {out.modality}
