"""What the annotation blocks of a layout say of one volume, put together and held to itself."""

from collections.abc import Mapping

from converters.annotations.contract import module_of
from converters.annotations.sides import require_sides
from converters.annotations.structures import Marked, Seen, VolumeQuestion, empty_structure
from converters.errors import CaseError
from converters.files import Root
from converters.imaging.planes import Grid
from converters.layouts.slicing import Said3D
from converters.records import Case, Entry, Json
from converters.specs.annotations import VolumeAnnotation
from converters.specs.layouts import VolumeLayout


def hear(
    layout: VolumeLayout, root: Root, case: Case, grid: Grid, seen: Seen
) -> tuple[tuple[Said3D, ...], tuple[Mapping[str, Json], ...]]:
    """What every block says of a case, and what was done to say it.

    Args:
        layout: Which blocks there are.
        root: The source's files.
        case: What each block has for it.
        grid: The voxels of its image, on which every structure is wanted.
        seen: What the image shows.

    Raises:
        CaseError: An annotation cannot be used, or two contradict each other.
    """
    said: list[Said3D] = []
    steps: list[Mapping[str, Json]] = []
    for spec, entry in zip(layout.annotations, case.entries, strict=True):
        marked = _ask(spec, entry, root, case, grid, seen)
        is_known = spec.completeness != "partial" or entry is None
        doubtful = {*getattr(spec, "absence_unknown", ()), *marked.uncertain}
        said += [
            Said3D(structure=one, is_known=is_known and one.term not in doubtful)
            for one in marked.structures
        ]
        steps += marked.transforms
    _require_consistent(said)
    if not getattr(layout, "axes_taken_as", None):  # else the axes are not those of the body
        require_sides((one.structure for one in said), grid)
    return tuple(said), tuple(steps)


def _ask(
    spec: VolumeAnnotation, entry: Entry | None, root: Root, case: Case, grid: Grid, seen: Seen
) -> Marked:
    module = module_of(spec.kind)
    if entry is None:
        names = module.terms_of(spec) if spec.if_missing == "absent" else ()
        return Marked(structures=tuple(empty_structure(name, "") for name in names))
    question = VolumeQuestion(
        root=root, path=case.image, fields=case.fields, entry=entry, grid=grid, seen=seen
    )
    marked: Marked = module.read_structures(spec, question)
    return marked


def _require_consistent(said: list[Said3D]) -> None:
    """Two blocks must not say that a structure is in the volume and that it is not."""
    there = {one.structure.term for one in said if one.structure.mask.size}
    missing = {one.structure.term for one in said if one.is_known and not one.structure.mask.size}
    both = sorted(there & missing)
    if both:
        raise CaseError("labels_contradict", f"{', '.join(both)}: marked and absent")
