"""Twins of outlines: rectangles and rhombi in the format of the spec."""

import io
import json
import plistlib
from collections.abc import Iterator

import numpy as np

from converters.pattern import fill
from converters.specs.outlines import Polygons
from converters.vocabulary import term
from tests.fakes import Twin, TwinImage
from tests.fakes.paths import path_for

Outline = list[list[float]]
READERS = ("exp1", "exp2", "exp3", "exp4")


def write(spec: Polygons, twin: Twin) -> None:
    """Write the outlines of every image and note what must be found."""
    form = spec.written.format
    drawn = {image.path: list(_objects(spec, image)) for image in twin.images}
    for image in twin.images:
        if _is_normal(twin, image):  # a lesion would contradict the folder
            drawn[image.path] = [
                (code, outline)
                for code, outline in drawn[image.path]
                if code in spec.labels and term(spec.labels[code]).role != "lesion"
            ]
    for image in twin.images:
        codes = [code for code, _ in drawn[image.path] if code in spec.labels]
        for code in dict.fromkeys(codes):
            many = codes.count(code) if spec.objects == "outlines" else 1
            twin.expect(spec.labels[code], many)
    if form in ("lists", "via", "coco", "records"):
        _write_shared(spec, twin, drawn)
        return
    for image in twin.images:
        _OWN[form](spec, twin, image, drawn[image.path])


def _is_normal(twin: Twin, image: TwinImage) -> bool:
    """Whether another block says of the image that there is nothing to find."""
    return any(
        term(other.labels[image.fields[other.field]]).role == "normal"
        for other in twin.manifest.layout.annotations
        if other.kind == "folder_label"
    )


def _objects(spec: Polygons, image: TwinImage) -> Iterator[tuple[str, Outline]]:
    """(code, outline) of each object: other numbers and places in each image."""
    codes = list(spec.labels)
    is_contour = spec.written.format == "contours"
    may_be_empty = spec.completeness != "partial" and spec.written.format != "contours"
    if may_be_empty and image.number % 5 == 4:
        return
    count = len(codes) if is_contour else 1 + image.number % (len(codes) + 1)
    for at in range(min(count, 5)):
        code = codes[at if is_contour else (image.number + at) % len(codes)]
        yield code, _outline(image, at)
    for code in [] if is_contour else spec.ignore[:1]:
        yield code, _outline(image, 5)


def _outline(image: TwinImage, at: int) -> Outline:
    """A rectangle or a rhombus in one of six cells of the picture."""
    width, height = image.width / 3, image.height / 2
    left, top = (at % 3) * width, (at // 3) * height
    if at % 2:
        return [
            [left + width / 2, top + 1],
            [left + width - 1, top + height / 2],
            [left + width / 2, top + height - 1],
            [left + 1, top + height / 2],
        ]
    right, bottom = left + width - 2, top + height - 2
    return [[left + 1, top + 1], [right, top + 1], [right, bottom], [left + 1, bottom]]


def _path(spec: Polygons, image: TwinImage, **more: str) -> str:
    fields = {**image.fields, **more}
    for name, template in (spec.fields or {}).items():
        fields[name] = fill(template, image.fields)
    return path_for(spec.files, fields, image.number)[0]


def _labelme(spec: Polygons, twin: Twin, image: TwinImage, drawn: list) -> None:
    shapes = [
        {"label": code, "points": outline, "group_id": None, "shape_type": "polygon", "flags": {}}
        for code, outline in drawn
    ]
    for kind in spec.written.passed_over[:1]:
        shapes += [
            {"label": code, "points": [outline[0], outline[2]], "group_id": None,
             "shape_type": kind, "flags": {}}
            for code, outline in drawn
        ]  # fmt: skip
    content = {
        "version": "4.5.6", "flags": {}, "shapes": shapes, "imagePath": image.path.split("/")[-1],
        "imageData": None, "imageHeight": image.height, "imageWidth": image.width,
    }  # fmt: skip
    twin.write(_path(spec, image), json.dumps(content))


def _contours(spec: Polygons, twin: Twin, image: TwinImage, drawn: list) -> None:
    readers = READERS[: spec.consensus.at_least] if spec.consensus else ("",)
    for code, outline in drawn:
        for reader in readers:
            fields = {spec.written.field: code} if spec.written.field else {}
            if spec.consensus:
                fields[spec.consensus.field] = reader
            path = _path(spec, image, **fields)
            lines = "".join(f"{x:.7e} {y:.7e}\n" for x, y in outline)
            if path.endswith(".npy"):
                out = io.BytesIO()
                np.save(out, np.array(outline))
                twin.write(path, out.getvalue())
                continue
            twin.write(path, json.dumps(outline) if path.endswith(".json") else lines)


def _yolo(spec: Polygons, twin: Twin, image: TwinImage, drawn: list) -> None:
    lines = []
    for code, outline in drawn:
        numbers = [f"{x / image.width:.6f} {y / image.height:.6f}" for x, y in outline]
        lines.append(" ".join([code, *numbers]) + "\n")
    twin.write(_path(spec, image), "".join(lines))


def _write_shared(spec: Polygons, twin: Twin, drawn: dict[str, list]) -> None:
    """One file for all images, or one for each value of the placeholders of `files`."""
    files: dict[str, list] = {}
    for image in twin.images:
        name = fill(spec.written.match, image.fields)
        listed = files.setdefault(_path(spec, image), [])
        if drawn[image.path] or spec.if_missing == "reject":
            listed.append((name, drawn[image.path]))
    sizes = {fill(spec.written.match, i.fields): (i.width, i.height) for i in twin.images}
    for path, images in files.items():
        if spec.written.format == "coco":
            twin.write(path, json.dumps(_coco(spec, images, sizes)))
            continue
        twin.write(path, json.dumps(_SHARED[spec.written.format](spec, images)))
    if spec.written.format == "records":
        _write_names(spec, twin)


def _records(spec: Polygons, images: list) -> list:
    form = spec.written
    return [
        {form.image: name, form.codes: [f"id of {code}"], "more": 1,
         form.points: [{"x": x, "y": y} for x, y in outline]}
        for name, drawn in images
        for code, outline in drawn
    ]  # fmt: skip


def _write_names(spec: Polygons, twin: Twin) -> None:
    names = [{"id": f"id of {code}", "name": code} for code in [*spec.labels, *spec.ignore]]
    for image in twin.images:
        path, _ = path_for(spec.written.names_file, image.fields, image.number)
        twin.write(path, json.dumps(names))


def _coco(spec: Polygons, images: list, sizes: dict[str, tuple[int, int]]) -> dict:
    """The first object of an image is written as two outlines that together are it."""
    codes = [*spec.labels, *spec.ignore]
    annotations = []
    for number, (_, drawn) in enumerate(images):
        for at, (code, outline) in enumerate(drawn):
            rings = [outline] if at else [outline[:3], [outline[2], outline[3], outline[0]]]
            annotations.append({
                "id": len(annotations) + 1, "image_id": number + 50, "iscrowd": 0,
                "category_id": codes.index(code) + 1, "bbox": [0, 0, 1, 1], "area": 1.0,
                "segmentation": [[value for point in ring for value in point] for ring in rings],
            })  # fmt: skip
    return {
        "images": [
            {"id": number + 50, "file_name": name, "width": sizes[name][0],
             "height": sizes[name][1]}
            for number, (name, _) in enumerate(images)
        ],
        "annotations": annotations,
        "categories": [{"id": at, "name": code} for at, code in enumerate(codes, start=1)],
    }  # fmt: skip


def _lists(spec: Polygons, images: list) -> list:
    form = spec.written
    return [
        {
            form.image: name,
            form.names: [code for code, _ in drawn],
            "boxes": [[*map(min, zip(*o, strict=True)), *map(max, zip(*o, strict=True))]
                      for _, o in drawn],
            form.outlines: [outline for _, outline in drawn],
        }
        for name, drawn in images
    ]  # fmt: skip


def _via(spec: Polygons, images: list) -> dict:
    return {
        f"{name}-1": {
            "filename": name,
            "size": -1,
            "regions": [
                {
                    "shape_attributes": {
                        "name": "polygon",
                        "all_points_x": [x for x, _ in outline],
                        "all_points_y": [y for _, y in outline],
                    },
                    "region_attributes": (
                        {spec.written.attribute: code} if spec.written.attribute else {}
                    ),
                }
                for code, outline in drawn
            ],
            "file_attributes": {},
        }
        for name, drawn in images
    }


def _osirix(spec: Polygons, twin: Twin, image: TwinImage, drawn: list) -> None:
    regions = [
        {"Name": code, "NumberOfPoints": len(outline),
         "Point_px": [f"({x:.6f}, {y:.6f})" for x, y in outline], "Type": 15}
        for code, outline in [*drawn, (drawn[0][0], [[3.0, 4.0]])]
    ]  # fmt: skip
    content = {"Images": [{"ImageIndex": 0, "NumberOfROIs": len(regions), "ROIs": regions}]}
    twin.write(_path(spec, image), plistlib.dumps(content))


def _geojson(spec: Polygons, twin: Twin, image: TwinImage, drawn: list) -> None:
    """Every second feature has its classification as text, rings are closed."""
    features = []
    for at, (code, outline) in enumerate(drawn):
        named = {"name": code, "color": [1, 2, 3]}
        features.append({
            "type": "Feature",
            "geometry": {"type": "Polygon", "coordinates": [[*outline, outline[0]]]},
            "properties": {"objectType": "annotation",
                           "classification": json.dumps(named) if at % 2 else named},
        })  # fmt: skip
    content = {"type": "FeatureCollection", "features": features}
    twin.write(_path(spec, image), json.dumps(content))


def _aperio(spec: Polygons, twin: Twin, image: TwinImage, drawn: list) -> None:
    """An annotation a label; a region of a single point, which is passed over."""
    parts = []
    for code in dict.fromkeys(code for code, _ in drawn):
        regions = "".join(
            f'<Region Id="{at}" Type="0" NegativeROA="0"><Vertices>'
            + "".join(f'<Vertex X="{x:.6f}" Y="{y:.6f}" Z="0"/>' for x, y in outline)
            + "</Vertices></Region>"
            for at, outline in enumerate([*(o for c, o in drawn if c == code), [[3.0, 4.0]]])
        )
        parts.append(
            f'<Annotation Name=""><Attributes><Attribute Name="{code}" Id="0" Value=""/>'
            f"</Attributes><Regions>{regions}</Regions></Annotation>"
        )
    content = f'<Annotations MicronsPerPixel="0.25">{"".join(parts)}</Annotations>'
    twin.write(_path(spec, image), content)


_SHARED = {"lists": _lists, "via": _via, "records": _records}
_OWN = {"osirix": _osirix, "labelme": _labelme, "contours": _contours, "yolo": _yolo,
        "geojson": _geojson, "aperio": _aperio}  # fmt: skip
