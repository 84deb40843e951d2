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
from types import BuiltinMethodType, MethodType

from jinja2 import FileSystemLoader, StrictUndefined, Template
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context, Macro
from jinja2.sandbox import SandboxedEnvironment
from jinja2.utils import Namespace

from converters.errors import SettingsError
from pipeline.digests import digest_bytes
from pipeline.languages import LANGUAGES

TEMPLATES = Path(__file__).resolve().parent.parent / "templates"
_KEPT_CONTEXTS = 64
# Tables of ``parts/say.*.j2`` that turn closed words of the project into those of a language.
_TABLES = ("images", "modalities", "anatomies", "departments", "views", "sides", "others")
_LINE_BREAK = "\ue000"  # private use: no text of a source or template holds it


class Draws:
    """A stream of choices that depends on its seed alone."""

    def __init__(self) -> None:
        self._seed = b""
        self._pool = b""
        self._used = 0
        self._refills = 0

    def start(self, seed: str) -> None:
        """Begin the stream of a seed."""
        self._seed = seed.encode("utf-8")
        self._pool = b""
        self._used = self._refills = 0

    def pick(self, *options: object) -> object:
        """One of the options."""
        if self._used == len(self._pool):
            self._refills += 1
            text = self._seed + self._refills.to_bytes(4, "big")
            self._pool = hashlib.blake2b(text, digest_size=64).digest()
            self._used = 0
        at = self._used
        self._used = at + 2
        return options[(self._pool[at] << 8 | self._pool[at + 1]) % len(options)]


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


class _Environment(SandboxedEnvironment):
    """A sandbox by allow-list: templates read fields of records and call words, nothing else.

    Stricter than Jinja's own sandbox, which lists what is unsafe, and quicker for it.
    """

    def is_safe_attribute(self, obj: object, attr: str, value: object) -> bool:
        """Fields of the pipeline's records, macros, and what Jinja itself gives templates."""
        module = type(obj).__module__
        is_known = module.startswith(("pipeline.", "jinja2.")) or isinstance(obj, dict)
        return is_known and not attr.startswith("_")

    def call(self, context: Context, call: object, /, *args: object, **kwargs: object) -> object:
        """Macros, `pick`, `namespace`, and `get` of dictionaries."""
        kwargs.pop("_block_vars", None)  # for functions that ask for the context; none here does
        kwargs.pop("_loop_vars", None)
        is_get = isinstance(call, BuiltinMethodType) and call.__name__ == "get"
        is_known = isinstance(call, (Macro, MethodType)) or is_get or call is Namespace
        if not is_known:
            raise SecurityError(f"a template must not call {call!r}")
        return call(*args, **kwargs)  # type: ignore[operator]


class _Phrasing:
    """The compiled templates of one language."""

    def __init__(self, language: str) -> None:
        self.draws = Draws()
        self.environment = _Environment(
            loader=FileSystemLoader(TEMPLATES),
            undefined=StrictUndefined,
            autoescape=False,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self.environment.globals.clear()
        self.environment.globals["namespace"] = Namespace
        self.environment.globals["pick"] = self.draws.pick
        self.environment.globals["nl"] = _LINE_BREAK
        self.environment.filters["term"] = self.spoken
        self._word = LANGUAGES[language].word
        said = self.environment.get_template(f"parts/say.{language}.j2").module
        self.environment.globals["say"] = said
        self.tables = {kind: getattr(said, kind, {}) for kind in _TABLES}
        self._templates: dict[str, Template] = {}
        self._contexts: dict[int, tuple[str, Mapping[str, object], Context]] = {}

    def spoken(self, name: str) -> str:
        """A term, or another closed word, in the language."""
        word = self._word(name)
        for table in self.tables.values() if word == name else ():
            if name in table:
                return str(table[name])
        return word

    def template(self, name: str) -> Template:
        """A compiled template."""
        found = self._templates.get(name)
        if found is None:
            found = self._templates[name] = self.environment.get_template(name)
        return found

    def context(self, name: str, variables: Mapping[str, object]) -> Context:
        """The context of a template; made once for the question and the answer of a pair."""
        known = self._contexts.get(id(variables))
        if known and known[0] == name and known[1] is variables:
            return known[2]
        if len(self._contexts) > _KEPT_CONTEXTS:
            self._contexts.clear()
        context = self.template(name).new_context(dict(variables))
        self._contexts[id(variables)] = (name, variables, context)
        return context


@cache
def _phrasing(language: str) -> _Phrasing:
    if not (TEMPLATES / "parts" / f"say.{language}.j2").is_file():
        known = ", ".join(LANGUAGES)
        raise SettingsError(
            "languages", f"there are no templates in {language!r}", f"use one of: {known}"
        )
    return _Phrasing(language)


def said_words(language: str, kind: str) -> Mapping[str, str]:
    """The words of a language for some closed words; none where it says the words themselves.

    Args:
        language: A key of :data:`pipeline.languages.LANGUAGES`.
        kind: A table of ``templates/parts/say.*.j2``, as "anatomies".
    """
    return _phrasing(language).tables[kind]


def spoken(language: str, name: str) -> str:
    """A term, or another closed word, in a language; what is neither stays as it is."""
    return _phrasing(language).spoken(name)


def in_language(template: str, language: str) -> str:
    """The template of a language beside an English one."""
    return template.replace(".en.j2", f".{language}.j2")


@cache
def has_template(template: str) -> bool:
    """Whether there is such a template."""
    return (TEMPLATES / template).is_file()


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
        language: A key of :data:`pipeline.languages.LANGUAGES`.
        seed: Decides every ``pick``.

    Raises:
        jinja2.UndefinedError: The template needs a variable that is not given.
        KeyError: The template has no such block.
    """
    phrasing = _phrasing(language)
    context = phrasing.context(template, variables)
    phrasing.draws.start(f"{seed}/{block}")
    text = " ".join("".join(phrasing.template(template).blocks[block](context)).split())
    return _broken_into_lines(LANGUAGES[language].close_up(text))


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
    return digest_bytes(b"\0".join(p.read_bytes() for p in [TEMPLATES / template, *parts]))


def templates_of(formats: tuple[str, ...], languages: tuple[str, ...]) -> list[str]:
    """Every template of some formats and languages, sorted."""
    return sorted(
        path.relative_to(TEMPLATES).as_posix()
        for name in formats
        for language in languages
        for path in (TEMPLATES / name).glob(f"*.{language}.j2")
    )
