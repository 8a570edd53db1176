"""Work that is done piece by piece, so that what it needs beside its input stays small, on all cores."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def in_blocks(work: Callable[[slice], None], count: int, block: int) -> None:
    """Call ``work`` with slices of ``block`` places that together are 0 to ``count``, several at a time.

    >>> in_blocks(print, 3, block=5)
    slice(0, 3, None)
    """
    parts = [slice(start, min(start + block, count)) for start in range(0, count, block)]
    threads = min(len(os.sched_getaffinity(0)), len(parts))
    if threads <= 1:
        for part in parts:
            work(part)
        return
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(work, parts):
            pass
