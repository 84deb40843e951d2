"""Formats: one module a kind of text, found by its name.

``drafts(view)`` says which pairs of that kind can be made of a sample: it decides, from what is
known alone, whether there is something true to say, and gives the template its words. It writes no
sentence.
"""

from importlib import import_module
from types import ModuleType


def format_module(name: str) -> ModuleType:
    """The module of a format."""
    return import_module(f"pipeline.formats.{name}")
