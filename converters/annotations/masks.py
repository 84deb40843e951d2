"""Mask pictures beside the images: joined by their names, decoded, measured."""

from converters.annotations.contract import Block, Index, Question, Said, absent_terms
from converters.annotations.joins import join_files
from converters.annotations.layers import Layer, layer_findings, read_layers
from converters.errors import SourceError
from converters.pattern import match_paths
from converters.records import Entry, Fault
from converters.specs.masks import ColorCodes, FilePerClass, FilePerInstance, IndexCodes, Masks

_MANY_FILES = (FilePerClass, FilePerInstance)


def index(spec: Masks, block: Block) -> Index:
    """Join masks with images by the placeholders that both patterns have.

    Raises:
        SourceError: A class in a file name is not in the label map.
        ManifestError: The patterns have nothing in common.
    """
    if spec.panel:
        return Index(entries={image.path: Entry(files=(image.path,)) for image in block.images})
    if isinstance(spec.codes, FilePerClass):
        _require_known_classes(spec, spec.codes, block)
    joined = join_files(spec.files, spec.fields or {}, block)
    faults = {}
    if not isinstance(spec.codes, _MANY_FILES):
        faults = {
            path: Fault(reason="name_duplicate", message=f"masks {', '.join(files[:3])}")
            for path, files in joined.files.items()
            if len(files) > 1
        }
    return Index(
        entries={path: Entry(files=files) for path, files in joined.files.items()},
        faults=faults,
        orphans=tuple((files[0], "a mask without its image") for files in joined.orphans),
    )


def _require_known_classes(spec: Masks, codes: FilePerClass, block: Block) -> None:
    for path, fields in match_paths(spec.files, block.listing.paths):
        code = fields[codes.field]
        if code not in codes.labels and code not in codes.ignore:
            known = ", ".join(sorted(codes.labels))
            raise SourceError(
                block.source,
                f"{path}: {codes.field} {code!r} is not in the label map",
                f"add it to the manifest (labels or ignore); known: {known}",
            )


def read(spec: Masks, question: Question) -> Said:
    """Findings from the masks of one image, and which labels are surely not there.

    Raises:
        CaseError: A mask is unreadable, of another size, or holds what is no code.
    """
    layers, transforms = read_layers(spec, question)
    findings = layer_findings(layers, question)
    return Said(findings=findings, absent=_absent(spec, layers), transforms=transforms)


def _absent(spec: Masks, layers: list[Layer]) -> tuple[str, ...]:
    """Terms whose masks are empty; those without a mask only where missing means absent."""
    asked = {layer.label for layer in layers}
    if spec.if_missing == "absent":
        asked.update(terms_of(spec))
    marked = {layer.label for layer in layers if layer.is_marked}
    return absent_terms(asked, marked, is_known=spec.completeness != "partial")


def terms_of(spec: Masks) -> tuple[str, ...]:
    """Every term that the block can say."""
    if isinstance(spec.codes, IndexCodes | ColorCodes | FilePerClass):
        return tuple(spec.codes.labels.values())
    return (spec.codes.label,)
