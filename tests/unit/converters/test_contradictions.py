"""Labels that cannot both hold reject their picture: a normal one beside a lesion, above all."""

from pathlib import Path

import pytest

from converters.annotations.contract import Said
from converters.errors import CaseError
from converters.files import Root
from converters.layouts.contradictions import denied_by, require_no_contradiction
from converters.manifest import load_manifest
from converters.records import Box, Finding, Rejection, Sample
from converters.select import converter_for
from converters.vocabulary import term
from tests.fakes import build_twin

BOX = Box(x_min=1, y_min=1, x_max=5, y_max=5)


def finding(name: str, box: Box | None = None) -> Finding:
    return Finding(label=name, code="", role=term(name).role, box=box)


def require(findings: list[Finding], denied: frozenset[str] = frozenset()) -> None:
    require_no_contradiction(findings, denied, "a.png")


def test_a_normal_breast_with_a_marked_lesion_is_rejected(tmp_path: Path) -> None:
    manifest = load_manifest("breast_lesions_usg").manifest
    twin = build_twin(manifest, tmp_path / "root")
    root = Root(source=manifest.name, folder=twin.folder.resolve())
    converter = converter_for(manifest)
    made = [out for case in converter.cases(root) for out in converter.convert(root, case)]
    normal = [
        out
        for out in made
        if isinstance(out, Sample) and {f.label for f in out.findings} == {"normal breast"}
    ]
    assert normal
    masks = sorted(path.name for path in twin.folder.rglob("*_tumor.png"))
    for sample in normal:
        name = Path(sample.source_path).stem
        assert f"{name}_tumor.png" not in masks
        (full,) = twin.folder.rglob(f"{name}.png")
        (other,) = twin.folder.rglob(masks[0])
        size = (sample.width, sample.height)
        _copy_mask(other, full.with_name(f"{name}_tumor.png"), size)
    again = [out for case in converter.cases(root) for out in converter.convert(root, case)]
    rejected = {out.case_key: out for out in again if isinstance(out, Rejection)}
    assert set(rejected) == {sample.case_key for sample in normal}
    assert {out.reason for out in rejected.values()} == {"labels_contradict"}
    assert all("normal breast and breast lesion" in out.message for out in rejected.values())


def _copy_mask(source: Path, target: Path, size: tuple[int, int]) -> None:
    from PIL import Image

    Image.open(source).resize(size, Image.Resampling.NEAREST).save(target)


@pytest.mark.parametrize(
    ("whole", "other"),
    [
        ("normal breast", "malignant breast mass"),  # a kind of what normal contradicts
        ("no brain tumor", "glioblastoma"),
        ("normal retina", "drusen"),
    ],
)
def test_a_label_of_the_whole_contradicts_what_is_marked(whole: str, other: str) -> None:
    with pytest.raises(CaseError, match="is said to show"):
        require([finding(whole), finding(other, BOX)])


def test_two_regions_may_each_be_what_the_other_is_not() -> None:
    require([finding("early glaucoma", BOX), finding("advanced glaucoma", BOX)])


def test_two_grades_of_the_whole_picture_may_not() -> None:
    with pytest.raises(CaseError, match="early glaucoma"):
        require([finding("early glaucoma"), finding("advanced glaucoma")])


def test_normal_denies_what_the_other_labels_would_have_implied() -> None:
    said = Said(
        findings=(finding("normal breast"),),
        absent=("benign breast lesion", "malignant breast lesion"),
    )
    denied = denied_by(said)
    assert "breast lesion" in denied
    with pytest.raises(CaseError, match="is marked on it"):
        require([finding("normal lungs"), finding("breast lesion", BOX)], denied)


def test_the_organ_itself_is_not_denied() -> None:
    said = Said(findings=(finding("normal liver"),), absent=("liver", "liver tumor"))
    require([finding("normal liver"), finding("liver", BOX)], denied_by(said))


def test_no_melanoma_does_not_deny_another_lesion() -> None:
    said = Said(findings=(finding("no melanoma"),), absent=("melanoma",))
    require([finding("no melanoma"), finding("skin lesion", BOX)], denied_by(said))


def test_a_normal_region_denies_nothing_elsewhere() -> None:
    said = Said(findings=(finding("normal breast", BOX),), absent=("malignant breast lesion",))
    require([finding("malignant breast lesion", BOX)], denied_by(said))
