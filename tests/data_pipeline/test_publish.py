"""No half-written file under a final name, whatever happens."""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import socket
import subprocess
import sys
from types import SimpleNamespace

import pytest
import xarray as xr

from data_pipeline.errors import SphercastError
from data_pipeline.publish import (
    exchange,
    only_one_in,
    publish_directory,
    publishing,
    sync_tree,
    write_netcdf,
    write_text,
)


def test_the_final_name_appears_when_the_block_succeeds(tmp_path) -> None:
    path = tmp_path / "new" / "folder" / "file.txt"
    with publishing(path) as aside:
        assert aside.parent == path.parent
        aside.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert os.listdir(path.parent) == ["file.txt"]


def test_a_failure_leaves_the_old_file_and_no_other(tmp_path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), publishing(path) as aside:
        aside.write_text(str(1 / (aside.write_text("half") - 4)))
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file.txt"]


def test_a_block_that_writes_nothing_fails(tmp_path) -> None:
    with pytest.raises(FileNotFoundError), publishing(tmp_path / "file.txt"):
        pass


def test_write_text_replaces(tmp_path) -> None:
    write_text(tmp_path / "ledger.json", "[1]")
    write_text(tmp_path / "ledger.json", "[1, 2] é")
    assert (tmp_path / "ledger.json").read_text(encoding="utf-8") == "[1, 2] é"


def test_publish_directory(tmp_path) -> None:
    (tmp_path / "aside" / "inner").mkdir(parents=True)
    (tmp_path / "aside" / "inner" / "file").write_text("x")
    publish_directory(tmp_path / "aside", tmp_path / "final")
    assert os.listdir(tmp_path) == ["final"]
    assert (tmp_path / "final" / "inner" / "file").read_text() == "x"


def test_publish_directory_does_not_replace_another(tmp_path) -> None:
    for name in ("aside", "final"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    with pytest.raises(OSError, match="not empty"):
        publish_directory(tmp_path / "aside", tmp_path / "final")
    assert os.listdir(tmp_path / "final") == ["final"]


def test_sync_tree_flushes_files_and_folders(tmp_path, monkeypatch) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").touch()
    flushed = []
    monkeypatch.setattr("data_pipeline.publish.sync", flushed.append)
    sync_tree(tmp_path / "a")
    assert set(flushed) == {tmp_path / "a", tmp_path / "a" / "b", tmp_path / "a" / "b" / "file"}


def test_a_killed_process_leaves_the_old_file(tmp_path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")
    program = (
        "import os, pathlib, signal, sys\n"
        "from data_pipeline.publish import publishing\n"
        "with publishing(pathlib.Path(sys.argv[1])) as aside:\n"
        "    aside.write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program, str(path)], check=False, timeout=60)
    assert ended.returncode == -signal.SIGKILL
    assert path.read_text() == "old"
    assert all(name == "file.txt" or name.startswith(".file.txt.") for name in os.listdir(tmp_path))


def test_names_are_exchanged_at_once(tmp_path) -> None:
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    assert exchange(tmp_path / "new", tmp_path / "old")
    assert os.listdir(tmp_path / "old") == ["new"]
    assert os.listdir(tmp_path / "new") == ["old"]


def test_names_are_not_exchanged_with_nothing(tmp_path) -> None:
    (tmp_path / "new").mkdir()
    with pytest.raises(FileNotFoundError):
        exchange(tmp_path / "new", tmp_path / "old")
    assert os.listdir(tmp_path) == ["new"]


def test_a_system_or_a_disk_that_cannot_exchange_names(tmp_path, monkeypatch) -> None:
    def refuse(*_: object) -> int:
        ctypes.set_errno(errno.EINVAL)
        return -1

    for library in (SimpleNamespace(), SimpleNamespace(renameat2=refuse)):
        monkeypatch.setattr("data_pipeline.publish.ctypes.CDLL", lambda *_, chosen=library, **__: chosen)
        assert not exchange(tmp_path / "new", tmp_path / "old")


@pytest.mark.parametrize("target", ["folder", "pipe"])
def test_what_is_no_file_is_never_replaced(tmp_path, target) -> None:
    """Renaming over /dev/null as root would take it from everybody."""
    path = tmp_path / target
    path.mkdir() if target == "folder" else os.mkfifo(path)
    with pytest.raises(SphercastError, match=f"{target} is a folder or a device"), publishing(path) as aside:
        aside.touch()
    assert os.listdir(tmp_path) == [target]


def test_an_error_names_the_final_file(tmp_path) -> None:
    path = tmp_path / "file.txt"
    with pytest.raises(OSError, match="full") as caught, publishing(path):
        raise OSError(errno.ENOSPC, "full")
    assert caught.value.filename == str(path)


def test_the_next_attempt_removes_what_a_killed_one_left(tmp_path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left, other, running = (
        tmp_path / f".{name}.{socket.gethostname()}.{process}.partial"
        for name, process in (("file.txt", ended.pid), ("file.txt.gz", ended.pid), ("file.txt", os.getppid()))
    )
    for path in (left, other, running):
        path.touch()
    write_text(tmp_path / "file.txt", "whole")
    assert sorted(tmp_path.iterdir()) == sorted([tmp_path / "file.txt", other, running])


def test_only_one_process_works_in_a_folder(tmp_path) -> None:
    folder = tmp_path / "run"
    with only_one_in(folder):
        with pytest.raises(SphercastError, match="another process is at work in"), only_one_in(folder):
            pass
        (folder / "file").touch()
    with only_one_in(folder):
        pass
    assert os.listdir(folder) == ["file"]


def test_a_folder_that_its_last_worker_removed_is_not_worked_in(tmp_path, monkeypatch) -> None:
    """Between being found and being locked."""
    folder = tmp_path / "run"
    for recreated in (False, True):

        def ended(descriptor: int, operation: int, recreated: bool = recreated) -> None:
            folder.rename(tmp_path / f"gone-{recreated}")
            if recreated:
                folder.mkdir()

        monkeypatch.setattr("fcntl.flock", ended)
        with (
            pytest.raises(SphercastError, match="another process has just ended in"),
            only_one_in(folder),
        ):
            pass


def test_a_folder_that_stayed_empty_goes(tmp_path) -> None:
    with only_one_in(tmp_path / "run"):
        pass
    assert os.listdir(tmp_path) == []


def test_write_netcdf_names_the_file_when_the_library_fails(tmp_path, monkeypatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise RuntimeError("NetCDF: HDF error")

    monkeypatch.setattr(xr.Dataset, "to_netcdf", full)
    with pytest.raises(OSError, match="cannot write") as caught:
        write_netcdf(xr.Dataset(), tmp_path / "scores.nc")
    assert caught.value.filename == str(tmp_path / "scores.nc")
    assert os.listdir(tmp_path) == []
