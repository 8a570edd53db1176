"""Locks end with their holder, however that ends."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from data_pipeline.errors import SphercastError
from forecast.service.lock import BusyError, Holder, holder, locked, locked_one

HOLD = """
import sys, time
from pathlib import Path
from forecast.service.lock import locked
with locked(Path(sys.argv[1]), "it"):
    print("locked", flush=True)
    time.sleep(60)
"""


def test_one_holder_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "a" / "x.lock"
    with locked(path, "cycle x"):
        found = holder(path)
        assert found is not None
        assert found.process == os.getpid()
        with pytest.raises(BusyError, match=f"cycle x is being worked on by process {os.getpid()} on .*; wait until"):
            locked(path, "cycle x").__enter__()
    assert holder(path) is None
    assert not path.exists()
    with locked(path, "cycle x"):
        pass


def test_a_killed_holder_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3]
    )
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == "locked\n"
        assert holder(path) == Holder(process.pid, os.uname().nodename)
        with pytest.raises(BusyError):
            locked(path, "x").__enter__()
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert path.exists(), "nobody was left to remove it"
    assert holder(path) is None
    with locked(path, "x"):
        assert holder(path).process == os.getpid()  # type: ignore[union-attr]


def test_the_first_that_is_free(tmp_path: Path) -> None:
    paths = [tmp_path / "0", tmp_path / "1"]
    with locked(paths[0], "x"), locked_one(paths, "the job"):
        assert holder(paths[1])
        with pytest.raises(BusyError, match="the job is being worked on by process"), locked_one(paths, "the job"):
            pass


def test_a_lock_without_a_name_in_it(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("{half a na")
    with path.open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert str(holder(path)) == "another process"


def test_a_lock_that_is_removed_while_it_is_acquired(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its last holder removed the file between opening and locking: the next one makes another."""
    path, flock, calls = tmp_path / "x", fcntl.flock, []

    def flock_of_a_removed_file(descriptor: int, how: int) -> None:
        calls.append(how)
        if len(calls) == 1:
            path.unlink()
        flock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", flock_of_a_removed_file)
    with locked(path, "x"):
        assert path.exists()
    assert len(calls) == 2


def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int, how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(SphercastError, match=r"cannot be locked \(No locks available\), expected a file system with"):
        locked(tmp_path / "x", "x").__enter__()
