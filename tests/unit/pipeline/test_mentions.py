"""Promises of the reading of texts: terms, their sides, what is affirmed and what is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converters.vocabulary import terms
from pipeline.mentions import Mention, read_text

# Sentences as reports have them, with what each says of each term: + affirmed, - negated,
# ? uncertain, < history.
ENGLISH = {
    "There is no evidence of pneumothorax.": "-pneumothorax",
    "No pneumothorax, pleural effusion, or consolidation.": (
        "-pneumothorax -pleural_effusion -consolidation"
    ),
    "No pleural effusion, but a consolidation is seen.": "-pleural_effusion +consolidation",
    "Pneumothorax is not seen.": "-pneumothorax",
    "Pleural effusion and pneumothorax are absent.": "-pleural_effusion -pneumothorax",
    "The lungs are free of consolidation.": "+lungs -consolidation",
    "Negative for fracture.": "-fracture",
    "Pneumonia cannot be excluded.": "?pneumonia",
    "Opacity suspicious for pneumonia.": "+opacity ?pneumonia",
    "Possible small pneumothorax.": "?pneumothorax",
    "History of tuberculosis.": "<tuberculosis",
    "Emphysema without pneumothorax.": "+emphysema -pneumothorax",
    "Cardiomegaly; no pulmonary edema.": "+cardiomegaly -pulmonary_edema",
    "The heart is not enlarged.": "+heart",
    "Not only atelectasis but also pleural effusion.": "+atelectasis +pleural_effusion",
    "No change in the pleural effusion.": "+pleural_effusion",
    "No nodule in the left lung.": "-nodule +lung",
    "No lesion within the liver or spleen.": "-lesion +liver +spleen",
    "Neither subdural hematoma nor epidural hematoma is present.": (
        "-subdural_hemorrhage -epidural_hemorrhage"
    ),
    "The gallbladder is not visualized, and the liver is shown.": "-gallbladder +liver",
    "Rather than a glioma, a meningioma is shown.": "-glioma +meningioma",
    "Pneumothorax has been ruled out.": "-pneumothorax",
    "Likely hepatocellular carcinoma.": "?hepatocellular_carcinoma",
    "This may represent a meningioma.": "?meningioma",
    "The patient does not show a pneumothorax.": "-pneumothorax",
    "Absence of left kidney is noted.": "-kidney",
    "The mass is negative for calcification.": "+mass -calcification",
    "A kidney tumor is seen, whereas a kidney cyst is not.": "+kidney_tumor -kidney_cyst",
    "No fracture.\nPneumonia is seen.": "-fracture +pneumonia",
    "Fracture: not present.": "-fracture",
    "Prior clavicle fracture.": "<clavicle_fracture",
    "No fracture line, and the femur is shown.": "-fracture +femur",
    "It shows atelectasis without any sign of pneumonia; the aorta is seen.": (
        "+atelectasis -pneumonia +aorta"
    ),
}
CHINESE = {
    "未见骨折。": "-骨_折",
    "可见骨折，但未见肺炎。": "+骨_折 -肺_炎",
    "不能排除肺炎。": "?肺_炎",
    "可能为肺炎。": "?肺_炎",
    "未见肺炎及骨折。": "-肺_炎 -骨_折",
}
SIGNS = {"affirmed": "+", "negated": "-", "uncertain": "?", "history": "<"}


def told(mention: Mention, names: set[str]) -> str:
    known = [name for name in mention.names if name.replace(" ", "_") in names]
    return SIGNS[mention.polarity] + (known or mention.names)[0].replace(" ", "_")


@pytest.mark.parametrize("text", ENGLISH)
def test_english_scopes(text: str) -> None:
    said = ENGLISH[text].split()
    mentions = read_text(text).mentions
    assert [told(one, {name[1:] for name in said}) for one in mentions] == said


@pytest.mark.parametrize("text", CHINESE)
def test_chinese_scopes(text: str) -> None:
    said = CHINESE[text].split()
    mentions = read_text(text, "zh").mentions
    assert [told(one, {name[1:] for name in said}) for one in mentions] == said


@pytest.mark.parametrize(
    ("text", "side"),
    [
        ("The left kidney.", "left"),
        ("The kidney on the right.", "right"),
        ("A right-sided pleural effusion.", "right"),
        ("Pleural effusion on the left side.", "left"),
        ("Bilateral pleural effusion.", "both"),
        ("Both femoral heads.", "both"),
        ("A kidney.", ""),
        ("A kidney in the upper left of the image.", ""),
        ("A kidney in the left half of the image.", ""),
        ("A left renal cyst.", "left"),
    ],
)
def test_sides_of_the_patient(text: str, side: str) -> None:
    assert [one.side for one in read_text(text).mentions] == [side]


def test_each_of_two_terms_keeps_its_side() -> None:
    mentions = read_text("The left kidney and the spleen on the right.").mentions
    assert [one.side for one in mentions] == ["left", "right"]


def test_both_of_two_things_is_no_side() -> None:
    reading = read_text("Both a kidney tumor and a spleen are shown. Both are seen.")
    assert [one.side for one in reading.mentions] == ["", ""]
    assert reading.loose_sides == []


def test_a_side_alone_belongs_to_nothing() -> None:
    assert [cue.value for cue in read_text("It is on the left.").loose_sides] == ["left"]


def test_a_synonym_means_its_term() -> None:
    assert "hepatocellular carcinoma" in read_text("An HCC is seen.").mentions[0].names


def test_an_abbreviation_is_written_in_capitals() -> None:
    assert read_text("Let us see.").cues.get("modality") is None
    assert read_text("A US image.").cues["modality"][0].value == "US"


def test_a_word_that_is_no_term_is_still_a_finding() -> None:
    (mention,) = read_text("There is an aneurysm.").mentions
    assert (mention.names, mention.is_term) == (("aneurysm",), False)


def test_a_mention_knows_its_place() -> None:
    reading = read_text("There is a  lung nodule.")
    (mention,) = reading.mentions
    assert reading.written(mention.first, mention.last) == "lung nodule"


NAMED = sorted(name for name, one in terms().items() if one.role != "normal")


@given(st.sampled_from(NAMED))
def test_every_term_is_mentioned_affirmed_and_denied(name: str) -> None:
    base = terms()[name].base
    (there,) = [m for m in read_text(f"One sees {name}.").mentions if base in m.names]
    (gone,) = [m for m in read_text(f"There is no {name}.").mentions if base in m.names]
    assert (there.polarity, gone.polarity) == ("affirmed", "negated")
    assert there.side == terms()[name].side


@given(st.text())
def test_any_text_can_be_read(text: str) -> None:
    for language in ("en", "zh"):
        assert read_text(text, language).text == text
