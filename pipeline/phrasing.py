"""Templates rendered: the words come from ``templates/``, the choice of words from a digest.

A template has a block ``question`` and a block ``answer``. Line breaks in a template are
blanks in the text; ``nl`` is a line break. ``pick(a, b, ...)`` gives one of its arguments, drawn
by the digest of the pair, the block and the number of the draw: the same pair has the same
words for ever, and two pairs have theirs independently.
"""

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from jinja2 import FileSystemLoader, StrictUndefined, Template
from jinja2.sandbox import ImmutableSandboxedEnvironment

from pipeline.digests import digest_bytes

TEMPLATES = Path(__file__).resolve().parent.parent / "templates"
_LINE_BREAK = "\ue000"  # private use: no text of a source or template holds it


class Draws:
    """A stream of choices that depends on its seed alone."""

    def __init__(self) -> None:
        self._seed = b""
        self._count = 0

    def start(self, seed: str) -> None:
        """Begin the stream of a seed."""
        self._seed = seed.encode("utf-8")
        self._count = 0

    def pick(self, *options: object) -> object:
        """One of the options."""
        self._count += 1
        return options[draw_number(self._seed, self._count) % len(options)]


def draw_number(seed: bytes, count: int) -> int:
    """A number of 64 bits from a seed and the number of the draw."""
    digest = hashlib.blake2b(seed + count.to_bytes(4, "big"), digest_size=8).digest()
    return int.from_bytes(digest, "big")


def digest_order(seed: str, names: list[str]) -> list[str]:
    """Names in an order that depends on the seed, and for two names on these alone."""
    key = seed.encode("utf-8")
    return sorted(
        names,
        key=lambda n: (
            hashlib.blake2b(n.encode(), key=key[:64], digest_size=8).digest(),
            n,
        ),
    )


class _Phrasing:
    """The compiled templates of one language."""

    def __init__(self, language: str) -> None:
        self.draws = Draws()
        self.environment = ImmutableSandboxedEnvironment(
            loader=FileSystemLoader(TEMPLATES),
            undefined=StrictUndefined,
            autoescape=False,  # noqa: S701 - plain text; reports escape when they show it
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self.environment.globals["pick"] = self.draws.pick
        self.environment.globals["nl"] = _LINE_BREAK
        words = self.environment.get_template(f"parts/say.{language}.j2")
        self.environment.globals["say"] = words.module

    @cache  # noqa: B019 - one object a language, for the life of the process
    def template(self, name: str) -> Template:
        """A compiled template."""
        return self.environment.get_template(name)


@cache
def _phrasing(language: str) -> _Phrasing:
    return _Phrasing(language)


def render(
    template: str,
    block: str,
    variables: Mapping[str, object],
    *,
    language: str,
    seed: str,
) -> str:
    """Render one block of a template.

    Args:
        template: Path below ``templates/``.
        block: Name of the block.
        variables: What the template may speak of; an unknown name is an error.
        language: "en".
        seed: Decides every ``pick``.

    Raises:
        jinja2.UndefinedError: The template needs a variable that is not given.
        KeyError: The template has no such block.
    """
    phrasing = _phrasing(language)
    compiled = phrasing.template(template)
    phrasing.draws.start(f"{seed}/{block}")
    context = compiled.new_context(dict(variables))
    text = " ".join("".join(compiled.blocks[block](context)).split())
    return _broken_into_lines(text)


def _broken_into_lines(text: str) -> str:
    return "\n".join(line.strip() for line in text.split(_LINE_BREAK)).strip()


def keep_lines(text: str) -> str:
    """A text of the source, so that a template keeps its line breaks."""
    return text.strip().replace("\r\n", "\n").replace("\n", _LINE_BREAK)


@cache
def template_digest(template: str) -> str:
    """SHA-256 of a template and of every shared part of its language."""
    language = template.rsplit(".", 2)[1]
    parts = sorted((TEMPLATES / "parts").glob(f"*.{language}.j2"))
    return digest_bytes(
        b"\0".join(p.read_bytes() for p in [TEMPLATES / template, *parts])
    )


def templates_of(formats: tuple[str, ...], languages: tuple[str, ...]) -> list[str]:
    """Every template of some formats and languages, sorted."""
    return sorted(
        path.relative_to(TEMPLATES).as_posix()
        for name in formats
        for language in languages
        for path in (TEMPLATES / name).glob(f"*.{language}.j2")
    )
