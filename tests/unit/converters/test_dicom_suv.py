"""PET values become SUV by body weight where the tags allow it, and say so where they do not."""

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from converters.files import Root
from converters.imaging.dicom_file import quiet
from converters.imaging.dicom_series import group_series, read_series
from converters.imaging.dicom_slices import read_slices
from converters.imaging.dicom_suv import suv_of
from tests.fakes.dicom_slices import encoded, slice_dataset


def header(**tags: object) -> Dataset:
    """A scan of 80 kg, one hour after 400 MBq of fluorine-18."""
    drug = Dataset()
    drug.RadionuclideTotalDose = 4e8
    drug.RadionuclideHalfLife = 6586.2
    drug.RadiopharmaceuticalStartTime = "090000"
    found = Dataset()
    found.Units = "BQML"
    found.CorrectedImage = ["DECY", "ATTN", "SCAT"]
    found.DecayCorrection = "START"
    found.PatientWeight = 80
    found.SeriesDate = found.AcquisitionDate = "20200101"
    found.SeriesTime = "100000"
    found.AcquisitionTime = "100130.500"
    for name, value in tags.items():
        setattr(drug if name.startswith("Radio") else found, name, value)
    found.RadiopharmaceuticalInformationSequence = Sequence([drug])
    return found


def test_the_factor_is_weight_over_the_dose_that_is_left() -> None:
    factor, step = suv_of([header()])
    # 400 MBq over 3600 s with a half-life of 109.77 min leave 273.85 MBq.
    assert factor == pytest.approx(80_000 / 273.85e6, rel=1e-4)
    assert step == {"step": "suv_body_weight", "units": "BQML", "factor": factor,
                    "half_life_s": 6586.2, "decay_s": 3600.0}  # fmt: skip


def test_values_corrected_to_the_injection_need_no_decay() -> None:
    assert suv_of([header(DecayCorrection="ADMIN")])[0] == pytest.approx(80_000 / 4e8)


def test_an_injection_before_midnight_is_of_the_day_before() -> None:
    late = header(SeriesTime="003000", AcquisitionTime="003100",
                  RadiopharmaceuticalStartTime="233000")  # fmt: skip
    assert suv_of([late])[1]["decay_s"] == 3600.0


def test_a_full_date_and_time_goes_before_the_time_alone() -> None:
    full = header(RadiopharmaceuticalStartDateTime="20200101093000.00+0000")
    assert suv_of([full])[1]["decay_s"] == 1800.0


@pytest.mark.parametrize("scale", ["0.000551", "0", "nan"])
def test_counts_need_the_maker_s_own_scale(scale: str) -> None:
    found = header(Units="CNTS")
    block = found.private_block(0x7053, "Philips PET Private Group", create=True)
    with quiet():
        block.add_new(0x00, "DS", scale)
    factor, step = suv_of([found])
    is_usable = scale == "0.000551"
    assert factor == (0.000551 if is_usable else None)
    assert ("no_suv_because" in step) != is_usable


def test_values_in_grams_a_millilitre_are_suv_already() -> None:
    assert suv_of([header(Units="GML")])[0] == 1.0


@pytest.mark.parametrize(
    ("tags", "why"),
    [
        ({"Units": "CNTS"}, "Units are CNTS, not BQML"),
        ({"CorrectedImage": ["ATTN"]}, "not corrected for both attenuation and decay"),
        ({"PatientWeight": None}, "PatientWeight is missing"),
        ({"PatientWeight": 0}, "PatientWeight is missing or not positive"),
        ({"RadionuclideTotalDose": 400}, "no dose in Bq"),
        ({"RadionuclideHalfLife": None}, "RadionuclideHalfLife is missing"),
        ({"DecayCorrection": "NONE"}, "DecayCorrection is NONE"),
        ({"RadiopharmaceuticalStartTime": ""}, "a date or time"),
        ({"SeriesTime": "110000"}, "acquired before the series' time"),
        ({"RadiopharmaceuticalStartDateTime": "20191230090000"}, "after the injection"),
    ],
)
def test_values_stay_as_they_are_where_a_tag_does_not_allow_it(tags, why) -> None:
    factor, step = suv_of([header(**tags)])
    assert factor is None
    assert step["step"] == "pet_values"
    assert why in str(step["no_suv_because"])


def test_a_series_of_pet_is_read_as_suv(tmp_path) -> None:
    stored = np.arange(24, dtype=np.uint16).reshape(2, 3, 4) * 1000
    tags = {element.keyword: element.value for element in header()}
    for at in range(2):
        found = slice_dataset(stored[at], (0, 0, 3 * at), modality="PT", key=at,
                              RescaleSlope=at + 1, RescaleIntercept=0, **tags)  # fmt: skip
        (tmp_path / f"{at}.dcm").write_bytes(encoded(found))
    root = Root(source="x", folder=tmp_path)
    files, _ = read_slices(root, root.listing().paths)
    volume = read_series(root, group_series(files)[0])
    wanted = stored * np.array([1, 2])[:, None, None] * suv_of([header()])[0]
    assert volume.values.dtype == np.float32
    assert np.allclose(volume.values.T, wanted)
    assert volume.steps[-1]["step"] == "suv_body_weight"
