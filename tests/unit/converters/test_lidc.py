"""Nodules of LIDC-IDRI: what lies inside an outline, which readers agree, where its voxels are."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from converters.annotations import lidc_xml
from converters.annotations.contract import Block, ImageName, Index
from converters.annotations.lidc_files import parse_readings, series_of
from converters.annotations.structures import Marked, VolumeQuestion
from converters.errors import CaseError
from converters.files import Root
from converters.imaging.dicom_series import group_series, read_series
from converters.imaging.dicom_slices import read_slices
from converters.imaging.planes import to_canonical
from converters.imaging.readers import (
    Reading,
    agreed_voxels,
    inside_border,
    same_things,
    with_border,
)
from converters.specs.shapes import LidcXml
from tests.fakes.dicom_slices import AXIAL, slice_dataset, uid

COLUMNS, ROWS, SLICES = 24, 20, 8
SPACING = (0.8, 0.7)  # between rows, between columns


def border(x_min: int, y_min: int, x_max: int, y_max: int) -> list[tuple[int, int]]:
    """The chain of pixels around a block of pixels, upper bounds exclusive, and closed."""
    x_min, y_min = x_min - 1, y_min - 1
    top = [(x, y_min) for x in range(x_min, x_max)]
    right = [(x_max, y) for y in range(y_min, y_max)]
    bottom = [(x, y_max) for x in range(x_max, x_min, -1)]
    left = [(x_min, y) for y in range(y_max, y_min - 1, -1)]
    return [*top, *right, *bottom, *left]


def as_set(pixels: np.ndarray) -> set[tuple[int, int]]:
    return {(int(x), int(y)) for x, y in pixels}


def block(x_min: int, y_min: int, x_max: int, y_max: int) -> set[tuple[int, int]]:
    return {(x, y) for x in range(x_min, x_max) for y in range(y_min, y_max)}


@given(x=st.integers(1, 9), y=st.integers(1, 9), width=st.integers(1, 9), height=st.integers(1, 9))
def test_the_border_is_the_first_pixel_outside(x: int, y: int, width: int, height: int) -> None:
    chain = np.array(border(x, y, x + width, y + height))
    assert as_set(inside_border(chain)) == block(x, y, x + width, y + height)
    assert as_set(with_border(chain)) == block(x - 1, y - 1, x + width + 1, y + height + 1)


def test_a_border_of_corners_alone_is_closed_by_lines() -> None:
    chain = np.array([(3, 3), (7, 3), (7, 6), (3, 6)])
    assert as_set(inside_border(chain)) == block(4, 4, 7, 6)


def test_a_border_along_the_rim_of_the_picture_stays_inside() -> None:
    assert inside_border(np.array([(0, 0), (0, 3), (1, 3)])).size == 0


def voxels(*places: int) -> np.ndarray:
    return np.array(sorted(places), dtype=np.int64)


def test_readings_that_share_a_voxel_are_of_one_thing() -> None:
    readings = [
        Reading(reader=0, voxels=voxels(1, 2)), Reading(reader=1, voxels=voxels(8, 9)),
        Reading(reader=1, voxels=voxels(2, 3)), Reading(reader=2, voxels=voxels(3, 4)),
    ]  # fmt: skip
    assert same_things(readings) == [[readings[0], readings[2], readings[3]], [readings[1]]]


def test_two_of_four_readers_must_agree_on_a_voxel() -> None:
    same = [Reading(reader=0, voxels=voxels(1, 2, 3)), Reading(reader=1, voxels=voxels(2, 3, 4))]
    assert agreed_voxels(same, agreement=0.5, readers=4).tolist() == [2, 3]
    assert agreed_voxels(same, agreement=0.25, readers=4).tolist() == [1, 2, 3, 4]
    assert agreed_voxels(same, agreement=0.75, readers=4).tolist() == []


readings_of_one = st.lists(
    st.builds(
        lambda reader, places: Reading(reader=reader, voxels=voxels(*places)),
        st.integers(0, 3), st.sets(st.integers(0, 20), min_size=1),
    ), min_size=1, max_size=6,
)  # fmt: skip


@given(same=readings_of_one, order=st.randoms(use_true_random=False))
def test_agreement_is_a_count_of_readers_and_asks_for_no_order(same: list, order: Any) -> None:
    before: set[int] | None = None
    for needed in range(1, 5):
        found = set(agreed_voxels(same, agreement=needed / 4, readers=4).tolist())
        by_reader = {r: {v for one in same if one.reader == r for v in one.voxels.tolist()}
                     for r in range(4)}  # fmt: skip
        wanted = {v for v in range(21) if sum(v in own for own in by_reader.values()) >= needed}
        assert found == wanted
        assert before is None or found <= before  # more readers never agree on more
        before = found
        shuffled = list(same)
        order.shuffle(shuffled)
        assert set(agreed_voxels(shuffled, agreement=needed / 4, readers=4).tolist()) == found


def test_a_reader_who_drew_two_pieces_has_one_voice() -> None:
    same = [Reading(reader=0, voxels=voxels(1, 2)), Reading(reader=0, voxels=voxels(2, 3))]
    assert agreed_voxels(same, agreement=0.5, readers=4).size == 0


# Files


def roi(z: int, chain: list[tuple[int, int]], *, inclusion: str = "TRUE") -> str:
    edges = "".join(
        f"<edgeMap><xCoord>{x}</xCoord><yCoord>{y}</yCoord></edgeMap>" for x, y in chain
    )
    return (
        f"<roi><imageZposition>{-100 + 1.5 * z}</imageZposition>"
        f"<imageSOP_UID>{sop_uid(z)}</imageSOP_UID>"
        f"<inclusion>{inclusion}</inclusion>{edges}</roi>"
    )


def nodule(*rois: str) -> str:
    return f"<unblindedReadNodule><noduleID>1</noduleID>{''.join(rois)}</unblindedReadNodule>"


def message(*sessions: str, root: str = "LidcReadMessage", series: str = "") -> bytes:
    name = series or uid("series")
    body = "".join(f"<readingSession>{session}</readingSession>" for session in sessions)
    return (
        f'<?xml version="1.0"?><{root} xmlns="http://www.nih.gov"><ResponseHeader>'
        f"<SeriesInstanceUid>{name}</SeriesInstanceUid></ResponseHeader>{body}</{root}>"
    ).encode()


def position(z: int, directions: Any) -> list[float]:
    """Where slice z begins: the whole series is the same, however its rows and columns run."""
    corner = np.array([-40.0, 20.0, -100 + 1.5 * z])
    across, down = (np.array(axis) for axis in directions)
    if across[0] < 0:
        corner = corner - across * SPACING[1] * (COLUMNS - 1)
    if down[1] < 0:
        corner = corner - down * SPACING[0] * (ROWS - 1)
    return corner.tolist()


def dicom(z: int, directions: Any = AXIAL) -> Any:
    values = np.full((ROWS, COLUMNS), 10 * z, dtype=np.int16)
    return slice_dataset(
        values, position(z, directions), directions=directions, spacing_mm=SPACING, key=f"slice {z}"
    )


def sop_uid(z: int) -> str:
    return str(dicom(z).SOPInstanceUID)


def write_series(folder: Path, directions: Any = AXIAL) -> None:
    """Files whose names say nothing of the order of slices."""
    for z in range(SLICES):
        dataset = dicom(z, directions)
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = sop_uid(z)
        out = io.BytesIO()
        dataset.save_as(out, enforce_file_format=True)
        path = folder / "s" / f"{(z * 5) % SLICES}.dcm"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(out.getvalue())


def spec_of(**more: Any) -> LidcXml:
    content = {
        "kind": "lidc_xml", "completeness": "partial", "files": "s/{name}.xml",
        "labels": {"nodule": "lung nodule"}, "readers": 2, "agreement": 0.5,
    }  # fmt: skip
    return LidcXml.model_validate({**content, **more})


def indexed(folder: Path) -> tuple[Block, Index]:
    root = Root(source="toy", folder=folder)
    image = ImageName(path="s/0.dcm", fields={"path": "s/0.dcm", "series_uid": uid("series")})
    listed = Block(source="toy", root=root, listing=root.listing(), images=(image,))
    return listed, lidc_xml.index(spec_of(), listed)


def read(folder: Path, **more: Any) -> Marked:
    listed, index = indexed(folder)
    files, _ = read_slices(listed.root, [f"s/{n}.dcm" for n in range(SLICES)])
    (series,) = group_series(files)
    grid = to_canonical(read_series(listed.root, series), "s").grid
    question = VolumeQuestion(
        root=listed.root, path="s/0.dcm", fields={}, entry=index.entries["s/0.dcm"], grid=grid
    )
    return lidc_xml.read_structures(spec_of(**more), question)


def write_xml(folder: Path, *sessions: str, **more: str) -> None:
    (folder / "s" / "069.xml").write_bytes(message(*sessions, **more))


TWO = nodule(roi(2, border(5, 3, 9, 8)), roi(3, border(5, 3, 9, 8)))


def test_outlines_lie_on_their_slices(tmp_path: Path) -> None:
    write_series(tmp_path)
    write_xml(tmp_path, TWO, TWO, "", "")
    (one,) = read(tmp_path).structures
    # Columns run to the patient's left and rows to the back: both are turned round in RAS.
    assert one.corner == (COLUMNS - 9, ROWS - 8, 2)
    assert one.mask.shape == (4, 5, 2)
    assert one.mask.all()
    assert one.is_instance


TURNED = [((-1, 0, 0), (0, 1, 0)), ((1, 0, 0), (0, -1, 0)), ((-1, 0, 0), (0, -1, 0))]


@pytest.mark.parametrize("directions", TURNED)
def test_a_patient_who_lies_otherwise_has_the_nodule_elsewhere(
    directions: Any, tmp_path: Path
) -> None:
    write_series(tmp_path, directions)
    write_xml(tmp_path, TWO, TWO, "", "")
    (one,) = read(tmp_path).structures
    across = 5 if directions[0][0] < 0 else COLUMNS - 9
    down = 3 if directions[1][1] < 0 else ROWS - 8
    assert one.corner == (across, down, 2)
    assert one.mask.shape == (4, 5, 2)


def test_what_one_reader_has_seen_is_left_out(tmp_path: Path) -> None:
    write_series(tmp_path)
    far = nodule(roi(6, border(15, 12, 18, 15)))
    write_xml(tmp_path, TWO + far, TWO, "", "")
    marked = read(tmp_path)
    assert len(marked.structures) == 1
    assert marked.transforms[0]["left_out"] == 1
    assert len(read(tmp_path, readers=1, agreement=0.25).structures) == 2


def test_a_hole_is_cut_with_its_border(tmp_path: Path) -> None:
    write_series(tmp_path)
    drawn = nodule(roi(2, border(3, 3, 12, 12)), roi(2, border(6, 6, 9, 9), inclusion="FALSE"))
    write_xml(tmp_path, drawn, drawn, "", "")
    (one,) = read(tmp_path).structures
    assert one.voxels == 9 * 9 - 5 * 5


def test_a_nodule_with_a_point_alone_is_not_outlined(tmp_path: Path) -> None:
    write_series(tmp_path)
    small = nodule(roi(2, [(4, 4)]))
    write_xml(tmp_path, TWO + small, TWO + small, "", "")
    assert len(read(tmp_path).structures) == 1


def test_a_slice_that_is_not_there_is_refused(tmp_path: Path) -> None:
    write_series(tmp_path)
    write_xml(tmp_path, TWO.replace(sop_uid(2), "1.2.3"), "", "", "")
    with pytest.raises(CaseError) as caught:
        read(tmp_path)
    assert caught.value.reason == "image_missing"


def test_a_slice_that_lies_elsewhere_is_refused(tmp_path: Path) -> None:
    write_series(tmp_path)
    write_xml(tmp_path, TWO.replace(">-97.0<", ">-95.5<"), "", "", "")
    with pytest.raises(CaseError) as caught:
        read(tmp_path)
    assert caught.value.reason == "geometry_invalid"


def test_an_outline_outside_of_the_slice_is_refused(tmp_path: Path) -> None:
    write_series(tmp_path)
    write_xml(tmp_path, nodule(roi(2, border(20, 3, 40, 8))), "", "", "")
    with pytest.raises(CaseError) as caught:
        read(tmp_path)
    assert caught.value.reason == "geometry_invalid"


def test_readings_of_radiographs_are_passed_over(tmp_path: Path) -> None:
    write_series(tmp_path)
    write_xml(tmp_path, TWO, root="IdriReadMessage")
    _, index = indexed(tmp_path)
    assert index.entries == {}
    assert index.orphans == ()


def test_readings_without_their_series_are_orphans(tmp_path: Path) -> None:
    write_series(tmp_path)
    write_xml(tmp_path, TWO, series="1.2.3")
    _, index = indexed(tmp_path)
    assert index.orphans == (("s/069.xml", "no series 1.2.3"),)


def test_two_readings_of_a_series_are_a_fault(tmp_path: Path) -> None:
    write_series(tmp_path)
    write_xml(tmp_path, TWO)
    (tmp_path / "s" / "070.xml").write_bytes(message(TWO))
    _, index = indexed(tmp_path)
    assert index.faults["s/0.dcm"].reason == "name_duplicate"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"<x", "file_unreadable"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]><x/>', "file_unreadable"),
        (message(nodule(roi(2, [(1, 1), (2, 2)])), series=" "), "value_invalid"),
        (message(nodule(roi(2, [(1, 1), (-2, 2)]))), "value_invalid"),
        (message(nodule(roi(2, [(1, 1)], inclusion="MAYBE"))), "value_invalid"),
        (message(nodule("<roi/>")), "value_invalid"),
    ],
)
def test_what_is_no_reading_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(CaseError) as caught:
        parse_readings(data, "a.xml")
    assert caught.value.reason == reason


def test_the_head_of_a_file_tells_its_series() -> None:
    assert series_of(message(TWO) + b"<cut", "a.xml") == uid("series")
    assert series_of(message(root="IdriReadMessage"), "a.xml") is None


@pytest.mark.parametrize(
    "data", [b"", b"<x", b'<!DOCTYPE x [<!ENTITY a "b">]><x/>', message(series=" "),
             b'<LidcReadMessage xmlns="http://www.nih.gov"/>'],
)  # fmt: skip
def test_a_head_that_tells_no_series_is_refused(data: bytes) -> None:
    with pytest.raises(CaseError):
        series_of(data, "a.xml")


def test_what_is_left_out_may_be_there() -> None:
    with pytest.raises(ValidationError, match="must be partial"):
        spec_of(completeness="complete")
