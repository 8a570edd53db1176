"""Nothing half-written under a final name: write aside, fsync, rename."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import glob
import os
import socket
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_pipeline.errors import SphercastError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import xarray as xr

_SUFFIX = ".partial"

_RELATIVE_TO_HERE = -100
_EXCHANGE = 2
"""AT_FDCWD and RENAME_EXCHANGE of Linux (renameat2(2))."""


@contextmanager
def publishing(path: Path) -> Iterator[Path]:
    """A temporary path in the same folder, renamed to ``path`` when the block succeeds and removed when it fails.

    Raises
    ------
    SphercastError
        At once, if ``path`` is a folder or a device.
    OSError
        With ``path`` as its file name, if the disk is full or the folder cannot be written.
    """
    if path.exists() and not path.is_file():
        raise SphercastError(f"{path} is a folder or a device, expected the name of a file to write; give another")
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path)
    aside = path.with_name(f".{path.name}.{socket.gethostname()}.{os.getpid()}{_SUFFIX}")
    try:
        yield aside
        aside.chmod(0o644)  # some writers make files that only their owner may read
        sync(aside)
        aside.replace(path)
        sync(path.parent)
    except OSError as error:
        if error.errno is not None and error.filename in {None, aside, str(aside)}:  # else it has only its own words
            error.filename = str(path)
        raise
    finally:
        aside.unlink(missing_ok=True)


def _remove_leftovers(path: Path) -> None:
    """What processes of this machine left when they were killed while they wrote ``path``."""
    pattern = f".{glob.escape(path.name)}.{glob.escape(socket.gethostname())}.*{_SUFFIX}"
    for leftover in path.parent.glob(pattern):
        process = leftover.name.removesuffix(_SUFFIX).rpartition(".")[2]
        if process.isdigit() and not _is_alive(int(process)):
            leftover.unlink(missing_ok=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True


@contextmanager
def only_one_in(folder: Path) -> Iterator[None]:
    """Work in ``folder`` while no other process does; the lock dies with the process.

    Raises
    ------
    SphercastError
        If another process works there, or has just ended.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        _lock(descriptor, folder)
        if not folder.is_dir() or not os.path.samestat(folder.stat(), os.fstat(descriptor)):
            raise SphercastError(f"another process has just ended in {folder}; run the same command again")
        try:
            yield
        finally:
            with suppress(OSError):  # it holds something, or is gone
                folder.rmdir()
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise SphercastError(f"another process is at work in {folder}; wait until it has ended, or stop it") from error
    except OSError as error:
        raise SphercastError(
            f"{folder} cannot be locked ({error.strerror}), expected a file system that can lock folders; work on a "
            "local disk, or mount it with locks"
        ) from error


def write_netcdf(dataset: xr.Dataset, path: Path, encoding: dict[str, dict[str, Any]] | None = None) -> None:
    """NetCDF-4, whole or not at all; an OSError where the library says of a full disk only 'HDF error'."""
    with publishing(path) as aside:
        try:
            dataset.to_netcdf(aside, engine="netcdf4", encoding=encoding)
        except RuntimeError as error:
            raise OSError(errno.EIO, f"cannot write ({error})", str(path)) from error


def write_text(path: Path, text: str) -> None:
    """Replace the contents of a small file atomically."""
    with publishing(path) as aside:
        aside.write_text(text, encoding="utf-8")


def publish_directory(aside: Path, path: Path) -> None:
    """Make a finished directory durable and give it its final name."""
    sync_tree(aside)
    aside.rename(path)
    sync(path.parent)


def exchange(one: Path, other: Path) -> bool:
    """Give each of two files or folders the name of the other, at once: no reader ever misses either name.

    False, and nothing is done, where the system or the file system cannot (anything but Linux, some network disks).

    Raises
    ------
    OSError
        If either is not there.
    """
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):
        return False
    first, second = (ctypes.c_char_p(os.fsencode(path)) for path in (one, other))
    if rename(_RELATIVE_TO_HERE, first, _RELATIVE_TO_HERE, second, _EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in {errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM}:
        return False
    raise OSError(code, os.strerror(code), str(other))


def sync_tree(top: Path, since: int = 0) -> None:
    """Flush a directory, its folders and all their files to the disk; of the files, those changed ``since`` (ns)."""
    for folder, _, names in os.walk(top):
        for file in (Path(folder, name) for name in names):
            if not since or file.stat().st_mtime_ns >= since:
                sync(file)
        sync(Path(folder))


def sync(path: Path) -> None:
    """Flush a file or directory to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
