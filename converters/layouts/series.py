"""Series of DICOM files: the headers say what belongs together, the manifest which is meant."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from converters.annotations.contract import ImageName
from converters.errors import CaseError, SourceError
from converters.files import Root
from converters.imaging.dicom_series import SeriesFiles, group_series, read_series, same_volume
from converters.imaging.dicom_slices import read_slices
from converters.imaging.volumes import Volume
from converters.layouts.listing import cases_of, faulty_case
from converters.layouts.series_choice import Chosen, choice_of, choose_series
from converters.layouts.series_names import as_one_series
from converters.layouts.volume_case import convert_volume
from converters.manifest import Manifest
from converters.pattern import match_paths
from converters.records import Case, Json, Outcome, Sample
from converters.specs.grey import Scale
from converters.specs.layouts import Series, SeriesChoice

VERSION = 1
_PART = "part:"  # before the names of what tells a volume from others of its series


@dataclass(frozen=True, kw_only=True, slots=True)
class _Found:
    """Every volume of the source with its fields, and files that cannot be read."""

    volumes: tuple[tuple[SeriesFiles, Mapping[str, str]], ...]
    faulty: tuple[Case, ...]


def cases(manifest: Manifest, layout: Series, root: Root) -> list[Case]:
    """One case a chosen series, in the order of the paths of their first slices.

    Then what cannot be used: files that are not read, studies in which no series is the one
    that is meant, or several are, and annotations without an image.

    Raises:
        SourceError: No file matches, none holds an image, or a table or label is not what the
            manifest says.
    """
    listing = root.listing()
    matched = dict(match_paths(layout.images, listing.paths))
    if not matched:
        raise SourceError(manifest.name, f"no file matches {layout.images!r}", "check --root")
    found = _volumes(manifest, layout, root, matched)
    chosen, unmet = choose_series(manifest, layout, found.volumes)
    if not chosen:
        why = f"; the first: {unmet[0].message}" if unmet else ""
        raise SourceError(
            manifest.name,
            f"none of {len(found.volumes)} series is one that the manifest means{why}",
            "check --root, and the choices of the manifest",
        )
    images = tuple(_image_name(one) for one in chosen)
    by_path = dict(zip((image.path for image in images), chosen, strict=True))
    listed = cases_of(manifest, layout, root, listing, images)
    return [
        *(_with_files(case, by_path[case.key]) if case.key in by_path else case for case in listed),
        *(faulty_case(manifest, one.key, one.reason, one.message) for one in unmet),
        *found.faulty,
    ]


def _volumes(
    manifest: Manifest, layout: Series, root: Root, matched: Mapping[str, dict[str, str]]
) -> _Found:
    files, faults = read_slices(root, matched)
    files = as_one_series(layout.one_series, files, matched)
    if not files:
        raise SourceError(
            manifest.name,
            f"{len(matched)} files match the pattern of the images, and none holds one",
            "check --root; DICOM files with pixels are expected",
        )
    volumes = tuple(
        (one, _fields(one, [matched[path] for path in one.paths])) for one in group_series(files)
    )
    faulty = tuple(
        faulty_case(manifest, path, fault.reason, fault.message) for path, fault in faults.items()
    )
    return _Found(volumes=volumes, faulty=faulty)


def _fields(one: SeriesFiles, captured: list[dict[str, str]]) -> dict[str, str]:
    """What the headers say, and what the pattern captured alike for all files."""
    same = {
        name: value
        for name, value in captured[0].items()
        if all(fields[name] == value for fields in captured)
    }
    facts = one.facts
    return {
        "patient_id": facts.patient_id,
        "study_uid": facts.study_uid,
        "series_uid": facts.series_uid,
        "frame_of_reference_uid": one.frame_of_reference_uid,
        "series_description": facts.description,
        "series_number": facts.number,
        "modality": facts.modality,
        **{f"{_PART}{name}": value for name, value in one.part.items()},
        **same,
    }


def _image_name(one: Chosen) -> ImageName:
    path = one.series.paths[0]
    fields = {**one.fields, "path": path, "sequence": one.choice.sequence}
    return ImageName(path=path, fields=fields)


def _with_files(case: Case, one: Chosen) -> Case:
    """A case with all its files: a change in any of them counts."""
    return replace(case, companions=one.series.paths[1:])


def convert(manifest: Manifest, layout: Series, root: Root, case: Case) -> Iterator[Outcome]:
    """Yield one sample for each chosen slice.

    Raises:
        CaseError: The series or its annotation cannot be used.
    """
    files, faults = read_slices(root, (case.image, *case.companions))
    for fault in faults.values():
        raise CaseError(fault.reason, fault.message)
    part = {
        name.removeprefix(_PART): value
        for name, value in case.fields.items()
        if name.startswith(_PART)
    }
    paths = (case.image, *case.companions)
    files = as_one_series(layout.one_series, files, dict(match_paths(layout.images, paths)))
    series = same_volume(files, part)
    told = replace(series, part=part) if series else None
    choice = choice_of(manifest, layout, told, case.fields) if told else None
    if series is None or choice is None:
        raise CaseError("series_missing", f"{case.image} is no longer what it was when listed")
    volume = read_series(root, series)
    layout = _layout_of(layout, choice, series)
    _require_unit(layout, volume, case)
    # Of several choices, each has its own modality.
    manifest = manifest.model_copy(update={"modality": series.facts.modality})
    sequence = choice.sequence or layout.sequence
    for outcome in convert_volume(manifest, layout, root, case, volume, sequence=sequence):
        yield _with_slice(outcome, series) if isinstance(outcome, Sample) else outcome


def _layout_of(layout: Series, choice: SeriesChoice, series: SeriesFiles) -> Series:
    """The layout as it is for one choice: its own grey, and Hounsfield units for CT alone."""
    is_ct = series.facts.modality == "CT"
    return layout.model_copy(
        update={"grey": choice.grey or layout.grey, "hu": layout.hu if is_ct else "unchecked"}
    )


def _require_unit(layout: Series, volume: Volume, case: Case) -> None:
    """Refuse PET that is not SUV where the manifest's scale of grey levels is."""
    if not isinstance(layout.grey, Scale) or "SUV" not in layout.grey.unit.upper():
        return
    for step in volume.steps:
        if step["step"] == "pet_values":
            raise CaseError(
                "value_invalid",
                f"{case.image}: no SUV, and the grey levels are a scale of it: "
                f"{step['no_suv_because']}",
            )


def _with_slice(sample: Sample, series: SeriesFiles) -> Sample:
    """A sample that says which file its slice is, where it was cut as the slices lie."""
    if sample.view != series.plane or sample.source_index is None:
        return sample
    one = series.slices[sample.source_index]
    told: dict[str, Json] = {"file": one.path}
    if one.frame is not None:
        told["frame"] = one.frame
    steps = tuple(
        {**step, **told} if step["step"] == "slice" else step for step in sample.transforms
    )
    return replace(sample, transforms=steps)
