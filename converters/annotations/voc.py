"""Pascal VOC: one XML file an image (Everingham et al. 2010)."""

from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from converters.annotations.boxes import Marked, parse_number, say_boxes
from converters.annotations.contract import Block, Index, Question, Said
from converters.annotations.joins import join_files
from converters.errors import CaseError
from converters.records import Box, Entry, Fault
from converters.specs.annotations import Voc

_XML_BYTES = 16 << 20
_MAX_OBJECTS = 20_000


def index(spec: Voc, block: Block) -> Index:
    """Join XML files with images by the placeholders that both patterns have."""
    joined = join_files(spec.files, {}, block)
    return Index(
        entries={path: Entry(files=files) for path, files in joined.files.items()},
        faults={
            path: Fault(reason="name_duplicate", message=f"annotations {', '.join(files[:3])}")
            for path, files in joined.files.items()
            if len(files) > 1
        },
        orphans=tuple((files[0], "an annotation without its image") for files in joined.orphans),
    )


def read(spec: Voc, question: Question) -> Said:
    """Every object of the file as a finding with a box.

    Raises:
        CaseError: The file is not XML, holds entities, belongs to a picture of another size, or
            names what is not in the label map; a box does not fit the picture.
    """
    path = question.entry.files[0]
    tree = _parse(question.root.read(path, _XML_BYTES), path)
    _require_size(tree, question.picture.size, path)
    objects = tree.findall("object")
    if len(objects) > _MAX_OBJECTS:
        raise CaseError("file_too_large", f"{path} has {len(objects):,} objects")
    marked = [_marked(spec, one, path) for one in objects]
    return say_boxes(
        [one for one in marked if one.code in spec.labels],
        spec.labels,
        size=question.picture.size,
        completeness=spec.completeness,
        where=path,
    )


def _parse(data: bytes, path: str) -> Element:
    try:
        return fromstring(data, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise CaseError("file_unreadable", f"{path} is no plain XML: {error}"[:200]) from error


def _require_size(tree: Element, size: tuple[int, int], path: str) -> None:
    """Sizes of 0 are left by some tools and say nothing."""
    said = [_text(tree, f"size/{name}", path, default="0") for name in ("width", "height")]
    width, height = (parse_number(text, path) for text in said)
    if (width or height) and (width, height) != size:
        raise CaseError(
            "size_unexpected",
            f"{path} is for {width:g}x{height:g} pixels, the picture has {size[0]}x{size[1]}",
        )


def _text(tree: Element, name: str, path: str, default: str | None = None) -> str:
    found = tree.findtext(name)
    text = found.strip() if found else default
    if not text:
        raise CaseError("value_invalid", f"{path} has no {name}")
    return text


def _marked(spec: Voc, one: Element, path: str) -> Marked:
    code = _text(one, "name", path)
    if code not in spec.labels and code not in spec.ignore:
        raise CaseError("label_unknown", f"{path}: {code[:60]!r} is not in the label map")
    x_min, y_min, x_max, y_max = (
        parse_number(_text(one, f"bndbox/{name}", path), path)
        for name in ("xmin", "ymin", "xmax", "ymax")
    )
    if x_min == x_max or y_min == y_max:  # a click, whatever the bounds mean
        raise CaseError("box_empty", f"{path}: box ({x_min:g}, {y_min:g}, {x_max:g}, {y_max:g})")
    # The last pixel belongs to the box where its upper bound is included.
    first, more = float(spec.first_pixel), float(spec.inclusive)
    return Marked(
        code=code,
        box=Box(
            x_min=x_min - first,
            y_min=y_min - first,
            x_max=x_max - first + more,
            y_max=y_max - first + more,
        ),
    )


def terms_of(spec: Voc) -> tuple[str, ...]:
    """Every term that the block can say."""
    return tuple(dict.fromkeys(spec.labels.values()))
