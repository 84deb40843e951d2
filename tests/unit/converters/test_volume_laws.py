"""Laws of volumes: what storage, spacing and side may change in pictures and facts, and what not.

Phantoms are made of millimetres, stored as NIfTI, and go through the whole converter.
"""

import io
from collections.abc import Iterable
from dataclasses import replace
from itertools import permutations, product
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from converters.facts import region_of
from converters.files import locate_root
from converters.imaging.planes import AXIS, raster_of, slice_of, to_canonical
from converters.imaging.slices import Extent, choose_slices
from converters.imaging.volumes import Volume
from converters.manifest import Manifest, parse_manifest
from converters.records import Finding, Sample
from converters.select import converter_for
from tests.fakes.reference import resample_mask
from tests.fakes.toy import toy_header

MANIFEST = (
    toy_header("law_volume", "MR", "abdomen")
    + """\
layout:
  kind: volumes
  images: "images/{case}.nii"
  subject: "{case}"
  split: {by: digest}
  grey: {map: percentiles}
  slices: {planes: [axial, coronal, sagittal], per_finding: 2, per_volume: 12}
  annotations:
    - kind: label_map
      completeness: complete
      files: "labels/{case}.nii"
      ignore: [0]
      labels: {1: CODE1, 2: CODE2, 3: liver}
expect: {cases: null, findings: null}
"""
)
ORIENTATIONS = [
    np.array(list(zip(axes, signs, strict=True)), dtype=float)
    for axes in permutations(range(3))
    for signs in product((1, -1), repeat=3)
]
LAW = settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
SIDES = {"left": "right", "right": "left"}
PLANES = ("axial", "coronal", "sagittal")

Spacing = tuple[float, float, float]


def manifest(one: str = "spleen", two: str = "stomach") -> Manifest:
    """The toy's manifest with two labels of its own."""
    text = MANIFEST.replace("CODE1", one).replace("CODE2", two)
    return parse_manifest(text, "law_volume").manifest


def centres(shape: tuple[int, int, int], spacing: Spacing) -> list[np.ndarray]:
    """Millimetres of the centre of each voxel along each axis; the rim of the scan is 0."""
    return [(np.arange(n) + 0.5) * s for n, s in zip(shape, spacing, strict=True)]


def box_mm(
    shape: tuple[int, int, int], spacing: Spacing, low: Iterable[float], high: Iterable[float]
) -> np.ndarray:
    """Voxels whose centre lies in a box of millimetres."""
    x, y, z = (
        (at >= a) & (at < b) for at, a, b in zip(centres(shape, spacing), low, high, strict=True)
    )
    return x[:, None, None] & y[None, :, None] & z[None, None, :]


def ellipsoid_mm(
    shape: tuple[int, int, int], spacing: Spacing, centre: Iterable[float], radii: Iterable[float]
) -> np.ndarray:
    """Voxels whose centre lies in an ellipsoid of millimetres."""
    x, y, z = (
        ((at - c) / r) ** 2 for at, c, r in zip(centres(shape, spacing), centre, radii, strict=True)
    )
    return np.asarray(x[:, None, None] + y[None, :, None] + z[None, None, :] <= 1)


def painted(codes: np.ndarray) -> np.ndarray:
    """An image with texture in which each code can be seen."""
    i, j, k = np.indices(codes.shape)
    return (100 + 200 * codes + (3 * i + 5 * j + 7 * k) % 31).astype(np.int16)


def store(path: Path, values: np.ndarray, affine: np.ndarray, orientation: np.ndarray) -> None:
    """Write a canonical array, stored in an orientation, with its affine."""
    path.parent.mkdir(parents=True, exist_ok=True)
    turned = nib.orientations.apply_orientation(values, orientation)
    image = nib.Nifti1Image(turned, None)
    image.set_sform(affine @ nib.orientations.inv_ornt_aff(orientation, values.shape), 1)
    path.write_bytes(image.to_bytes())


def samples(
    folder: Path,
    codes: np.ndarray,
    affine: np.ndarray,
    orientation: np.ndarray = ORIENTATIONS[0],
    *,
    image: np.ndarray | None = None,
    toy: Manifest | None = None,
) -> list[Sample]:
    """The samples of one phantom."""
    toy = toy or manifest()
    store(folder / "images/a.nii", painted(codes) if image is None else image, affine, orientation)
    store(folder / "labels/a.nii", codes, affine, orientation)
    root, _ = locate_root(toy, folder)
    converter = converter_for(toy)
    found = [out for case in converter.cases(root) for out in converter.convert(root, case)]
    assert all(isinstance(out, Sample) for out in found), found
    return [out for out in found if isinstance(out, Sample)]


def scaled(spacing: Spacing, degrees: float = 0.0) -> np.ndarray:
    """An affine with that spacing, turned about the axis from foot to head."""
    angle = np.radians(degrees)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    turn[:3, 3] = (-31.5, 12.25, 7.0)
    return turn @ np.diag([*spacing, 1.0])


def without_storage(sample: Sample) -> Sample:
    """A sample without what may depend on the way its volume is stored."""
    steps = tuple(step for step in sample.transforms if step["step"] != "reorient")
    return replace(sample, source_index=None, transforms=steps)


@st.composite
def phantoms(draw: st.DrawFn) -> np.ndarray:
    """Label maps of two boxes and an ellipsoid, anywhere, in a volume of any small shape."""
    shape = draw(st.tuples(*[st.integers(12, 22)] * 3))
    codes = np.zeros(shape, np.uint8)
    centre = [draw(st.floats(3, n - 3)) for n in shape]
    radii = [draw(st.floats(3, 6)) for _ in shape]
    codes[ellipsoid_mm(shape, (1, 1, 1), centre, radii)] = 3
    for code in (1, 2):
        low = [draw(st.integers(0, n - 5)) for n in shape]
        length = [draw(st.integers(3, 5)) for _ in shape]
        codes[tuple(slice(a, a + n) for a, n in zip(low, length, strict=True))] = code
    return codes


@LAW
@given(
    codes=phantoms(),
    number=st.integers(1, 47),
    spacing=st.tuples(*[st.sampled_from([0.7, 1.0, 1.3, 2.5])] * 3),
    degrees=st.sampled_from([0.0, 0.0, 13.0, -31.0]),
)
def test_permuted_and_flipped_axes_change_nothing(
    tmp_path_factory: pytest.TempPathFactory,
    codes: np.ndarray,
    number: int,
    spacing: Spacing,
    degrees: float,
) -> None:
    folder = tmp_path_factory.mktemp("law")
    affine = scaled(spacing, degrees)
    plain = samples(folder / "plain", codes, affine)
    turned = samples(folder / "turned", codes, affine, ORIENTATIONS[number])
    assert [s.image for s in turned] == [s.image for s in plain]
    assert list(map(without_storage, turned)) == list(map(without_storage, plain))


@LAW
@given(
    low=st.tuples(*[st.sampled_from([12, 24, 36])] * 3),
    length=st.tuples(*[st.sampled_from([12, 24, 36])] * 3),
    spacing=st.tuples(*[st.sampled_from([1.0, 1.5, 2.0, 3.0, 4.0, 6.0])] * 3),
)
def test_spacing_changes_no_millimetre(
    tmp_path_factory: pytest.TempPathFactory,
    low: tuple[int, int, int],
    length: tuple[int, int, int],
    spacing: Spacing,
) -> None:
    # Edges at multiples of 12 mm lie between voxels of every spacing that is tried.
    folder = tmp_path_factory.mktemp("law")
    high = [a + n for a, n in zip(low, length, strict=True)]
    for number, step in enumerate((spacing, (3.0, 3.0, 3.0))):
        i, j, k = (round(84 / s) for s in step)
        codes = box_mm((i, j, k), step, low, high).astype(np.uint8) * 3
        found = samples(folder / str(number), codes, scaled(step))
        assert {s.view for s in found} == set(PLANES)
        for sample in found:
            wide, high_mm = (n for axis, n in enumerate(length) if axis != AXIS[sample.view])
            (one,) = sample.findings
            assert one.area_mm2 == pytest.approx(wide * high_mm)
            assert one.longest_diameter_mm == pytest.approx(np.hypot(wide, high_mm))
            assert one.volume_ml == pytest.approx(np.prod(length) / 1000)


def largest(found: list[Sample], plane: str) -> Finding:
    """The finding of largest area in one plane."""
    inside = [f for s in found if s.view == plane for f in s.findings]
    return max(inside, key=lambda f: f.area_mm2)


@LAW
@given(
    centre=st.tuples(*[st.floats(44, 52)] * 3),
    radii=st.tuples(*[st.floats(18, 36)] * 3),
    spacing=st.tuples(*[st.sampled_from([1.0, 1.6, 2.0, 3.0])] * 3),
)
def test_an_ellipsoid_has_its_area_and_diameter_to_half_a_voxel(
    tmp_path_factory: pytest.TempPathFactory,
    centre: tuple[float, float, float],
    radii: tuple[float, float, float],
    spacing: Spacing,
) -> None:
    i, j, k = (round(96 / s) for s in spacing)
    codes = ellipsoid_mm((i, j, k), spacing, centre, radii).astype(np.uint8) * 3
    found = samples(tmp_path_factory.mktemp("law"), codes, scaled(spacing))
    for plane in PLANES:
        one = largest(found, plane)
        others = [axis for axis in range(3) if axis != AXIS[plane]]
        # The slice nearest to the centre lies half a voxel off it at most.
        off = spacing[AXIS[plane]] / 2 / radii[AXIS[plane]]
        smaller = np.sqrt(1 - off**2)
        low = np.prod([radii[a] * smaller - spacing[a] / 2 for a in others]) * np.pi
        high = np.prod([radii[a] + spacing[a] / 2 for a in others]) * np.pi
        assert low <= one.area_mm2 <= high
        # Half a voxel's diagonal at each end.
        diagonal = np.hypot(*(spacing[a] for a in others))
        longest = 2 * max(radii[a] for a in others)
        assert longest * smaller - diagonal <= one.longest_diameter_mm <= longest + diagonal


@LAW
@given(
    low=st.tuples(*[st.floats(6, 30)] * 3),
    length=st.tuples(*[st.floats(12, 50)] * 3),
    spacing=st.tuples(*[st.sampled_from([1.0, 1.6, 2.0, 3.0])] * 3),
)
def test_a_box_has_its_area_and_diameter_to_half_a_voxel(
    tmp_path_factory: pytest.TempPathFactory,
    low: tuple[float, float, float],
    length: tuple[float, float, float],
    spacing: Spacing,
) -> None:
    i, j, k = (round(96 / s) for s in spacing)
    high = [a + n for a, n in zip(low, length, strict=True)]
    codes = box_mm((i, j, k), spacing, low, high).astype(np.uint8) * 3
    found = samples(tmp_path_factory.mktemp("law"), codes, scaled(spacing))
    for plane in PLANES:
        one = largest(found, plane)
        sides = [(length[a], spacing[a]) for a in range(3) if a != AXIS[plane]]
        # Half a voxel at each of two ends.
        least, most = ([n + sign * s for n, s in sides] for sign in (-1, 1))
        assert np.prod(least) <= one.area_mm2 <= np.prod(most)
        assert np.hypot(*least) <= one.longest_diameter_mm <= np.hypot(*most)


@LAW
@given(
    degrees=st.floats(25, 65),
    thickness=st.floats(8, 20),
    spacing=st.tuples(*[st.sampled_from([0.8, 1.0, 1.5])] * 3),
)
def test_a_tilted_plate_is_cut_as_wide_as_it_should_be(
    tmp_path_factory: pytest.TempPathFactory,
    degrees: float,
    thickness: float,
    spacing: Spacing,
) -> None:
    """A plate tilted about the axis to the front: an axial cut is thickness / sin wide."""
    i, j, k = (round(96 / s) for s in spacing)
    x, y, z = centres((i, j, k), spacing)
    sine, cosine = np.sin(np.radians(degrees)), np.cos(np.radians(degrees))
    across = (x[:, None, None] - 48) * sine + (z[None, None, :] - 48) * cosine
    plate = (np.abs(across) <= thickness / 2) & ((y >= 24) & (y < 72))[None, :, None]
    plate &= ((z >= 40) & (z < 56))[None, None, :]
    found = samples(tmp_path_factory.mktemp("law"), plate.astype(np.uint8) * 3, scaled(spacing))
    one = largest(found, "axial")
    depth = float(np.count_nonzero((y >= 24) & (y < 72)) * spacing[1])
    assert abs(one.area_mm2 / depth - thickness / sine) <= spacing[0]
    spread = np.hypot(thickness / sine, depth)
    assert abs(one.longest_diameter_mm - spread) <= spacing[0]


@LAW
@given(codes=phantoms(), plane=st.sampled_from(PLANES), ratio=st.sampled_from([1.0, 1.7, 2.0, 3.3]))
def test_mask_to_box_to_mask(codes: np.ndarray, plane: str, ratio: float) -> None:
    """The box of a mask, filled, has that box again; and it holds the mask, and not a row more."""
    spacing = (1.0, 1.0, ratio)
    volume = to_canonical(Volume(values=codes, affine=scaled(spacing)), "x")
    raster = raster_of(volume.grid, plane)
    for index in range(volume.grid.shape[AXIS[plane]]):
        native = slice_of(volume.values == 3, plane, index)
        mask = resample_mask(native, raster)
        region = region_of(mask)
        if region is None:
            continue
        box = region.box
        filled = np.zeros_like(mask)
        filled[int(box.y_min) : int(box.y_max), int(box.x_min) : int(box.x_max)] = True
        again = region_of(filled)
        assert again is not None
        assert again.box == box
        assert not (mask & ~filled).any()
        # Taken back to the voxels of the slice, it lies within half a voxel of theirs.
        bounds = region_of(native)
        assert bounds is not None
        rows, columns = (n / m for n, m in zip(native.shape, mask.shape, strict=True))
        assert abs(box.y_min * rows - bounds.box.y_min) <= 0.5
        assert abs(box.y_max * rows - bounds.box.y_max) <= 0.5
        assert abs(box.x_min * columns - bounds.box.x_min) <= 0.5
        assert abs(box.x_max * columns - bounds.box.x_max) <= 0.5


def mirrored(finding: Finding, sample: Sample) -> Finding:
    """What a finding must be where left and right are exchanged."""
    box = finding.box
    assert box is not None
    side = SIDES.get(finding.side or "")
    label = finding.label.replace(finding.side, side) if finding.side and side else finding.label
    position = finding.position or ""
    if sample.view == "sagittal":  # the front is on the left: nothing moves
        return replace(finding, label=label, side=side)
    swapped = " ".join(SIDES.get(word, word) for word in position.split())
    box = replace(box, x_min=sample.width - box.x_max, x_max=sample.width - box.x_min)
    return replace(finding, label=label, side=side, box=box, position=swapped)


def measures(finding: Finding) -> list[float | None]:
    """What may differ in the last digit, where sums are taken in another order."""
    return [finding.longest_diameter_px, finding.longest_diameter_mm, finding.volume_ml]


def without_measures(finding: Finding) -> Finding:
    """All the rest of a finding."""
    return replace(finding, longest_diameter_px=None, longest_diameter_mm=None, volume_ml=None)


@LAW
@given(codes=phantoms(), up=st.tuples(*[st.sampled_from([1.0, 1.3, 2.5])] * 2))
def test_a_mirrored_patient_has_right_for_left_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, codes: np.ndarray, up: tuple[float, float]
) -> None:
    # The smallest spacing runs from side to side, where a pixel is then one voxel: a pixel that
    # lies over two voxels in equal parts shows one of them, and its mirror image the other.
    folder, affine, codes = tmp_path_factory.mktemp("law"), scaled((1.0, *up)), sided(codes)
    image = painted(codes)
    toy = manifest("left kidney", "right kidney")
    plain = samples(folder / "plain", codes, affine, image=image, toy=toy)
    other = samples(
        folder / "mirrored",
        np.ascontiguousarray(codes[::-1]),
        affine,
        image=np.ascontiguousarray(image[::-1]),
        toy=manifest("right kidney", "left kidney"),
    )
    twins = {(s.view, _index(s)): s for s in other}
    compared = 0
    for sample in plain:
        at = _index(sample)
        twin = twins.get((sample.view, len(codes) - 1 - at if sample.view == "sagittal" else at))
        if twin is None:  # of slices that are equally good, the one of lower index is taken
            continue
        compared += 1
        wanted = [mirrored(finding, sample) for finding in sample.findings]
        for one, two in zip(twin.findings, wanted, strict=True):
            assert without_measures(one) == without_measures(two)
            assert measures(one) == pytest.approx(measures(two))
        assert sorted(twin.absent) == sorted(_exchanged(term) for term in sample.absent)
        assert twin.spacing_mm == sample.spacing_mm
        seen = pixels(sample) if sample.view == "sagittal" else pixels(sample)[:, ::-1]
        assert np.array_equal(pixels(twin), seen)
    assert compared >= len(plain) / 2


def sided(codes: np.ndarray) -> np.ndarray:
    """The same label map, with code 1 on the left of code 2."""
    left, right = (np.argwhere(codes == code)[:, :1] for code in (1, 2))
    if left.size and right.size and left.mean() > right.mean():
        return np.choose(codes, [0, 2, 1, 3]).astype(np.uint8)
    return codes


def test_a_mirrored_volume_with_the_old_labels_is_refused(tmp_path: Path) -> None:
    codes = np.zeros((20, 16, 12), np.uint8)
    codes[2:6, 4:9, 3:9], codes[13:18, 4:9, 3:9] = 1, 2
    toy = manifest("left kidney", "right kidney")
    assert samples(tmp_path / "plain", codes, np.diag([2.0, 2.0, 3.0, 1.0]), toy=toy)
    store(tmp_path / "images/a.nii", painted(codes[::-1]), np.eye(4), ORIENTATIONS[0])
    store(tmp_path / "labels/a.nii", codes[::-1], np.eye(4), ORIENTATIONS[0])
    root, _ = locate_root(toy, tmp_path)
    converter = converter_for(toy)
    found = [out for case in converter.cases(root) for out in converter.convert(root, case)]
    assert [
        (out.reason, "the left kidney lies 12 mm to the right" in out.message) for out in found
    ] == [("sides_swapped", True)]


def pixels(sample: Sample) -> np.ndarray:
    """The picture of a sample."""
    return np.asarray(Image.open(io.BytesIO(sample.image)))


def _index(sample: Sample) -> int:
    return int(next(s["index"] for s in sample.transforms if s["step"] == "slice"))


def _exchanged(term: str) -> str:
    return " ".join(SIDES.get(word, word) for word in term.split())


AREAS = st.lists(st.integers(0, 40), min_size=1, max_size=12)


@given(
    labels=st.lists(st.tuples(st.integers(0, 9), AREAS), min_size=1, max_size=6),
    per_finding=st.integers(1, 3),
    per_volume=st.integers(1, 9),
    data=st.data(),
)
def test_the_order_of_labels_does_not_choose_slices(
    labels: list[tuple[int, list[int]]], per_finding: int, per_volume: int, data: st.DataObject
) -> None:
    asked = {"per_finding": per_finding, "per_volume": per_volume, "min_area_px": 8}
    plain = [
        Extent(label=f"label {n}", plane="axial", start=start, areas=np.array(areas, dtype=float))
        for n, (start, areas) in enumerate(labels)
    ]
    shuffled = data.draw(st.permutations(plain))
    assert choose_slices(plain, **asked) == choose_slices(shuffled, **asked)


def test_the_order_in_which_files_were_written_does_not_choose_slices(tmp_path: Path) -> None:
    shape = (16, 14, 12)
    maps = {}
    for number, name in enumerate("abc"):
        codes = np.zeros(shape, np.uint8)
        codes[2 + number : 8 + number, 3:9, 2:9] = 3
        maps[name] = codes
    found = []
    for order in permutations("abc"):
        folder = tmp_path / "".join(order)
        for name in order:
            store(folder / f"images/{name}.nii", painted(maps[name]), np.eye(4), ORIENTATIONS[0])
            store(folder / f"labels/{name}.nii", maps[name], np.eye(4), ORIENTATIONS[0])
        toy = manifest()
        root, _ = locate_root(toy, folder)
        converter = converter_for(toy)
        found.append(
            [out for case in converter.cases(root) for out in converter.convert(root, case)]
        )
    assert all(one == found[0] for one in found)
