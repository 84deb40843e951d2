"""What the segments of a DICOM segmentation object are, by label and by code."""

from collections.abc import Sequence

from pydicom.dataset import Dataset

from converters.annotations.region_names import Region
from converters.imaging.dicom_tags import integer_of, items_of, text_of
from converters.specs.dicom_objects import NamedRegions

_BACKGROUND = ("DCM", "125040")
_OLD_SNOMED = ("SRT", "SNM3", "99SDM")


def known_codes(spec: NamedRegions) -> list[str]:
    """Every single code that the manifest knows, as "SCT:10200004"."""
    codes = [*getattr(spec, "concepts", ()), *getattr(spec, "ignore_concepts", ())]
    return list(dict.fromkeys(token for code in codes for token in code.split("+")))


def segment_region(item: Dataset, known: Sequence[str]) -> Region:
    """A segment as its file names it.

    Args:
        item: Of the segment sequence.
        known: Codes that an old code may stand for.

    Raises:
        CaseError: ``value_invalid``.
    """
    kinds = [
        (code, _coded(code, known))
        for code in items_of(item, "SegmentedPropertyTypeCodeSequence")[:1]
    ]
    concepts: list[str] = []
    for code, base in kinds:
        # Modifiers stand within the type, or beside it in older files.
        keyword = "SegmentedPropertyTypeModifierCodeSequence"
        modifiers = items_of(code, keyword) or items_of(item, keyword)
        names = sorted(_coded(modifier, known) for modifier in modifiers)
        concepts += ["+".join([base, *names])] if names else []
        concepts += [f"{base}+{name}" for name in names] if len(names) > 1 else []
        concepts.append(base)
    return Region(
        number=integer_of(item, "SegmentNumber"),
        name=text_of(item, "SegmentLabel"),
        concepts=tuple(concepts),
        is_background=any(_pair(code) == _BACKGROUND for code, _ in kinds),
    )


def _pair(code: Dataset) -> tuple[str, str]:
    return text_of(code, "CodingSchemeDesignator"), text_of(code, "CodeValue")


def _coded(code: Dataset, known: Sequence[str]) -> str:
    """A code as the manifest writes it: SCT for the SRT of older files."""
    scheme, value = _pair(code)
    if scheme in _OLD_SNOMED:
        from pydicom.sr.coding import Code  # half a second, for old files only

        for token in known:
            other, _, number = token.partition(":")
            if other == "SCT" and Code(value, "SRT", "") == Code(number, "SCT", ""):
                return token
    return f"{scheme}:{value}"
