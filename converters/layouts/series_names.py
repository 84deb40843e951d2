"""Series told by the paths of their files, where their UIDs say nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from converters.imaging.dicom_slices import ImageFile
from converters.pattern import fill


def as_one_series(
    template: str | None, files: Iterable[ImageFile], fields: Mapping[str, Mapping[str, str]]
) -> list[ImageFile]:
    """Files as of one series where they fill a template alike; as they are without one.

    Their study and frame of reference are then one, too; instances keep their UIDs.

    Args:
        template: Over the placeholders of the paths.
        files: As their headers have them.
        fields: What the pattern captured, by path.

    Raises:
        CaseError: ``value_invalid``, where the template needs what the pattern does not capture.
    """
    if template is None:
        return list(files)
    return [_named(file, fill(template, fields[file.path])) for file in files]


def _named(file: ImageFile, name: str) -> ImageFile:
    facts = replace(file.facts, patient_id=name, study_uid=name, series_uid=name)
    slices = tuple(replace(one, frame_of_reference_uid=name) for one in file.slices)
    return replace(file, facts=facts, slices=slices)
