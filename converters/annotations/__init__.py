"""Annotation blocks read: one module a `kind`, with two functions.

``index(spec, block)`` joins the annotations with the images by names and tables alone, once a
source. ``read(spec, question)`` opens what belongs to one image and says what is there.
A module reads; it does not write, print, download, use random numbers or look at the clock.
"""
