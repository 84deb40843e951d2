"""Real MR of the spinal cord in BIDS: what is marked, what is a dummy, and a misplaced mask."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from converters.files import locate_root
from converters.manifest import load_manifest
from converters.records import Outcome, Rejection, Sample
from converters.select import converter_for


@pytest.fixture(scope="module")
def outcomes(real_data: Path) -> list[Outcome]:
    """Everything that comes out of the three subjects."""
    manifest = load_manifest("spinalcord_bids").manifest
    root, _ = locate_root(manifest, real_data / "spinalcord_bids")
    converter = converter_for(manifest)
    return [out for case in converter.cases(root) for out in converter.convert(root, case)]


def test_only_the_image_with_a_misplaced_mask_is_rejected(outcomes: list[Outcome]) -> None:
    rejected = [(out.case_key, out.reason) for out in outcomes if isinstance(out, Rejection)]
    assert rejected == [("sub-unf02/anat/sub-unf02_T1w.nii.gz", "annotation_missing")]


def test_dummy_labels_are_never_read(outcomes: list[Outcome]) -> None:
    samples = [out for out in outcomes if isinstance(out, Sample)]
    assert {finding.label for one in samples for finding in one.findings} == {"spinal cord"}
    files = {path for one in samples for path in one.annotation_files}
    assert files
    assert all(path.endswith("_seg-manual.nii.gz") for path in files)


def test_the_area_of_the_cord_is_that_of_the_mask(outcomes: list[Outcome], real_data: Path) -> None:
    for one in outcomes:
        if isinstance(one, Sample):
            mask = nib.load(real_data / "spinalcord_bids" / one.annotation_files[0])
            native = np.asarray(mask.dataobj)[:, :, one.source_index]  # stored as RAS, 1 mm
            assert one.findings[0].area_mm2 == pytest.approx(native.sum(), rel=1e-5)
