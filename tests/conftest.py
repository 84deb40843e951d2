"""Shared by all tests: the network is refused, and each source is a case."""

import socket
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings

from converters.manifest import LoadedManifest, list_sources, load_manifest
from tests.fakes import Twin, build_twin

# The same examples every time: a test that passes here passes everywhere.
settings.register_profile("gmai", derandomize=True, deadline=None)
settings.load_profile("gmai")

REAL = Path(__file__).resolve().parent.parent.parent / "shared" / "real"


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse every connection that leaves this machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        local = self.family == socket.AF_UNIX or (
            isinstance(address, tuple) and str(address[0]).startswith(("127.", "::1", "localhost"))
        )
        if not local:
            raise RuntimeError(f"a test reached for the network: {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(params=list_sources())
def source(request: pytest.FixtureRequest) -> str:
    """The name of each source in turn."""
    return request.param


@pytest.fixture
def loaded(source: str) -> LoadedManifest:
    """The manifest of each source in turn."""
    return load_manifest(source)


@pytest.fixture(scope="session")
def twins(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Twin]:
    """A generated twin of a source, made once a process. It is shared: no test may change it."""

    @cache
    def twin_of(source: str) -> Twin:
        folder = tmp_path_factory.mktemp(source) / "root"
        return build_twin(load_manifest(source).manifest, folder)

    return twin_of


@pytest.fixture
def twin(source: str, twins: Callable[[str], Twin]) -> Twin:
    """The shared twin of each source in turn."""
    return twins(source)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With several processes, the tests of a source run in one, which makes its twin once."""
    for item in items:
        params = getattr(getattr(item, "callspec", None), "params", {})
        name = params.get("source") or params.get("built") or params.get("twin")
        if name:
            item.add_marker(pytest.mark.xdist_group(str(name)))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of small real datasets, or a skip where it is absent."""
    if not REAL.is_dir():
        pytest.skip("needs the small real datasets, which are not part of this repository")
    return REAL


def pytest_addoption(parser: pytest.Parser) -> None:
    """Golden files are written anew on request only."""
    parser.addoption("--update-golden", action="store_true", help="write golden files anew")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """A comparison with a golden file, by its name below ``tests/golden``."""

    def compare(name: str, text: str) -> None:
        path = Path(__file__).parent / "golden" / name
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.read_text(encoding="utf-8") == text, "run pytest --update-golden and look"

    return compare
