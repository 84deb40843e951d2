"""The terms of sources, from their manifests or from the receipt of a build."""

from converters.licenses import license_of
from converters.manifest import load_manifest
from pipeline.license_policy import Terms


def terms_of(source: str) -> Terms:
    """The terms of a source, as its manifest gives them now.

    Raises:
        GmaiError: There is no such source, or its manifest is not valid.
    """
    manifest = load_manifest(source).manifest
    return Terms(
        source=source,
        license=manifest.license,
        words=manifest.terms or "",
        access=manifest.access,
        classes=license_of(manifest.license).classes,
    )
