"""Work that is sent once, and of which each thread has a copy."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, get_ident

from evaluation.sent import Sent, done

BOTH = Barrier(2, timeout=30)


class Work:
    """Remembers in which threads it was called; counts how often it was sent."""

    times_sent = 0

    def __init__(self) -> None:
        self.threads: set[int] = set()

    def __reduce__(self) -> tuple[type[Work], tuple[()]]:
        Work.times_sent += 1
        return Work, ()

    def run(self, number: int) -> tuple[int, set[int]]:
        BOTH.wait()
        self.threads.add(get_ident())
        return number + 1, self.threads


def test_every_thread_has_a_copy_that_it_keeps() -> None:
    sent = Sent(Work().run)
    for own in (sent, pickle.loads(pickle.dumps(sent))):
        with ThreadPoolExecutor(2) as pool:
            found = list(pool.map(lambda number, own=own: done(own, number), range(6)))
        assert [number for number, _ in found] == [1, 2, 3, 4, 5, 6]
        assert all(len(threads) == 1 for _, threads in found)
        assert len({id(threads) for _, threads in found}) == 2
    assert Work.times_sent == 1
