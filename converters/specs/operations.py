"""Annotation of operations: which instrument does what to what."""

from typing import Annotated, Literal

from pydantic import Field

from converters.specs.base import AnnotationSpec, PathPattern, TermName, Text


class ActionFiles(AnnotationSpec):
    """A JSON file a video: for each frame, triplets of instrument, verb and target.

    As CholecT50 writes them: `categories` names the codes of each kind, `annotations` holds for
    each frame a list of 15 numbers a triplet, with the instrument at 1, the verb at 7 and the
    target at 8; -1 is none. The pattern of `files` shares placeholders with the images;
    `frame_field` is the placeholder of an image that holds the number of its frame.

    Attributes:
        instruments: Term of each instrument.
        verbs: Term of each verb, of role "action".
        targets: Term of each target.
        ignore: Names of verbs and targets that say nothing.
    """

    kind: Literal["action_files"]
    files: PathPattern
    frame_field: Text
    instruments: Annotated[dict[str, TermName], Field(min_length=1)]
    verbs: Annotated[dict[str, TermName], Field(min_length=1)]
    targets: Annotated[dict[str, TermName], Field(min_length=1)]
    ignore: list[str] = []
