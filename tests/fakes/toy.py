"""Manifests of phantoms that a test makes for itself."""


def toy_header(name: str, modality: str, anatomy: str) -> str:
    """A manifest up to its layout.

    Args:
        name: Of the source.
        modality: Its code.
        anatomy: Body parts, with commas between them.
    """
    return f"""
name: {name}
title: Toy
summary: A phantom.
year: null
homepage: https://example.org
citation: null
license: CC0-1.0
terms: null
access: open
obtain: It is made by a test.
modality: {modality}
anatomy: [{anatomy}]
department: not assigned
tasks: [segmentation]
evidence: {{level: generated, references: [a test]}}
gotchas: []
overlaps: []
benchmarks: []
"""
