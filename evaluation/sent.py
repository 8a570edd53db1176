"""Work that is sent to a cluster once, and done there by many threads."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Sent(Generic[T]):
    """A function that may be called in any thread: each has a copy of its own.

    A tally keeps what it read last, which another thread must not change; what it found for one run, such as
    coefficients, its thread has for the next.
    """

    def __init__(self, work: Callable[..., T]) -> None:
        from distributed.protocol.pickle import dumps  # noqa: PLC0415, it takes a second to import

        self.__setstate__(dumps(work))  # type: ignore[no-untyped-call]

    def __getstate__(self) -> bytes:
        return self._packed

    def __setstate__(self, packed: bytes) -> None:
        self._packed, self._own = packed, threading.local()

    def __call__(self, *args: object) -> T:
        """What the function gives."""
        from distributed.protocol.pickle import loads  # noqa: PLC0415

        if not hasattr(self._own, "work"):
            self._own.work = loads(self._packed)  # type: ignore[no-untyped-call]
        found: T = self._own.work(*args)
        return found


def done(work: Callable[..., T], *args: object) -> T:
    """What ``work`` gives: the task of a worker, which knows the function only when it has come."""
    return work(*args)
