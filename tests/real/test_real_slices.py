"""Real volumes: each picture is what SimpleITK and nibabel make of the same file by themselves."""

import io
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - as its documentation writes it
from PIL import Image

from converters.errors import CaseError
from converters.files import Root, locate_root
from converters.imaging.body import body_of
from converters.imaging.planes import to_canonical
from converters.imaging.plausible import require_hounsfield
from converters.imaging.volumes import read_volume
from converters.manifest import load_manifest
from converters.records import Sample
from converters.select import converter_for

AXIS = {"sagittal": 0, "coronal": 1, "axial": 2}
SOURCES = ["msd_task04_hippocampus", "colin27_aal", "totalsegmentator_v2"]


def built(name: str, real_data: Path) -> tuple[Root, list[Sample]]:
    """The samples of a source, and where its files are."""
    manifest = load_manifest(name).manifest
    root, _ = locate_root(manifest, real_data / name)
    converter = converter_for(manifest)
    cases = converter.cases(root)
    found = [out for case in cases for out in converter.convert(root, case)]
    return root, [out for out in found if isinstance(out, Sample)]


def by_nibabel(path: Path) -> np.ndarray:
    """Values with axes to the right, to the front and to the head."""
    return np.asarray(nib.as_closest_canonical(nib.load(path)).dataobj)


def by_itk(path: Path) -> np.ndarray:
    """The same, by SimpleITK, whose letters say where an axis comes from, not where it goes."""
    image = sitk.DICOMOrient(sitk.ReadImage(str(path)), "LPS")
    return sitk.GetArrayFromImage(image).transpose(2, 1, 0)[::-1, ::-1]


def drawn(values: np.ndarray, sample: Sample) -> np.ndarray:
    """The picture of a sample, from values alone."""
    steps = {step["step"]: step for step in sample.transforms}
    if "window" in steps:
        center, width = steps["window"]["center_hu"], steps["window"]["width_hu"]
        low, high = center - width / 2, center + width / 2
    else:
        low, high = steps["map_grey"]["low"], steps["map_grey"]["high"]
    cut = values.take(steps["slice"]["index"], axis=AXIS[sample.view]).astype(np.float64)
    grey = np.clip((cut - low) / (high - low) * 255, 0, 255)
    return np.flip(grey.T, axis=(0, 1))  # right and front to the left, head and front to the top


@pytest.mark.parametrize("reader", [by_nibabel, by_itk])
@pytest.mark.parametrize("name", SOURCES)
def test_pictures_are_those_of_other_readers(name: str, reader, real_data: Path) -> None:
    root, samples = built(name, real_data)
    values: dict[str, np.ndarray] = {}
    for sample in samples:
        if sample.source_path not in values:
            values[sample.source_path] = reader(root.path(sample.source_path))
        wanted = drawn(values[sample.source_path], sample)
        found = np.asarray(Image.open(io.BytesIO(sample.image))).astype(float)
        assert found.shape == wanted.shape
        assert np.abs(found - wanted).max() <= 0.51  # rounded to whole grey levels
    assert len(samples) >= 20


@pytest.mark.parametrize(
    ("added", "said"),
    [(1000, "1000 too high"), (1024, "1024 too high"), (32768, "32768 too high"),
     (-1000, "applied twice"), (-1024, "applied twice")],
)  # fmt: skip
def test_a_mistake_in_a_real_ct_is_named(added: int, said: str, real_data: Path) -> None:
    manifest = load_manifest("totalsegmentator_v2").manifest
    root, _ = locate_root(manifest, real_data / "totalsegmentator_v2")
    (case,) = converter_for(manifest).cases(root)
    points = body_of(to_canonical(read_volume(root, case.image), "x").values).values
    require_hounsfield(points, "x")
    with pytest.raises(CaseError, match=said):
        require_hounsfield(points.astype(np.int32) + added, "x")
