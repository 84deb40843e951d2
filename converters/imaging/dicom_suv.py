"""PET values as standardized uptake values by body weight (SUVbw), where the tags allow.

The arithmetic is that of the Quantitative Imaging Biomarkers Alliance for values in Bq/ml that
are corrected for attenuation and decay: grams of the patient, over the dose that is left when
the scan begins.
"""

import math
import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from pydicom.dataset import Dataset

from converters.errors import CaseError
from converters.imaging.dicom_file import BROKEN, quiet
from converters.imaging.dicom_tags import items_of, numbers_of, text_of, texts_of
from converters.records import Json

_LONGEST = timedelta(hours=24)  # from injection to scan
_TIME = re.compile(r"(\d{2})(\d{2})(\d{2})(?:\.(\d{1,6}))?")
_PHILIPS = (0x7053, "Philips PET Private Group", 0x00)  # counts to SUVbw
_DATE = re.compile(r"\d{8}")


class _RawError(Exception):
    """Why values stay as they are."""


def suv_of(headers: Sequence[Dataset]) -> tuple[float | None, dict[str, Json]]:
    """What values are to be multiplied with to be SUVbw in g/ml, and the step for provenance.

    Args:
        headers: Of every file of the series.

    Returns:
        None and a step that says why, where the tags do not allow it.
    """
    units = text_of(headers[0], "Units")
    try:
        factor, facts = _factor(headers, units)
    except (_RawError, CaseError) as error:
        why = error.message if isinstance(error, CaseError) else str(error)
        return None, {"step": "pet_values", "units": units, "no_suv_because": why}
    return factor, {"step": "suv_body_weight", "units": units, "factor": factor, **facts}


def _factor(headers: Sequence[Dataset], units: str) -> tuple[float, dict[str, Json]]:
    if units == "GML" and text_of(headers[0], "SUVType") in ("", "BW"):
        return 1.0, {}
    if units == "CNTS" and (scale := _philips_scale(headers[0])):
        return scale, {"scale_of": "Philips (7053,xx00)"}
    if units != "BQML":
        raise _RawError(f"Units are {units or 'missing'}, not BQML")
    return _from_activity(headers)


def _from_activity(headers: Sequence[Dataset]) -> tuple[float, dict[str, Json]]:
    """The factor for values in Bq/ml."""
    corrected = set(texts_of(headers[0], "CorrectedImage"))
    if not {"ATTN", "DECY"} <= corrected:
        raise _RawError("values are not corrected for both attenuation and decay")
    weight_kg = _number(headers[0], "PatientWeight")
    items = items_of(headers[0], "RadiopharmaceuticalInformationSequence")
    if len(items) != 1:
        raise _RawError(f"{len(items)} radiopharmaceuticals are described")
    dose_bq = _number(items[0], "RadionuclideTotalDose")
    if dose_bq < 1e5:  # some write MBq
        raise _RawError(f"RadionuclideTotalDose is {dose_bq:g}, no dose in Bq")
    correction = text_of(headers[0], "DecayCorrection")
    if correction == "ADMIN":
        return weight_kg * 1000 / dose_bq, {}
    if correction != "START":
        raise _RawError(f"DecayCorrection is {correction or 'missing'}")
    half_life_s = _number(items[0], "RadionuclideHalfLife")
    waited_s = _waited(headers, items[0]).total_seconds()
    left_bq = dose_bq * 2.0 ** (-waited_s / half_life_s)
    # Weight and dose are the patient's own; the factor says all that the values need.
    return weight_kg * 1000 / left_bq, {"half_life_s": half_life_s, "decay_s": waited_s}


def _philips_scale(header: Dataset) -> float | None:
    group, creator, element = _PHILIPS
    try:
        with quiet():
            value = float(header.private_block(group, creator)[element].value)
    except (*BROKEN, OSError):
        return None
    return value if math.isfinite(value) and value > 0 else None


def _number(header: Dataset, keyword: str) -> float:
    found = numbers_of(header, keyword)
    if len(found) != 1 or found[0] <= 0:
        raise _RawError(f"{keyword} is missing or not positive")
    return found[0]


def _waited(headers: Sequence[Dataset], drug: Dataset) -> timedelta:
    """From the injection to the time that values are corrected to: the start of the scan.

    The series' time is that where no slice was acquired before it; a series that was made
    later than it was acquired carries its own making, and nothing can be told.
    """
    begun = _moment(text_of(headers[0], "SeriesDate"), text_of(headers[0], "SeriesTime"))
    for header in headers:
        acquired = _moment(text_of(header, "AcquisitionDate"), text_of(header, "AcquisitionTime"))
        if acquired < begun:
            raise _RawError("slices were acquired before the series' time: it is not the scan's")
    stamp = text_of(drug, "RadiopharmaceuticalStartDateTime")
    injected = (
        _moment(stamp[:8], stamp[8:].split("+")[0].split("-")[0])
        if stamp
        else _moment(begun.strftime("%Y%m%d"), text_of(drug, "RadiopharmaceuticalStartTime"))
    )
    waited = begun - injected
    if not stamp and waited < timedelta(0):
        waited += timedelta(days=1)  # injected before midnight
    if not timedelta(0) <= waited <= _LONGEST:
        raise _RawError(f"the scan begins {waited.total_seconds():,.0f} s after the injection")
    return waited


def _moment(date: str, time: str) -> datetime:
    found = _TIME.fullmatch(time)
    if not found or not _DATE.fullmatch(date):
        raise _RawError("a date or time of series, slice or injection is missing")
    hour, minute, second, fraction = found.groups()
    try:
        day = datetime.strptime(date, "%Y%m%d")
    except ValueError as error:
        raise _RawError(f"{date} is no date") from error
    return day + timedelta(
        hours=int(hour),
        minutes=int(minute),
        seconds=int(second),
        microseconds=int((fraction or "0").ljust(6, "0")),
    )
