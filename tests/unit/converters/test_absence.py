"""What a source may not call absent: a whole beside its part, a structure drawn in part."""

import numpy as np
import pytest

from converters.annotations.contract import module_of
from converters.annotations.structures import Structure, empty_structure
from converters.imaging.planes import raster_of, to_canonical
from converters.imaging.volumes import Volume
from converters.layouts.slicing import Said3D, describe_slice
from converters.manifest import load_manifest
from converters.vocabulary import wholes_of

SHAPE = (12, 12, 3)
SIDES = ("left", "right")


def absent_beside(source: str, present: str) -> set[str]:
    """What a slice lacks for sure that shows one structure of the source's complete block."""
    (block,) = load_manifest(source).manifest.layout.annotations
    names = module_of(block.kind).terms_of(block)
    assert present in names
    unsure = set(block.absence_unknown)
    whole = Structure(term=present, code="", mask=np.ones(SHAPE, bool), corner=(0, 0, 0))
    said = [
        Said3D(
            structure=whole if name == present else empty_structure(name, ""),
            is_known=name not in unsure,
        )
        for name in names
    ]
    grid = to_canonical(Volume(values=np.zeros(SHAPE), affine=np.eye(4)), "a").grid
    raster = raster_of(grid, "axial")
    found, absent = describe_slice(said, "axial", 1, grid=grid, raster=raster, min_area_px=1)
    assert [finding.label for finding in found] == [present]
    return set(absent)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(
    ("source", "part", "whole"),
    [
        (
            "colin27_aal",
            "medial orbital part of the {} superior frontal gyrus",
            "orbital part of the {} superior frontal gyrus",
        ),
        (
            "colin27_aal",
            "medial orbital part of the {} superior frontal gyrus",
            "medial part of the {} superior frontal gyrus",
        ),
        (
            "colin27_aal",
            "{} supplementary motor area",
            "medial part of the {} superior frontal gyrus",
        ),
        ("colin27_aal", "{} Heschl gyrus", "{} superior temporal gyrus"),
        ("colin27_aal", "{} calcarine cortex", "{} cuneus"),
        ("colin27_aal", "{} calcarine cortex", "{} lingual gyrus"),
        ("colin27_aal", "{} paracentral lobule", "{} precentral gyrus"),
        ("colin27_aal", "{} paracentral lobule", "{} postcentral gyrus"),
        ("colin27_aal", "{} angular gyrus", "{} inferior parietal gyrus"),
        ("colin27_aal", "{} supramarginal gyrus", "{} inferior parietal gyrus"),
        ("colin27_aal", "{} precuneus", "{} superior parietal gyrus"),
        ("segrap2023_task1", "{} tympanic cavity", "{} middle ear"),
        ("segrap2023_task1", "{} hippocampus", "{} temporal lobe"),
        ("segrap2023_task1", "{} temporomandibular joint", "{} mandible"),
        ("totalsegmentator_v2", "{} kidney cyst", "{} kidney"),
    ],
)
def test_a_whole_is_not_absent_where_its_part_is(
    source: str, part: str, whole: str, side: str
) -> None:
    assert whole.format(side) not in absent_beside(source, part.format(side))


@pytest.mark.parametrize(
    ("source", "present", "doubtful"),
    [
        ("mrbrains18", "cerebellum", {"white matter", "cortical gray matter"}),
        ("mrbrains18", "brainstem", {"white matter", "cortical gray matter"}),
        ("segthor", "heart", {"aorta", "trachea"}),
        ("totalsegmentator_v1", "brain", {"face"}),
        ("totalsegmentator_v2", "liver", {"left kidney cyst", "right kidney cyst"}),
        ("han_seg", "arytenoids", {"glottic larynx", "supraglottic larynx"}),
        ("han_seg", "buccal mucosa", {"oral cavity"}),
    ],
)
def test_what_is_not_drawn_everywhere_is_not_absent(
    source: str, present: str, doubtful: set[str]
) -> None:
    assert not doubtful & absent_beside(source, present)


def test_a_term_may_be_a_part_of_several() -> None:
    assert wholes_of("medial orbital part of the left superior frontal gyrus") == {
        "orbital part of the left superior frontal gyrus",
        "medial part of the left superior frontal gyrus",
    }


def test_what_is_surely_not_there_is_still_said() -> None:
    assert "spleen" in absent_beside("totalsegmentator_v2", "liver")
    assert "left insula" in absent_beside("colin27_aal", "right insula")
