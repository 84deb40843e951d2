"""Twins of DICOM series: the phantom in slices, files named in another order than they lie in.

Each person has a series for every choice of the manifest, and a scout that none of them means.
"""

import re
from itertools import count as numbers

import nibabel as nib
import numpy as np

from converters.pattern import fill
from tests.fakes import Twin, TwinImage
from tests.fakes.dicom_slices import encoded, slice_dataset, uid
from tests.fakes.paths import example, path_for
from tests.fakes.volume_files import AFFINE
from tests.fakes.volumes import (
    SHAPE,
    _expect,
    blocks_of,
    in_units,
    intensities,
    is_held_against_image,
)

PERSONS = 3
# Axis codes that a scanner may store a plane in: columns, rows, slices.
STORED = {
    "axial": ("LPS", "RAI", "LAI", "PLI"),
    "coronal": ("LIA", "RIP", "LSP", "ILA"),
    "sagittal": ("PIL", "AIR", "PSR", "IPR"),
}
TO_LPS = np.diag([-1.0, -1.0, 1.0])


def write(twin: Twin, count: int) -> None:
    """Write the series of some persons."""
    layout = twin.manifest.layout
    for number in range(min(count, PERSONS)):
        blocks = blocks_of(layout, number)
        alike = is_held_against_image(layout)
        values = in_units(layout, intensities(blocks, number, alike=alike))
        for place, choice in enumerate(layout.choices):
            assert not choice.part, "twins of series that hold several volumes are not made"
            _write_series(twin, values, number, place)
            _expect(twin, blocks, values, 1)
        if all(choice.description for choice in layout.choices):
            _write_scout(twin, number)


def _write_series(twin: Twin, values: np.ndarray, number: int, place: int) -> None:
    layout = twin.manifest.layout
    choice = layout.choices[place]
    # Folders that are series may share annotations that are drawn on stored pixels.
    stored_as = number if layout.one_series else number + place
    codes = STORED[choice.plane or "axial"][stored_as % 4]
    turn = nib.orientations.ornt_transform(
        nib.orientations.axcodes2ornt("RAS"), nib.orientations.axcodes2ornt(codes)
    )
    stored = nib.orientations.apply_orientation(values, turn)
    affine = AFFINE @ nib.orientations.inv_ornt_aff(turn, values.shape)
    axes = TO_LPS @ affine[:3, :3]
    spacing = np.linalg.norm(axes, axis=0)
    directions = (axes[:, 0] / spacing[0], axes[:, 1] / spacing[1])
    modality = choice.modality or twin.manifest.modality
    described = example(choice.description, number) if choice.description else "series"
    headers = {
        "PatientID": f"person {number}",
        "StudyInstanceUID": uid("study", number),
        "SeriesInstanceUID": uid("series", number, place),
        "FrameOfReferenceUID": uid("frame of reference", number),
        "SeriesDescription": described,
        "SeriesNumber": place + 1,
        "ImageType": ["ORIGINAL", "PRIMARY", *choice.image_type],
    }
    depths: dict[str, float] = {}
    for at in range(stored.shape[2]):
        position = TO_LPS @ (affine @ [0, 0, at, 1])[:3]
        name = at * 7 % stored.shape[2]  # the order of names is not that of places
        path, fields = _path(twin, number, place, name)
        if layout.one_series:
            headers |= _of_its_own(fields, layout.one_series, name)
        found = slice_dataset(
            stored[:, :, at].T,
            position,
            modality=modality,
            directions=directions,
            spacing_mm=(spacing[1], spacing[0]),
            key=(number, place, at),
            InstanceNumber=name + 1,
            SliceThickness=9,  # not the distance of slices
            **headers,
        )
        twin.write(path, encoded(found))
        depths[path] = float(np.cross(*directions) @ position)
    first = min(depths, key=lambda path: depths[path])
    told = {
        "path": first,
        "patient_id": headers["PatientID"],
        "study_uid": headers["StudyInstanceUID"],
        "series_uid": headers["SeriesInstanceUID"],
        "frame_of_reference_uid": headers["FrameOfReferenceUID"],
        "series_description": described,
        "series_number": str(place + 1),
        "modality": modality,
        "sequence": choice.sequence,
    }
    twin.images.append(
        TwinImage(
            path=first, fields={**told, **fields}, number=number, width=SHAPE[0], height=SHAPE[1]
        )
    )


def _of_its_own(fields: dict[str, str], series: str, name: int) -> dict[str, str]:
    """UIDs that were made anew for a file."""
    key = (fill(series, fields), name)
    return {
        "StudyInstanceUID": uid("study", *key),
        "SeriesInstanceUID": uid("series", *key),
        "FrameOfReferenceUID": uid("frame of reference", *key),
    }


def _write_scout(twin: Twin, number: int) -> None:
    """One slice in each of two planes, which no choice means."""
    pixels = np.arange(12, dtype=np.int16).reshape(3, 4)
    planes = (((1, 0, 0), (0, 1, 0)), ((1, 0, 0), (0, 0, -1)))
    for at, directions in enumerate(planes):
        path, _ = _path(twin, number, len(twin.manifest.layout.choices), at)
        found = slice_dataset(
            pixels, (0, 0, 0), modality=twin.manifest.modality, directions=directions,
            key=("scout", number, at), SeriesDescription="scout", PatientID=f"person {number}",
            StudyInstanceUID=uid("study", number), SeriesInstanceUID=uid("scout", number),
        )  # fmt: skip
        twin.write(path, encoded(found))


def _path(twin: Twin, number: int, place: int, name: int) -> tuple[str, dict[str, str]]:
    """A path of the pattern: each star is the series' number, the last one the file's."""
    pattern = twin.manifest.layout.images
    stars = numbers()
    plain = pattern.replace("**/", "")  # any number of folders may be none
    starred = re.sub(r"\*", lambda _: f"{{star{next(stars)}}}", plain)
    count = next(stars)
    assert count, "the pattern of a series names its files by a star"
    fields = {f"star{at}": f"{place + 1}" for at in range(count - 1)}
    fields[f"star{count - 1}"] = f"1-{name:02d}"
    choices = twin.manifest.layout.choices
    fields |= choices[place].where if place < len(choices) else {}
    path, captured = path_for(starred, fields, number)
    return path, {key: value for key, value in captured.items() if not key.startswith("star")}
