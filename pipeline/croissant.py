"""The description of a build for machines: MLCommons Croissant 1.0 with the RAI extension.

Made from the receipt alone, so that the same build has the same description. It holds no date:
the receipt has none.
"""

import json
from collections.abc import Mapping
from typing import Any

from converters.records import Json
from pipeline.version import BUILD_VERSION

_CONTEXT: dict[str, Json] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs", "column": "cr:column", "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/", "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract", "field": "cr:field", "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject", "fileSet": "cr:fileSet", "format": "cr:format",
    "includes": "cr:includes", "isLiveDataset": "cr:isLiveDataset", "jsonPath": "cr:jsonPath",
    "key": "cr:key", "md5": "cr:md5", "parentField": "cr:parentField", "path": "cr:path",
    "recordSet": "cr:recordSet", "references": "cr:references", "regex": "cr:regex",
    "repeated": "cr:repeated", "replace": "cr:replace", "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/", "separator": "cr:separator", "source": "cr:source",
    "subField": "cr:subField", "transform": "cr:transform",
}  # fmt: skip
# Columns that are described; all of them stand in the schema of each shard.
_FIELDS = (
    ("pair_id", "sc:Text", "identity of the pair"),
    ("sample_id", "sc:Text", "identity of the image"),
    ("format", "sc:Text", "kind of text"),
    ("language", "sc:Text", "en or zh"),
    ("split", "sc:Text", "train, validation or test, by subject"),
    ("modality", "sc:Text", "DICOM modality code"),
    ("findings", "sc:Text", "JSON: what is known of the image, present and absent"),
    ("source", "sc:Text", "name of the source"),
    ("license", "sc:Text", "licence of the source"),
    ("source_path", "sc:Text", "file of the source that the image is of"),
    ("source_digest", "sc:Text", "SHA-256 of that file"),
    ("width", "sc:Integer", "columns of the image"),
    ("height", "sc:Integer", "rows of the image"),
)


def croissant(sources: Mapping[str, Mapping[str, Any]]) -> str:
    """The description as JSON-LD.

    Args:
        sources: Entries of the receipt, by source.
    """
    shown = {name: entry for name, entry in sources.items() if entry["shards"]}
    licences = sorted({str(entry["license"]) for entry in sources.values()})
    cited = sorted({entry["citation"] for entry in sources.values() if entry["citation"]})
    content: dict[str, Json] = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "name": "gmai-pairs",
        "description": _description(sources),
        "conformsTo": [
            "http://mlcommons.org/croissant/1.0", "http://mlcommons.org/croissant/RAI/1.0",
        ],
        "license": [*licences],
        **({"citeAs": " ".join(cited)} if cited else {}),
        "url": "https://arxiv.org/abs/2411.14522",
        "version": BUILD_VERSION,
        "isLiveDataset": False,
        **_responsible(sources),
        "distribution": [part for name, entry in shown.items() for part in _files(name, entry)],
        "recordSet": [_records(name) for name in shown],
    }  # fmt: skip
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _description(sources: Mapping[str, Mapping[str, Any]]) -> str:
    pairs = sum(sum(entry["pairs"].values()) for entry in sources.values())
    names = ", ".join(sources)
    return f"{pairs} image-text pairs made from annotated medical images of: {names}."


def _responsible(sources: Mapping[str, Mapping[str, Any]]) -> dict[str, Json]:
    """Fields of Croissant RAI 1.0; each says what the build itself knows."""
    rejected = sum(sum(entry["rejections"].values()) for entry in sources.values())
    return {
        "rai:dataCollection": [
            f"{name}: {entry['title']}; {entry['homepage']}" for name, entry in sources.items()
        ],
        "rai:dataAnnotationProtocol": (
            "Annotations are those of the sources; texts are made from them, and each is checked "
            "against them. Columns template, captioner and checks say how, for each pair."
        ),
        "rai:dataPreprocessingProtocol": [
            "Column transforms says, for each image, what was done to its pixels.",
            f"{rejected} cases and texts were left out; rejections.parquet says why.",
        ],
        "rai:dataLimitations": (
            "Not for clinical use. What a source does not label is unknown and not spoken of. "
            "Evidence of each source: "
            + ", ".join(f"{name} {entry['evidence']}" for name, entry in sources.items())
        ),
        "rai:personalSensitiveInformation": (
            "Images of patients, as their owners published them. Metadata of picture files is "
            "removed; text in pixels was not looked for."
        ),
        "rai:dataUseCases": ["Training and evaluation of vision-language models in research."],
    }


def _files(name: str, entry: Mapping[str, Any]) -> list[Json]:
    """A file object a shard, with its digest, and the set of them."""
    objects: list[Json] = [
        {
            "@type": "cr:FileObject",
            "@id": shard["path"],
            "name": shard["path"],
            "contentUrl": shard["path"],
            "contentSize": f"{shard['bytes']} B",
            "encodingFormat": "application/x-parquet",
            "sha256": shard["digest"].removeprefix("sha256:"),
        }
        for shard in entry["shards"]
    ]
    whole: Json = {
        "@type": "cr:FileSet",
        "@id": f"{name}-shards",
        "name": f"{name}-shards",
        "description": f"Shards of {name}.",
        "encodingFormat": "application/x-parquet",
        "includes": f"data/{name}/*.parquet",
    }
    return [*objects, whole]


def _records(name: str) -> Json:
    def field(column: str, kind: str, words: str, **extract: Json) -> Json:
        return {
            "@type": "cr:Field",
            "@id": f"{name}/{column}",
            "name": f"{name}/{column}",
            "description": words,
            "dataType": kind,
            "source": {
                "fileSet": {"@id": f"{name}-shards"},
                "extract": {"column": column},
                **extract,
            },
        }

    image = field("image", "sc:ImageObject", "the picture", transform={"jsonPath": "bytes"})
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": f"Pairs of {name}: one row is one conversation about one image.",
        "key": {"@id": f"{name}/pair_id"},
        "field": [*(field(*one) for one in _FIELDS), image],
    }
