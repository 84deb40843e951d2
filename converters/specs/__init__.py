"""The schema of a manifest's `layout` block: facts about an arrangement of files, no code.

A layout says where the images are (`images`, `volumes`) and lists the annotation
blocks that speak about them. Each block is a small model of its own, told apart by
`kind`; the module of the same name in ``converters.layouts`` or
``converters.annotations`` reads it. Models are light: importing them loads no imaging library.
"""
