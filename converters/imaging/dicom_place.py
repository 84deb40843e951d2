"""What a DICOM header says of the projection, the side of the patient and the size of a pixel."""

from dataclasses import dataclass

from pydicom.dataset import Dataset

from converters.errors import CaseError
from converters.imaging.dicom_tags import items_of, name_of, numbers_of, text_of
from converters.imaging.dicom_upright import require_upright
from converters.records import Json, Side

_PROJECTIONS = ("CR", "DX", "MG", "IO", "PX", "XA", "RF", "RG")
_TOMOGRAPHY = ("CT", "MR", "PT", "NM")
_VIEWS = {name: name for name in ("PA", "AP", "LL", "RL", "CC", "MLO", "ML", "LM", "XCCL")}
_VIEWS |= {"LATERAL": "lateral", "LAT": "lateral"}
# View Code Sequence (0054,0220), PS3.16 CID 4010 and 4014, in SNOMED CT and its older codes.
_VIEW_CODES = {
    "272479007": "PA", "R-10214": "PA", "399348003": "AP", "R-10206": "AP",
    "399173006": "LL", "399198007": "RL", "399162004": "CC", "R-10242": "CC",
    "399368009": "MLO", "R-10226": "MLO", "R-10224": "ML", "399352003": "LM", "R-10228": "LM",
}  # fmt: skip
_SIDES: dict[str, Side] = {"L": "left", "R": "right", "B": "both"}
_MIN_MM, _MAX_MM = 1e-4, 100.0
_SQUARE = 0.01  # how far the two sides of a pixel may differ, as a share


@dataclass(frozen=True, kw_only=True, slots=True)
class Placed:
    """Where a picture was taken.

    Attributes:
        view: View position, or plane of a slice; "" where neither is said, or is not known.
        side: Side of the patient that is shown, where the header says it.
        spacing_mm: Row and column spacing in the patient; None where it is not known.
        steps: What the header says, as it says it, for the record.
    """

    view: str
    side: Side | None
    spacing_mm: tuple[float, float] | None
    steps: tuple[dict[str, Json], ...]


def place_of(header: Dataset) -> Placed:
    """Read view, side and spacing of a picture.

    Raises:
        CaseError: ``labels_contradict`` (two lateralities), ``orientation_ambiguous`` (a
            picture that is mirrored, turned or upside down), ``geometry_invalid`` or
            ``value_invalid``.
    """
    said: dict[str, Json] = {
        keyword: text
        for keyword in ("ViewPosition", "ImageLaterality", "Laterality", "PatientOrientation",
                        "BurnedInAnnotation")
        if (text := text_of(header, keyword))
    }  # fmt: skip
    view = _view(header)
    plane = require_upright(header, view)
    spacing, step = _spacing(header)
    _require_square(header, step)
    steps: list[dict[str, Json]] = [{"step": "header", "said": said}] if said else []
    return Placed(
        view=view or plane,
        side=_side(header),
        spacing_mm=spacing,
        steps=(*steps, step) if step else tuple(steps),
    )


def _view(header: Dataset) -> str:
    position = _VIEWS.get(text_of(header, "ViewPosition").upper())
    if position:
        return position
    codes = [text_of(item, "CodeValue") for item in items_of(header, "ViewCodeSequence")]
    return _VIEW_CODES.get(codes[0], "") if len(codes) == 1 else ""


def _side(header: Dataset) -> Side | None:
    keywords = ("ImageLaterality", "Laterality", "FrameLaterality")
    said = {side for keyword in keywords if (side := _SIDES.get(text_of(header, keyword).upper()))}
    if len(said) > 1:
        raise CaseError(
            "labels_contradict", f"{name_of(header)} is said to show {' and '.join(sorted(said))}"
        )
    return said.pop() if said else None


def _spacing(header: Dataset) -> tuple[tuple[float, float] | None, dict[str, Json] | None]:
    """Spacing in the patient, where it is that; and what the header gives, with its plane.

    In a projection, Imager Pixel Spacing (0018,1164) holds on the detector, where everything is
    magnified. Pixel Spacing (0028,0030) holds in the patient where it was calibrated
    (PS3.3, 10.7.1.3): where the header says how, or where it differs from the former.
    """
    modality = text_of(header, "Modality")
    if modality == "US" and (tissue := _ultrasound_spacing(header)):
        said: dict[str, Json] = {"step": "spacing", "row_mm": tissue[0], "column_mm": tissue[1]}
        return tissue, {**said, "plane": "patient", "calibration": "ultrasound region"}
    own = _pair(header, "PixelSpacing")
    imager = _pair(header, "ImagerPixelSpacing") or _pair(header, "NominalScannedPixelSpacing")
    if own is None and imager is None:
        return None, None
    calibration = text_of(header, "PixelSpacingCalibrationType")
    is_calibrated = calibration in ("GEOMETRY", "FIDUCIAL") or _differ(own, imager)
    in_patient = own is not None and (
        modality in _TOMOGRAPHY or (modality in _PROJECTIONS and is_calibrated)
    )
    row_mm, column_mm = own or imager or (0.0, 0.0)
    step: dict[str, Json] = {"step": "spacing", "row_mm": row_mm, "column_mm": column_mm}
    if in_patient:
        step["plane"] = "patient"
    else:
        step["plane"] = "detector" if modality in _PROJECTIONS else "not known"
    if calibration:
        step["calibration"] = calibration
    return (own if in_patient else None), step


def _differ(own: tuple[float, float] | None, imager: tuple[float, float] | None) -> bool:
    """Whether two spacings differ by more than their rounding."""
    if own is None or imager is None:
        return False
    return any(abs(a / b - 1) > _SQUARE for a, b in zip(own, imager, strict=True))


def _ultrasound_spacing(header: Dataset) -> tuple[float, float] | None:
    """Spacing of the one tissue region of an ultrasound image (0018,6011), where there is one.

    Of several regions, each with a scale of its own, none holds for the whole picture.
    """
    regions = items_of(header, "SequenceOfUltrasoundRegions")
    if len(regions) != 1:
        return None
    region = regions[0]
    keywords = ("RegionSpatialFormat", "PhysicalUnitsXDirection", "PhysicalUnitsYDirection")
    if [numbers_of(region, keyword) for keyword in keywords] != [(1.0,), (3.0,), (3.0,)]:
        return None  # not a 2-D image of tissue, or not in centimetres
    x_cm, y_cm = (numbers_of(region, f"PhysicalDelta{axis}") for axis in "XY")
    if len(x_cm) != 1 or len(y_cm) != 1 or not x_cm[0] or not y_cm[0]:
        return None
    return 10 * abs(y_cm[0]), 10 * abs(x_cm[0])


def _pair(header: Dataset, keyword: str) -> tuple[float, float] | None:
    found = numbers_of(header, keyword)
    if not found:
        return None
    if len(found) != 2 or not all(_MIN_MM <= value <= _MAX_MM for value in found):
        raise CaseError("geometry_invalid", f"{name_of(header)}: {keyword} is {found}")
    return found[0], found[1]


def _require_square(header: Dataset, step: dict[str, Json] | None) -> None:
    ratio = numbers_of(header, "PixelAspectRatio") or (1.0, 1.0)
    if step:
        ratio = (float(str(step["row_mm"])), float(str(step["column_mm"])))
    if len(ratio) != 2 or min(ratio) <= 0 or abs(ratio[0] / ratio[1] - 1) > _SQUARE:
        raise CaseError("geometry_invalid", f"{name_of(header)}: pixels of {ratio} are not square")
