"""What was read or made last, as much of it as a number of bytes holds."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Hashable

    from numpy.typing import NDArray


class Recent:
    """Arrays by key; those that were asked for longest ago make room for others.

    >>> import numpy as np
    >>> recent = Recent(most_bytes=16)
    >>> for key in "abc":
    ...     recent.put(key, np.zeros(1))
    >>> "a" in recent, "b" in recent
    (False, True)
    """

    def __init__(self, most_bytes: int) -> None:
        self._most, self._held = most_bytes, 0
        self._arrays: OrderedDict[Hashable, NDArray[Any]] = OrderedDict()

    def __reduce__(self) -> tuple[type[Recent], tuple[int]]:
        return Recent, (self._most,)  # workers read for themselves

    def __contains__(self, key: Hashable) -> bool:
        return key in self._arrays

    def get(self, key: Hashable) -> NDArray[Any]:
        """An array that is there, not to be changed."""
        self._arrays.move_to_end(key)
        return self._arrays[key]

    def put(self, key: Hashable, array: NDArray[Any]) -> None:
        """Keep an array under a new key, unless it is too large."""
        if array.nbytes > self._most:
            return
        self._arrays[key] = array
        self._held += array.nbytes
        while self._held > self._most:
            self._held -= self._arrays.popitem(last=False)[1].nbytes
