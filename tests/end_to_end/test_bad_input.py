"""Bad input: damaged files give a reason or a clear error, never a traceback or a wrong pair.

Every source's twin is damaged file by file, with fixed seeds. What comes out is a sample, a
rejection with a known reason, or a SourceError; and cases that were not touched give exactly
what they gave before.
"""

import contextlib
import gzip
import json
import os
import random
import signal
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from converters.errors import SourceError
from converters.files import Root, locate_root
from converters.manifest import Manifest, list_sources, load_manifest
from converters.records import Case, Outcome, Rejection, Sample
from converters.select import converter_for
from converters.vocabulary import words
from tests.fakes import build_twin

MUTATIONS_A_LAYOUT = 1000  # over the sources that have it
MUTATIONS_A_BLOCK = 120  # of a kind of annotation, likewise
SECONDS_A_CASE = 20
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n"
BOMB = b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "' + b"a" * 1000 + b'">]><l>&a;&a;</l>'


def cut(data: bytes, chance: random.Random) -> bytes:
    """The file ends too early."""
    return data[: chance.randrange(len(data))] if data else data


def flip(data: bytes, chance: random.Random) -> bytes:
    """Some bits are wrong."""
    out = bytearray(data)
    for _ in range(chance.choice((1, 1, 3, 20)) if out else 0):
        out[chance.randrange(len(out))] ^= 1 << chance.randrange(8)
    return bytes(out)


def flip_head(data: bytes, chance: random.Random) -> bytes:
    """Bytes of the header are other ones."""
    out = bytearray(data)
    for _ in range(min(len(out), 4)):
        out[chance.randrange(min(len(out), 400))] = chance.randrange(256)
    return bytes(out)


def repeat(data: bytes, chance: random.Random) -> bytes:
    """A part stands twice."""
    at = chance.randrange(len(data)) if data else 0
    return data[:at] + data[at // 2 : at] + data[at:]


def drop_line(data: bytes, chance: random.Random) -> bytes:
    """A line is missing, or stands twice."""
    lines = data.split(b"\n")
    at = chance.randrange(len(lines))
    return b"\n".join(lines[:at] + (lines[at : at + 1] * chance.choice((0, 2))) + lines[at + 1 :])


def swap_number(data: bytes, chance: random.Random) -> bytes:
    """A digit is another one."""
    digits = [at for at, byte in enumerate(data[:100_000]) if 48 <= byte <= 57]
    out = bytearray(data)
    if digits:
        out[chance.choice(digits)] = chance.choice(b"0123456789-.eN")
    return bytes(out)


def strange_json(data: bytes, chance: random.Random) -> bytes:
    """A value of a JSON file is of another kind, absurd, or that of its neighbour."""
    try:
        content = json.loads(data)
    except ValueError:
        return swap_number(data, chance)
    places = list(_places(content))[:5000]
    holder, key = chance.choice(places)
    other_holder, other_key = chance.choice(places)
    neighbour = json.loads(json.dumps(other_holder[other_key]))
    odd = [None, True, -1, 1e300, 10**40, "", "\u00e9", [], {}, "1e5", neighbour]
    holder[key] = chance.choice(odd)
    escape = chance.choice((r"\ud800", r"\u0000", r"\u00e9"))  # half a character, NUL, a letter
    return json.dumps(content).replace(r"\u00e9", escape).encode()


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    keys = value.keys() if isinstance(value, dict) else range(len(value))
    for key in list(keys):
        yield value, key
        if isinstance(value[key], (dict, list)):
            yield from _places(value[key])


def huge_png(data: bytes, chance: random.Random) -> bytes:
    """A header that claims more pixels than there is memory for."""
    if not data.startswith(b"\x89PNG"):
        return data[:20] + struct.pack("<4I", *[0x7FFFFFFF] * 4) + data[36:]
    out = bytearray(data)
    out[16:24] = struct.pack(">II", chance.choice((60_000, 2**31 - 1)), 60_000)
    out[29:33] = struct.pack(">I", zlib.crc32(out[12:29]))
    return bytes(out)


def inside_gzip(data: bytes, chance: random.Random) -> bytes:
    """The header of a packed volume is another one; its checksums are right."""
    if not data.startswith(b"\x1f\x8b"):
        return flip_head(data, chance)
    plain = bytearray(gzip.decompress(data))
    if chance.random() < 0.5:
        at = 40 + 2 * chance.randrange(8)  # NIfTI-1: dim
        plain[at : at + 2] = struct.pack("<h", chance.choice((-1, 0, 2, 32767)))
        return gzip.compress(bytes(plain), 1, mtime=0)
    return gzip.compress(flip_head(bytes(plain), chance), 1, mtime=0)


def constant(data: bytes) -> Callable[[bytes, random.Random], bytes]:
    """The file holds something else altogether."""
    return lambda _data, _chance: data


MUTATIONS: list[Callable[[bytes, random.Random], bytes]] = [
    cut, cut, flip, flip, flip_head, repeat, drop_line, swap_number,
    strange_json, strange_json, huge_png, inside_gzip,
    constant(b""), constant(POINTER), constant(BOMB), constant(b"\0" * 400),
    constant(b'{"a": 1, "a": NaN}'), constant(b"a,b\n1\n\xff\xfe,2,3\n"), constant(b"\x1f\x8b\x08"),
]  # fmt: skip


@contextmanager
def time_limit(what: str) -> Iterator[None]:
    """Fail where something hangs."""

    def stop(_signal: int, _frame: object) -> None:
        raise TimeoutError(f"{what} took more than {SECONDS_A_CASE} s")

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS_A_CASE)
    yield
    signal.alarm(0)


def small(manifest: Manifest) -> Manifest:
    """The manifest with small pictures where it says how large they are: there are many to make."""
    if manifest.layout.kind != "slides":
        return manifest
    regions = manifest.layout.regions.model_copy(update={"side_px": 128})
    layout = manifest.layout.model_copy(update={"regions": regions})
    return manifest.model_copy(update={"layout": layout})


class Twin:
    """A twin that is damaged and mended again and again."""

    def __init__(self, source: str, folder: Path) -> None:
        self.manifest = small(load_manifest(source).manifest)
        self.folder = folder / "root"
        count = 8 if self.manifest.layout.kind == "images" else 4
        build_twin(self.manifest, self.folder, count)
        self.root: Root = locate_root(self.manifest, self.folder)[0]
        self.converter = converter_for(self.manifest)
        self.files = sorted(path for path in self.folder.rglob("*") if path.is_file())
        self.cases = {case.key: case for case in self.converter.cases(self.root)}
        self.before = {key: self.convert(case) for key, case in self.cases.items()}

    def convert(self, case: Case) -> list[Outcome]:
        """The records of a case."""
        return list(self.converter.convert(self.root, case))

    def require_kept(self, touched: str) -> None:
        """Hold what comes out now against what came out before.

        Only cases that the touched file belongs to are converted: the others read other files.
        """
        found = self.answer(lambda: self.converter.cases(self.root))
        is_own = any(touched in case.files for case in self.cases.values())
        if found and is_own:  # a file of some cases alone: all others stay as they are
            kept = {case.key: case for case in found}
            for key, case in self.cases.items():
                assert touched in case.files or kept.get(key) == case
        for case in found:
            if self.cases.get(case.key) == case and touched not in case.files:
                continue  # reads the same files with the same words
            for outcome in self.answer(lambda case=case: self.convert(case)):
                self.require_honest(outcome, case)

    def answer(self, work: Callable[[], list[Any]]) -> list[Any]:
        """What something gives; that the source cannot be used is one of its answers."""
        said = self.manifest.name
        found: list[Any] = []
        with contextlib.suppress(SourceError):
            try:
                found = work()
            except SourceError as error:
                said = str(error)
                raise
        assert self.manifest.name in said
        return found

    def require_honest(self, outcome: Outcome, case: Case) -> None:
        """A rejection has a known reason; a sample keeps to the manifest's words and its image."""
        if isinstance(outcome, Rejection):
            assert outcome.reason in words("rejection")
            assert len(outcome.message) < 2000
            return
        assert isinstance(outcome, Sample)
        assert outcome.case_key == case.key
        known = {name for block in self.manifest.layout.annotations for name in _terms(block)}
        assert {finding.label for finding in outcome.findings} <= known
        assert not {finding.label for finding in outcome.findings} & set(outcome.absent)
        for finding in outcome.findings:
            if finding.box:
                assert 0 <= finding.box.x_min < finding.box.x_max <= outcome.width
                assert 0 <= finding.box.y_min < finding.box.y_max <= outcome.height


def _terms(block: object) -> tuple[str, ...]:
    from converters.annotations.contract import module_of

    found: tuple[str, ...] = module_of(block.kind).terms_of(block)  # type: ignore[attr-defined]
    return found


@pytest.fixture(scope="module", params=list_sources())
def twin(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Twin:
    """The twin of each source in turn."""
    return Twin(request.param, tmp_path_factory.mktemp(request.param))


@cache
def wanted_of_kinds() -> dict[str, int]:
    """Mutations that each source owes to each layout and kind of block."""
    sources: dict[str, int] = {}
    least: dict[str, int] = {}
    for name in list_sources():
        layout = load_manifest(name).manifest.layout
        blocks = {block.kind for block in layout.annotations}
        for kind, wanted in [(layout.kind, MUTATIONS_A_LAYOUT)] + [
            (kind, MUTATIONS_A_BLOCK) for kind in sorted(blocks)
        ]:
            sources[kind] = sources.get(kind, 0) + 1
            least[kind] = wanted
    return {kind: -(-least[kind] // count) for kind, count in sources.items()}


def mutations_of(source: str) -> int:
    """How many files of a source are damaged: its rarest kind gets what is wanted."""
    layout = load_manifest(source).manifest.layout
    kinds = {layout.kind, *(block.kind for block in layout.annotations)}
    return max(wanted_of_kinds()[kind] for kind in kinds)


@pytest.mark.slow
def test_damaged_files_give_reasons_and_no_traceback(twin: Twin) -> None:
    chance = random.Random(twin.manifest.name)
    by_suffix: dict[str, list[Path]] = {}
    for path in twin.files:
        by_suffix.setdefault(path.suffix, []).append(path)
    tried = damaged = 0
    while damaged < mutations_of(twin.manifest.name):
        path = chance.choice(by_suffix[chance.choice(sorted(by_suffix))])
        whole = path.read_bytes()
        mutation = MUTATIONS[tried % len(MUTATIONS)]
        tried += 1
        changed = mutation(whole, chance)
        if changed == whole:
            continue
        damaged += 1
        path.write_bytes(changed)
        try:
            with time_limit(f"{mutation} of {path}"):
                twin.require_kept(path.relative_to(twin.folder).as_posix())
        finally:
            path.write_bytes(whole)


def spread(files: list[Path], count: int) -> list[Path]:
    """Some of the files, evenly spread."""
    step = max(1, len(files) // count)
    return files[::step][:count]


def test_a_missing_file_gives_a_reason(twin: Twin) -> None:
    for path in spread(twin.files, 12):
        whole = path.read_bytes()
        path.unlink()
        twin.require_kept(path.relative_to(twin.folder).as_posix())
        path.write_bytes(whole)


def test_a_link_out_of_the_root_is_not_followed(twin: Twin, tmp_path: Path) -> None:
    for path in spread(twin.files, 8):
        whole = path.read_bytes()
        (tmp_path / "outside").write_bytes(whole)
        path.unlink()
        path.symlink_to(tmp_path / "outside")
        name = path.relative_to(twin.folder).as_posix()
        cases = twin.answer(lambda: twin.converter.cases(twin.root))
        for case in (one for one in cases if name in one.files):
            for outcome in twin.answer(lambda case=case: twin.convert(case)):
                assert not isinstance(outcome, Sample) or name not in (
                    outcome.source_path, *outcome.annotation_files
                )  # fmt: skip
        path.unlink()
        path.write_bytes(whole)


def test_a_name_that_is_not_utf8_gives_a_reason(twin: Twin) -> None:
    path = twin.files[0]
    odd = Path(os.fsdecode(os.fsencode(path.parent) + b"/caf\xe9" + os.fsencode(path.suffix)))
    path.rename(odd)
    try:
        twin.require_kept("")
    finally:
        odd.rename(path)


def test_untouched_cases_are_what_they_were(twin: Twin) -> None:
    """The twin was mended after each damage: nothing of it is left anywhere."""
    after = {case.key: twin.convert(case) for case in twin.converter.cases(twin.root)}
    assert after == twin.before


def test_enough_files_of_each_layout_are_damaged() -> None:
    by_layout: dict[str, int] = {}
    for source in list_sources():
        kind = load_manifest(source).manifest.layout.kind
        by_layout[kind] = by_layout.get(kind, 0) + mutations_of(source)
    assert min(by_layout.values()) >= MUTATIONS_A_LAYOUT
