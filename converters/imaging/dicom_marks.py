"""What tells the volumes of a DICOM series apart: b-value, echo time, phase, kind of image."""

from collections.abc import Mapping, Sequence

from pydicom.dataset import Dataset

from converters.errors import CaseError
from converters.imaging.dicom_file import BROKEN, quiet
from converters.imaging.dicom_tags import items_of, text_of

# Attributes that tell the volumes of a series apart, most telling first: the sequence of a
# functional group that holds it (none in a single-frame image), and its keyword.
_MARKS: dict[str, tuple[tuple[str, str], ...]] = {
    "b_value": (("", "DiffusionBValue"), ("MRDiffusionSequence", "DiffusionBValue")),
    "echo_time": (("", "EchoTime"), ("MREchoSequence", "EffectiveEchoTime")),
    "temporal_position": (
        ("", "TemporalPositionIdentifier"),
        ("FrameContentSequence", "TemporalPositionIndex"),
    ),
    "image_type": (
        ("MRImageFrameTypeSequence", "FrameType"),
        ("CTImageFrameTypeSequence", "FrameType"),
        ("PETFrameTypeSequence", "FrameType"),
        ("", "ImageType"),
    ),
    "inversion_time": (("", "InversionTime"),),
    "trigger_time": (
        ("", "TriggerTime"),
        ("CardiacSynchronizationSequence", "NominalCardiacTriggerDelayTime"),
    ),
    "echo_number": (("", "EchoNumbers"),),
    "gradient": (
        ("", "DiffusionGradientOrientation"),
        ("DiffusionGradientDirectionSequence", "DiffusionGradientOrientation"),
    ),
    "acquisition": (("", "AcquisitionNumber"),),
    "acquisition_time": (("", "AcquisitionTime"),),
}
MARKS = tuple(_MARKS)
# Those that no two slices of one volume differ in. The others vary from slice to slice in an
# ordinary series: each slice has its time, and a scan may be several acquisitions.
KINDS = ("b_value", "echo_time", "inversion_time", "temporal_position", "image_type")
_SIEMENS = (0x0019, "SIEMENS MR HEADER", 0x0C)  # the b-value, where the standard's is missing


def group_item(header: Dataset, groups: Sequence[Dataset], sequence: str) -> Dataset | None:
    """The first item of a functional group; the image itself where there are no groups."""
    if not groups or not sequence:
        return header
    for group in groups:
        if items := items_of(group, sequence):
            return items[0]
    return None


def group_text(header: Dataset, groups: Sequence[Dataset], sequence: str, keyword: str) -> str:
    """A value of the frame's functional groups; "" where it is missing or broken."""
    try:
        item = group_item(header, groups, sequence)
        return text_of(item, keyword) if item is not None else ""
    except CaseError:
        return ""  # it tells nothing apart


def marks_of(header: Dataset, groups: Sequence[Dataset]) -> dict[str, str]:
    """What a slice says of the attributes that may tell volumes apart, by their names here."""
    marks: dict[str, str] = {}
    for name, places in _MARKS.items():
        for sequence, keyword in places:
            if bool(sequence) and not groups:
                continue
            text = group_text(header, groups, sequence, keyword)
            if text:
                marks[name] = _plain(text)
                break
    if "b_value" not in marks and (own := _siemens_b_value(header)):
        marks["b_value"] = own
    return marks


def kind_of(marks: Mapping[str, str], name: str) -> str:
    """What a slice says of one of the :data:`KINDS`; "" where it says nothing.

    The first two values of Image Type (0008,0008) say whether pixels are original and who they
    are of; those that follow say what they show: magnitude or phase, water or fat.
    """
    text = marks.get(name, "")
    return "\\".join(text.split("\\")[2:]) if name == "image_type" else text


def _plain(text: str) -> str:
    """A number without what means nothing: 800.0 is 800."""
    try:
        return f"{float(text):.12g}"
    except ValueError:
        return text


def _siemens_b_value(header: Dataset) -> str:
    group, creator, element = _SIEMENS
    try:
        with quiet():
            value = header.private_block(group, creator)[element].value
    except (*BROKEN, OSError):
        return ""
    text = value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)
    return _plain(text.strip(" \0"))
