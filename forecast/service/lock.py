"""Locks between processes: one holder at a time, and none that is dead."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from data_pipeline.errors import SphercastError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_TRIES, _PAUSE = 5, 0.1
"""``holder`` takes a lock for an instant to see whether it is free; whoever wants it then tries again."""


@dataclass(frozen=True)
class Holder:
    """The process that holds a lock, as it wrote itself into the file."""

    process: int
    host: str

    def __str__(self) -> str:
        return f"process {self.process} on {self.host}" if self.process else "another process"


class BusyError(SphercastError):
    """Someone else holds the lock; it will be free later."""

    def __init__(self, what: str, by: Holder) -> None:
        super().__init__(f"{what} is being worked on by {by}; wait until it has ended, or stop it")
        self.by = by


@contextmanager
def locked(path: Path, what: str) -> Iterator[None]:
    """Hold the lock at ``path`` (``flock``: it ends with the process, however that ends); ``what`` names it in errors.

    Raises
    ------
    BusyError
        If another process holds it.
    SphercastError
        If the file system cannot lock.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = _acquired(path, what)
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(asdict(Holder(os.getpid(), socket.gethostname()))).encode(), 0)
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def holder(path: Path) -> Holder | None:
    """Who holds the lock, if anyone does."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _named(descriptor)
    finally:
        os.close(descriptor)
    return None


def _acquired(path: Path, what: str) -> int:
    for attempt in range(_TRIES):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            by = _named(descriptor)
        except OSError as error:
            os.close(descriptor)
            raise SphercastError(
                f"{path} cannot be locked ({error.strerror}), expected a file system with locks; keep 'folder' on a "
                "local disk, or mount it with locks"
            ) from error
        else:
            if _is_there(path, descriptor):
                return descriptor
            by = Holder(0, "")  # its last holder has removed it between the two calls
        os.close(descriptor)
        time.sleep(_PAUSE if attempt + 1 < _TRIES else 0)
    raise BusyError(what, by)


def _is_there(path: Path, descriptor: int) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    return False


def _named(descriptor: int) -> Holder:
    with suppress(ValueError, TypeError):
        return Holder(**json.loads(os.pread(descriptor, 4096, 0)))
    return Holder(0, "")


@contextmanager
def locked_one(paths: Iterable[Path], what: str) -> Iterator[None]:
    """Hold one of several locks, the first that is free; a BusyError if none is."""
    busy: BusyError | None = None
    for path in paths:
        with ExitStack() as stack:
            try:
                stack.enter_context(locked(path, what))
            except BusyError as error:
                busy = error
                continue
            yield
            return
    assert busy is not None, "there is a lock to hold"
    raise busy
