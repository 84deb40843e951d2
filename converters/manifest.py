"""The manifest of a source: its schema, and how it is read from YAML."""

import difflib
import hashlib
import json
import re
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import AfterValidator, Field, ValidationError, model_validator

from converters.errors import ManifestError, SettingsError
from converters.specs.base import (
    Access,
    Anatomy,
    Department,
    EvidenceLevel,
    ModalityCode,
    Strict,
    Task,
    TermName,
    Text,
)
from converters.specs.layouts import Layout
from converters.vocabulary import MANIFESTS, words


def _license(value: str) -> str:
    if value not in words("license") and not value.startswith("LicenseRef-"):
        raise ValueError(
            f"{value!r} is neither in [license] of vocabulary.toml nor a LicenseRef-...; "
            'write "not stated" where none was found'
        )
    return value


class Evidence(Strict):
    """How sure we are of layout and labels, and from where."""

    level: EvidenceLevel
    references: Annotated[list[Text], Field(min_length=1)]


class Package(Strict):
    """An installed Python distribution that carries the files of the source."""

    distribution: Text
    module: Text
    folder: str  # relative to the module's folder


class Expect(Strict):
    """What the owner publishes, compared with what a whole build finds; None where nothing."""

    cases: int | None
    findings: dict[TermName, int] | None


class Manifest(Strict):
    """One source: identity, terms, content, files, layout, expectations, in this order."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9]+(_[a-z0-9]+)*$")]
    title: Text
    summary: Text
    year: Annotated[int, Field(ge=1950, le=2100)] | None
    homepage: Text
    citation: Text | None

    license: Annotated[str, AfterValidator(_license)]
    terms: Text | None  # the licence in words: what is doubtful, or asked for
    access: Access
    obtain: Text  # what to do to get the files
    package: Package | None = None

    modality: ModalityCode
    anatomy: Annotated[list[Anatomy], Field(min_length=1)]
    department: Department
    tasks: Annotated[list[Task], Field(min_length=1)]

    evidence: Evidence
    gotchas: list[Text]
    overlaps: list[Text]
    benchmarks: list[Text]

    layout: Layout
    expect: Expect

    @model_validator(mode="after")
    def _license_in_words(self) -> "Manifest":
        if self.license.startswith("LicenseRef-") and not self.terms:
            raise ValueError("a LicenseRef- licence needs its words in `terms`")
        if (self.access == "package") != (self.package is not None):
            raise ValueError("access: package and the `package` block belong together")
        return self


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadedManifest:
    """A manifest with the digest of what it says: comments and key order of YAML do not count."""

    manifest: Manifest
    digest: str


class _UniqueKeyLoader(yaml.CSafeLoader):
    """YAML as in version 1.2: NO, off and 2018-01-01 are strings; a repeated key is an error."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - PyYAML's signature
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                line = key_node.start_mark.line + 1
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key!r} stands twice (line {line})"
                )
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


for _tag, _regex, _first in [
    ("bool", r"true|false", "tf"),
    ("null", r"null|~|", ["n", "~", ""]),
    ("int", r"[-+]?(0|[1-9][0-9]*)", "-+0123456789"),
    ("float", r"[-+]?(0|[1-9][0-9]*)\.[0-9]+([eE][-+]?[0-9]+)?", "-+0123456789"),
]:
    _UniqueKeyLoader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_regex})$"), list(_first)
    )


_NAME = re.compile(r"[a-z0-9_]+")


def list_sources(folder: Path = MANIFESTS) -> list[str]:
    """Names of all sources, sorted; no file is opened."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def load_manifest(name: str, folder: Path = MANIFESTS) -> LoadedManifest:
    """Read one manifest by the name of its source.

    Raises:
        SettingsError: There is no such source; near names are suggested.
        ManifestError: The file is not a valid manifest.
    """
    path = folder / f"{name}.yaml"
    if not (_NAME.fullmatch(name) and path.is_file()):
        near = difflib.get_close_matches(name, list_sources(folder), n=3, cutoff=0.5)
        hint = f"did you mean {', '.join(near)}?" if near else "gmai-sources list shows them all"
        raise SettingsError(name, "no such source", hint)
    return parse_manifest(path.read_text(encoding="utf-8"), name)


def parse_manifest(text: str, name: str) -> LoadedManifest:
    """Read a manifest from the text of its file.

    Raises:
        ManifestError: The text is not YAML, or not a valid manifest of that name.
    """
    where = f"{name}.yaml"
    try:
        content = yaml.load(text, Loader=_UniqueKeyLoader)  # noqa: S506 - a subclass of CSafeLoader
    except yaml.YAMLError as error:
        raise ManifestError(where, f"not valid YAML: {error}") from error
    try:
        manifest = Manifest.model_validate(content)
    except ValidationError as error:
        raise ManifestError(where, _explain(error), "see manifests/README.md") from error
    if manifest.name != name:
        raise ManifestError(where, f"name is {manifest.name!r}", "file name and name must agree")
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    return LoadedManifest(manifest=manifest, digest=f"sha256:{digest}")


def _explain(error: ValidationError) -> str:
    lines = []
    for item in error.errors():
        where = ".".join(str(part) for part in item["loc"])
        lines.append(f"{where}: {item['msg']} (found {item['input']!r:.60})")
    return "; ".join(lines[:5]) + ("" if len(lines) <= 5 else f"; and {len(lines) - 5} more")


def json_schema() -> dict[str, Any]:
    """JSON schema of a manifest, for editors."""
    return Manifest.model_json_schema()
