"""The lease: one driver an out folder, and a dead one never in the way."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from converters.errors import SettingsError
from pipeline.lease import Lease

HOLD = """
import sys, time
from pathlib import Path
from pipeline.lease import Lease
with Lease(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def holder(out: Path) -> "subprocess.Popen[str]":
    """Another process that holds the lease."""
    command = [sys.executable, "-c", HOLD, str(out)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_driver_stops_with_a_clear_message(tmp_path: Path) -> None:
    process = holder(tmp_path)
    with pytest.raises(SettingsError, match=f"another build writes here: process {process.pid}"):
        Lease(tmp_path).__enter__()
    process.kill()
    process.communicate()


def test_a_killed_driver_is_not_in_the_way(tmp_path: Path) -> None:
    process = holder(tmp_path)
    process.kill()
    process.communicate()
    with Lease(tmp_path):
        pass


def test_a_lease_is_free_again_when_it_is_given_back(tmp_path: Path) -> None:
    for _ in range(2):
        with Lease(tmp_path):
            pass


def signed_elsewhere(tmp_path: Path, age_seconds: float) -> None:
    """A lease that a driver on another machine has signed."""
    path = tmp_path / ".gmai" / "lease"
    path.parent.mkdir()
    path.write_text(json.dumps({"host": "elsewhere", "pid": 1}))
    then = path.stat().st_mtime - age_seconds
    os.utime(path, (then, then))


def test_a_living_driver_on_another_machine_is_respected(tmp_path: Path) -> None:
    signed_elsewhere(tmp_path, age_seconds=5)
    with pytest.raises(SettingsError, match="elsewhere"):
        Lease(tmp_path).__enter__()


def test_a_dead_driver_on_another_machine_is_not_in_the_way(tmp_path: Path) -> None:
    signed_elsewhere(tmp_path, age_seconds=300)
    with Lease(tmp_path):
        pass
