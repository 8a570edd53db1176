"""What a check expects of data, and how much of them it looks at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    Positions = NDArray[np.intp]


@dataclass(frozen=True)
class Expectation:
    """What the data must hold, and how much of them is looked at.

    Parameters
    ----------
    interval_hours
        Between two states; by default the one that occurs most.
    levels
        Levels in hPa that must be there; by default any.
    sample
        How many states to look at, evenly spread, each with the one that follows it; by default all.
    progress
        Whether to show how far it is, on standard error.
    """

    interval_hours: int | None = None
    levels: Collection[int] | None = None
    sample: int | None = None
    progress: bool = False

    @property
    def interval(self) -> np.timedelta64 | None:
        """The interval as numpy has it."""
        return None if self.interval_hours is None else np.timedelta64(self.interval_hours, "h")

    def positions(self, count: int) -> Positions:
        """Which of so many states are looked at."""
        return np.arange(count) if self.sample is None else spread_pairs(count, self.sample)


def spread_pairs(count: int, pairs: int) -> Positions:
    """Positions of so many states, evenly spread over ``count``, and of those that follow them.

    >>> spread_pairs(100, 3).tolist()
    [0, 1, 49, 50, 98, 99]
    """
    firsts = np.linspace(0, max(count - 2, 0), pairs).round().astype(np.intp)
    return np.unique(np.clip([firsts, firsts + 1], 0, count - 1))
