"""The commands are light: what they do not need, they do not load."""

import subprocess
import sys

import pytest

HEAVY = ("torch", "ray", "vllm", "openai", "transformers", "pydicom", "nibabel", "SimpleITK",
         "numpy", "scipy", "PIL", "pyarrow", "pandas", "jinja2")  # fmt: skip
CODE = """
import sys
sys.argv = {argv!r}
from {module} import main
try:
    main()
except SystemExit:
    pass
print("LOADED", sorted(name for name in {heavy!r} if name in sys.modules))
"""


def loaded(module: str, *arguments: str) -> str:
    """Which heavy modules a command loads."""
    code = CODE.format(argv=["x", *arguments], module=module, heavy=HEAVY)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return run.stdout.rsplit("LOADED", 1)[1].strip()


@pytest.mark.parametrize(
    "module",
    [
        "pipeline.cli",
        "pipeline.sources_cli",
        "trainer.export_command",
        "trainer.evaluate_command",
        "trainer.cli",
    ],
)
def test_help_loads_nothing_heavy(module: str) -> None:
    assert loaded(module, "--help") == "[]"


@pytest.mark.parametrize("arguments", [("list",), ("show", "bccd"), ("list", "--json")])
def test_describing_sources_loads_nothing_heavy(arguments: tuple[str, ...]) -> None:
    assert loaded("pipeline.sources_cli", *arguments) == "[]"


def test_reading_shards_needs_pyarrow_alone() -> None:
    code = (
        "import sys, pipeline.shards; "
        "print([m for m in sys.modules if m.split('.')[0] in ('converters', 'jinja2', 'scipy')])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
