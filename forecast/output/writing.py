"""The thread that writes while the model computes."""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType
    from typing import Self

    import numpy as np
    from numpy.typing import NDArray

    from forecast.output.sink import Sink


class _Advance(NamedTuple):
    number: int
    members: Sequence[int]
    step: int
    states: NDArray[np.float32]
    commit: Callable[[], None]


class WriterThread:
    """One thread that writes advances in order, each to all sinks, and then commits it.

    At most ``under_way`` advances wait or are being written; then ``put`` waits. As a context it finishes, or gives up
    if the block fails. The sinks stay open.
    """

    def __init__(self, sinks: Sequence[Sink], under_way: int = 2) -> None:
        self._sinks = sinks
        self._queue: SimpleQueue[_Advance | None] = SimpleQueue()
        self._room = threading.Semaphore(under_way)
        self._failure: BaseException | None = None
        self._gives_up = False
        self._thread = threading.Thread(target=self._work, name="sphercast-writer", daemon=True)
        self._thread.start()

    def put(
        self,
        advance: int,
        members: Sequence[int],
        step: int,
        states: NDArray[np.float32],
        commit: Callable[[], None] = lambda: None,
    ) -> None:
        """Hand over ``states`` (member, channel, latitude, longitude), which must not change any more.

        ``commit`` is called, in the thread, when all sinks have written them.

        Raises
        ------
        Exception
            What writing or committing an earlier advance raised.
        """
        self._room.acquire()
        if self._failure is not None:
            self._room.release()  # whoever tries again must not wait for ever
        self._raise()
        self._queue.put(_Advance(advance, members, step, states, commit))

    def finish(self) -> None:
        """Wait until all is written and committed; raises as ``put``."""
        self._end()
        self._raise()

    def close(self) -> None:
        """Give up: wait only for the advance that is being written."""
        self._gives_up = True
        self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.finish()
        finally:
            self.close()  # whatever interrupted it, nobody writes any more: the sinks are closed next

    def _work(self) -> None:
        while (advance := self._queue.get()) is not None:
            if self._failure is None and not self._gives_up:  # else only make room, so that nobody waits for ever
                try:
                    self._write(advance)
                except BaseException as error:
                    self._failure = error
            self._room.release()

    def _write(self, advance: _Advance) -> None:
        for sink in self._sinks:
            sink.write(advance.number, advance.members, advance.step, advance.states)
        advance.commit()

    def _end(self) -> None:
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()

    def _raise(self) -> None:
        if self._failure is not None:
            raise self._failure
