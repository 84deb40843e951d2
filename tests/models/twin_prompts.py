"""Prompts as a build makes them, from the generated twins of sources."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from converters.manifest import load_manifest
from converters.records import Sample
from converters.roots import find_root
from converters.select import converter_for
from pipeline.prompts import Mode, ModelPrompt, model_prompt
from pipeline.view import View, labels_of
from tests.fakes import build_twin


def twin_prompts(
    sources: Sequence[str], folder: Path, mode: Mode = "facts", images: int = 6
) -> Iterator[tuple[ModelPrompt, bytes]]:
    """Prompts with the images that they are about, in the order of a build.

    Args:
        sources: Names of sources.
        folder: Where their twins are made.
        mode: What the model is given.
        images: Images of each twin; about.
    """
    for source in sources:
        manifest = load_manifest(source).manifest
        twin = build_twin(manifest, folder / source, count=images)
        root, _ = find_root(manifest, twin.folder, {})
        converter = converter_for(manifest)
        labels = labels_of(manifest)
        for case in converter.cases(root):
            for sample in converter.convert(root, case):
                if isinstance(sample, Sample):
                    view = View(sample=sample, manifest=manifest, labels=labels)
                    for prompt in _prompts(view, mode):
                        yield prompt, sample.image


def _prompts(view: View, mode: Mode) -> Iterator[ModelPrompt]:
    yield model_prompt(view, "caption", "en", mode)
    for finding in view.sample.findings:
        if finding.box is not None:
            yield model_prompt(view, "region_caption", "en", mode, finding)
            return
