"""Arrangements of images on disk: one module a `kind`, with ``cases`` and ``convert``.

``cases(manifest, layout, root)`` lists names and reads tables; ``convert(manifest, layout,
root, case)`` opens one case and yields its records. Nothing here writes, prints, downloads,
uses random numbers or looks at the clock.
"""
