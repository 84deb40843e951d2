"""Twins of folder labels: the image path already says everything."""

from converters.specs.labels import FolderLabel
from tests.fakes import Twin


def owned_fields(spec: FolderLabel) -> dict[str, list[str]]:
    """The placeholder that names the label takes each of them in turn."""
    return {spec.field: list(spec.labels)}


def write(spec: FolderLabel, twin: Twin) -> None:
    """Note what is expected; the folders stand already."""
    for image in twin.images:
        twin.expect(spec.labels[image.fields[spec.field]])
