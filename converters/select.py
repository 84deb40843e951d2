"""Which code serves a manifest: found by name, imported on demand."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from converters.errors import CaseError
from converters.files import Root
from converters.manifest import Manifest
from converters.records import Case, Outcome, Rejection
from converters.requirements import require_readers
from converters.splits import assign_splits


@dataclass(frozen=True, kw_only=True, slots=True)
class Converter:
    """The two functions of a layout, bound to a manifest.

    Attributes:
        name: "<module>/<version>", as written into every row; a change of the version remakes
            what the converter made.
    """

    manifest: Manifest
    module: ModuleType
    name: str

    def cases(self, root: Root) -> list[Case]:
        """Every case of the source with its final split, in a fixed order.

        Raises:
            SourceError: The files are not what the manifest says.
            ModuleNotFoundError: A package is not installed that these files are read with.
        """
        found: list[Case] = self.module.cases(self.manifest, self.manifest.layout, root)
        require_readers(self.manifest, root, found)
        return assign_splits(found)

    def convert(self, root: Root, case: Case) -> Iterator[Outcome]:
        """The records of one case. A case that cannot be used yields one rejection."""
        if case.fault:
            yield _rejection(case, case.fault.reason, case.fault.message)
            return
        try:
            yield from self.module.convert(self.manifest, self.manifest.layout, root, case)
        except CaseError as error:
            yield _rejection(case, error.reason, error.message)


def _rejection(case: Case, reason: str, message: str) -> Rejection:
    return Rejection(source=case.source, case_key=case.key, reason=reason, message=message)


@cache
def _module(name: str, kind: str) -> ModuleType:
    own = f"converters.sources.{name}"
    return import_module(own if find_spec(own) else f"converters.layouts.{kind}")


def converter_for(manifest: Manifest) -> Converter:
    """The converter of a manifest: its source module where it has one, else its layout's."""
    module = _module(manifest.name, manifest.layout.kind)
    name = module.__name__.removeprefix("converters.")
    return Converter(manifest=manifest, module=module, name=f"{name}/{module.VERSION}")
