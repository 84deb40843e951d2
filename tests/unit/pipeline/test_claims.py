"""Promises of the checks of free texts, one fault of each kind."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converters.records import Box, Finding, Sample
from converters.vocabulary import term, terms
from pipeline.claim import Asked
from pipeline.claims import CHECKS, claim, wrongs
from pipeline.known_facts import facts_of

BOX = Box(x_min=10, y_min=10, x_max=30, y_max=30)


def finding(label: str, **facts: object) -> Finding:
    return Finding(label=label, code=label, role=term(label).role, **facts)  # type: ignore[arg-type]


SAMPLE = Sample(
    sample_id="twin/case_0042#axial-7",
    case_key="images/case_0042.nii.gz",
    image=b"",
    image_format="png",
    phash="0" * 16,
    width=100,
    height=100,
    findings=(
        finding("left kidney", box=BOX, position="upper left", longest_diameter_mm=98.2,
                volume_ml=151.0, parts=1),
        finding("kidney tumor", box=BOX, position="center right", longest_diameter_mm=23.4,
                side="left", is_instance=True),
        finding("lung nodule", box=BOX, is_instance=True, position="lower left"),
        finding("lung nodule", box=BOX, is_instance=True, position="lower right",
                attributes=(("texture", "solid"),)),
    ),
    absent=("right kidney", "fracture", "kidney cyst"),
    countable=("lung nodule",),
    modality="CT",
    anatomy=("abdomen",),
    view="axial",
    source_path="images/case_0042.nii.gz",
)  # fmt: skip
FACTS = facts_of(SAMPLE)


def codes(text: str, **asked: object) -> set[str]:
    return {one.code for one in wrongs(claim(text, FACTS, Asked(**asked)))}  # type: ignore[arg-type]


TRUE = (
    "Axial CT image of the abdomen.",
    "The left kidney measures 98 mm.",
    "The kidney on the left has a volume of 151 ml and measures 9.8 cm.",
    "A tumour of the left kidney, 2.3 cm in diameter, is seen.",
    "A renal tumor lies at the center right of the image.",
    "There are two lung nodules, one of them solid.",
    "Two pulmonary nodules and a left-sided renal neoplasm are seen in this computed tomography.",
    "No fracture is seen.",
    "No rib fracture and no acute fracture.",
    "There is a nodule in the lower left and another in the lower right of the image.",
    "The right kidney is not visible, and there is no cyst of the kidney.",
    "Multiple lung nodules are present.",
)
FALSE = {
    "An aneurysm is seen.": "unsupported_finding",
    "A liver tumor is seen.": "unsupported_finding",
    "The spleen is shown.": "unsupported_anatomy",
    "The brain is shown.": "unsupported_anatomy",
    "There is no pleural effusion.": "denied",
    "There is no kidney tumor.": "denied",
    "The left kidney is absent.": "denied",
    "A kidney tumor is possible.": "doubted",
    "The kidney tumor has grown since the prior study.": "history",
    "The kidney tumor measures 30 mm.": "number",
    "The kidney tumor measures 98 mm.": "number",
    "The kidney tumor measures 23 cm.": "number",
    "The left kidney has a volume of 200 ml.": "number",
    "The kidney tumor has a density of 40 HU.": "number",
    "A tumor of the right kidney is seen.": "side",
    "A right-sided kidney tumor is seen.": "side",
    "A lung nodule on the left.": "side",
    "A coronal image.": "plane",
    "An MR image.": "modality",
    "A T2-weighted image.": "sequence",
    "The rest is unremarkable.": "normal",
    "A malignant kidney tumor.": "qualifier",
    "A kidney tumor is seen. There is no kidney tumor.": "contradiction",
    "A normal image with a kidney tumor.": "contradiction",
    "There are three lung nodules.": "count",
    "There are 4 lung nodules.": "count",
    "A single lung nodule is seen.": "count",
    "There are two kidney tumors.": "count",
    "The kidney tumor lies in the upper left of the image.": "position",
    "The annotation shows a kidney tumor.": "leak",
    "This is case_0042 with a kidney tumor.": "file_name",
    "A kidney tumor in scan.png is seen.": "file_name",
    "I'm sorry, I cannot interpret this image.": "refusal",
    "Sure, here is the description.": "echo",
    "A kidney tumor is seen there. A kidney tumor is seen there.": "loop",
    "The the the the kidney tumor.": "loop",
    "A kidney tumor is seen in the": "truncated",
    "A kidney tumor (of the left kidney.": "truncated",
    "Das Bild zeigt die Niere und ist nicht klar.": "language",
    "A kidney tumor 肾 is seen.": "language",
    "**Findings**: a kidney tumor.": "style",
    "- A kidney tumor.": "style",
}


@pytest.mark.parametrize("text", TRUE)
def test_what_is_known_may_be_said(text: str) -> None:
    assert [one.message for one in wrongs(claim(text, FACTS, Asked()))] == []


@pytest.mark.parametrize("text", FALSE)
def test_what_is_not_known_is_found(text: str) -> None:
    assert FALSE[text] in codes(text)


def test_every_check_has_a_fault_of_its_own() -> None:
    assert {check.code for check in CHECKS} - set(FALSE.values()) == {"missing_target", "answer"}


def test_codes_are_unique_and_messages_hold_the_words() -> None:
    assert len({check.code for check in CHECKS}) == len(CHECKS)
    assert all(check.message.count("{}") == 1 for check in CHECKS)


def test_a_target_is_named_by_any_of_its_forms() -> None:
    assert codes("A renal neoplasm is seen.", targets=("kidney tumor",)) == set()
    assert codes("The left kidney.", targets=("kidney tumor",)) == {"missing_target"}
    assert "missing_target" in codes("No kidney tumor is seen.", targets=("kidney tumor",))


def test_the_end_of_a_name_names_it_where_nothing_else_ends_so() -> None:
    assert codes("A tumor in the left kidney.", targets=("kidney tumor",)) == set()
    assert codes("Nodules are seen.", targets=("lung nodule",)) == set()


def test_a_question_does_not_give_its_answer_away() -> None:
    assert codes("What is the renal tumor?", hidden=("kidney tumor",)) == {"answer"}
    assert codes("What is seen in the left kidney?", hidden=("kidney tumor",)) == set()


def test_a_dozen_words_of_the_prompt_are_an_echo() -> None:
    prompt = "Write one sentence for each of the findings below and do not add any other fact."
    said = "One sentence for each of the findings below and do not add any other fact."
    assert codes(said, prompt=prompt) == {"echo"}
    assert codes("A kidney tumor is seen.", prompt=prompt) == set()


def test_a_model_that_ran_out_of_tokens_is_cut() -> None:
    (wrong,) = wrongs(claim("A kidney tumor is seen.", FACTS, Asked(), is_cut=True))
    assert wrong.code == "truncated"


def test_normal_may_be_said_where_a_finding_says_so() -> None:
    plain = replace(SAMPLE, findings=(finding("no brain tumor"),), absent=("glioma",))
    facts = facts_of(plain)
    assert wrongs(claim("No tumor and no glioma: a normal image.", facts, Asked())) == []
    assert [w.code for w in wrongs(claim("No meningioma.", facts, Asked()))] == ["denied"]


def test_a_tumor_cell_is_not_a_non_tumor_cell() -> None:
    facts = facts_of(replace(SAMPLE, findings=(finding("non-tumor cell"),)))
    assert [w.code for w in wrongs(claim("A tumor cell.", facts, Asked()))] == [
        "unsupported_finding"
    ]
    assert wrongs(claim("A non-tumor cell.", facts, Asked())) == []


def test_facts_of_the_other_side_do_not_count() -> None:
    both = (
        finding("left kidney", box=BOX, position="upper left"),
        finding("right kidney", box=BOX, position="upper right"),
    )
    facts = facts_of(replace(SAMPLE, findings=both, absent=()))
    assert wrongs(claim("The left kidney is in the upper left of the image.", facts, Asked())) == []
    (wrong,) = wrongs(claim("The left kidney is in the upper right of the image.", facts, Asked()))
    assert wrong.code == "position"


SAYABLE = sorted(name for name, one in terms().items() if one.role != "normal")


@given(st.sampled_from(SAYABLE))
def test_a_sample_supports_its_own_term_and_denies_it_not(name: str) -> None:
    facts = facts_of(replace(SAMPLE, findings=(finding(name),), absent=(), anatomy=()))
    there = wrongs(claim(f"The image shows {name}.", facts, Asked(targets=(name,))))
    assert there == []
    gone = {w.code for w in wrongs(claim(f"The image shows no {name}.", facts, Asked()))}
    assert "denied" in gone


@given(st.sampled_from(SAYABLE))
def test_an_absent_term_may_be_denied_and_not_affirmed(name: str) -> None:
    facts = facts_of(replace(SAMPLE, findings=(), absent=(name,), anatomy=()))
    assert wrongs(claim(f"The image shows no {name}.", facts, Asked())) == []
    there = {w.code for w in wrongs(claim(f"The image shows {name}.", facts, Asked()))}
    assert there & {"unsupported_finding", "unsupported_anatomy"}


@given(st.text(), st.sampled_from(["en", "zh"]))
def test_any_text_can_be_checked(text: str, language: str) -> None:
    found = wrongs(claim(text, facts_of(SAMPLE, language), Asked(language=language)))
    assert all(one.message for one in found)


GRADE = "BI-RADS category 2 means benign. It is known to 3 mm. Nephrology and Hypertension."


@pytest.mark.parametrize(
    "text",
    [
        "The kidney tumor is benign.",
        "It is exact to 3 mm.",
        "The department is Nephrology and Hypertension.",
    ],
)
def test_what_was_given_may_be_repeated(text: str) -> None:
    assert codes(text) != set()
    assert codes(text, given=GRADE) == set()


def test_boxes_are_no_numbers() -> None:
    assert codes("<ref>kidney tumor</ref><box>[[0.12, 0.2, 0.3, 0.43]]</box>") == set()


def test_regions_have_numbers_as_names() -> None:
    assert codes("Region 1 is the left kidney, region 2 is the kidney tumor.") == set()
    assert "number" in codes("Region 7 is the left kidney.")


@pytest.mark.parametrize(
    ("label", "text"),
    [
        ("lung opacity suspicious for pneumonia", "Pneumonia is seen."),
        ("lung nodule or mass", "A mass is seen."),
        ("liver tumor", "A hepatocellular carcinoma is seen."),
    ],
)
def test_a_name_supports_no_more_than_it_says(label: str, text: str) -> None:
    facts = facts_of(replace(SAMPLE, findings=(finding(label),)))
    assert [w.code for w in wrongs(claim(text, facts, Asked()))] == ["unsupported_finding"]


def test_objects_are_counted_and_the_label_of_the_whole_image_is_not() -> None:
    label = "lung opacity suspicious for pneumonia"
    found = (finding(label), finding(label, box=BOX, is_instance=True))
    facts = facts_of(replace(SAMPLE, findings=found, countable=(label,)))
    assert wrongs(claim(f"A single {label}.", facts, Asked())) == []
    assert "count" in {w.code for w in wrongs(claim(f"There are two {label}.", facts, Asked()))}


CHINESE = {
    "轴位CT图像，可见{left kidney}及{kidney tumor}。": set(),
    "共有2个{lung nodule}。": set(),
    "未见{fracture}。": set(),
    "{left kidney}位于图像左上方，最大径约98毫米。": set(),
    "{left kidney}最大径约9.8厘米。": set(),
    "可见{spleen}。": {"unsupported_anatomy"},
    "可见{glioma}。": {"unsupported_finding"},
    "未见{glioma}。": {"denied"},
    "未见{kidney tumor}。": {"denied"},
    "可能为{kidney tumor}。": {"doubted"},
    "共有3个{lung nodule}。": {"number", "count"},
    "{left kidney}位于图像右上方。": {"position"},
    "{left kidney}最大径约60毫米。": {"number"},
    "冠状面图像。": {"plane"},
    "磁共振图像。": {"modality"},
    "抱歉，我无法判断。": {"refusal"},
    "标注显示{kidney tumor}。": {"leak"},
    "可见{kidney tumor}": {"truncated"},
    "可见 tumor。": {"language"},
}


@pytest.mark.parametrize("pattern", CHINESE)
def test_chinese_texts_pass_the_same_checks(pattern: str) -> None:
    text = pattern
    for name in ("left kidney", "kidney tumor", "lung nodule", "fracture", "spleen", "glioma"):
        text = text.replace(f"{{{name}}}", term(name).zh)
    found = wrongs(claim(text, facts_of(SAMPLE, "zh"), Asked(language="zh")))
    assert {one.code for one in found} == CHINESE[pattern]


def test_an_oblique_slice_is_of_the_plane_that_it_is_near() -> None:
    tilted = facts_of(replace(SAMPLE, view="oblique axial"))
    said = {
        text: {one.code for one in wrongs(claim(text, tilted, Asked()))}
        for text in ("An oblique axial CT image of the abdomen.", "An oblique coronal CT image.")
    }
    assert list(said.values()) == [set(), {"plane"}]


@pytest.mark.parametrize(
    ("text", "language", "code"),
    [
        ("The smear shows sickle cells.", "en", "unsupported_finding"),
        ("血涂片显示疟原虫。", "zh", "unsupported_finding"),
        ("No anomaly is seen.", "en", "normal"),
    ],
)
def test_what_no_source_labels_is_a_finding_all_the_same(
    text: str, language: str, code: str
) -> None:
    sample = replace(SAMPLE, findings=(finding("red blood cell", box=BOX),), absent=())
    asked = Asked(language=language)
    assert code in {one.code for one in wrongs(claim(text, facts_of(sample, language), asked))}
