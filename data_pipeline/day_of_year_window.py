"""Sums over a window of days whose weights are a triangle, kept up to date as the window moves by a day.

A triangle of half-width R + 1 is a box of R + 1 days smoothed by another. With S_j the sum of day j, ahead(d) the sum
of days d + 1 to d + R + 1 and behind(d) that of days d - R to d, the weighted sum T(d) of the weights R + 1 - |j - d|
moves by T(d + 1) = T(d) + ahead(d) - behind(d). So a step costs the same whatever the width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from data_pipeline.compiled import compiled
from data_pipeline.working_memory import working_array

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from typing import Any

    from numpy.typing import NDArray

    Fields = NDArray[np.float32]

DAY_BYTES = 20
"""Of one day's sums at a point: two float64 and a count."""
WINDOW_BYTES = 4 * DAY_BYTES
"""Of what is kept beside the days at a point: three running sums, a shift, and the mean and deviation given out."""


class Sums(NamedTuple):
    """Of one or more days at every point: of values about a shift, of their squares, of their number."""

    total: NDArray[np.float64]
    squares: NDArray[np.float64]
    number: NDArray[np.int32]

    @classmethod
    def zeros(cls, shape: tuple[int, ...], memory_bytes: int, folder: Path | None) -> Sums:
        """In memory if all of them take at most ``memory_bytes``, else in files."""
        room = memory_bytes // 3
        return cls(*(working_array(shape, kind, room, folder) for kind in (np.float64, np.float64, np.int32)))

    def of(self, day: int) -> Sums:
        """Those of one day, to be written into."""
        return Sums(*(values[day] for values in self))


@dataclass
class Window:
    """Sums at every point of the days around a day.

    ``days`` holds those of single days in slots, ``running`` ahead, behind and the weighted sum.
    """

    reach: int
    shape: tuple[int, ...]
    days: Sums
    running: Sums
    shift: Fields
    newest: int

    @classmethod
    def before(cls, first: int, reach: int, shape: tuple[int, ...], memory_bytes: int, folder: Path | None) -> Window:
        """An empty window whose next day is ``first``; days that do not fit ``memory_bytes`` are in files."""
        points = int(np.prod(shape))
        days = Sums.zeros((2 * reach + 2, points), memory_bytes, folder)
        running = Sums(np.zeros((3, points)), np.zeros((3, points)), np.zeros((3, points), np.int32))
        return cls(reach, shape, days, running, np.full(points, np.nan, np.float32), first - 1)

    def move(self, states: Iterable[Fields]) -> None:
        """Take in the next day, all of whose ``states`` are given; the window is then around ``newest - reach``."""
        self.newest += 1
        slots = len(self.days.total)
        day = self.days.of(self.newest % slots)
        for sums in day:
            sums[:] = 0
        for state in states:
            _add(np.ascontiguousarray(state, dtype=np.float32).reshape(-1), self.shift, *day)
        middle, oldest = self.newest - self.reach, self.newest - 2 * self.reach - 1
        three = (self.days.of(number % slots) for number in (self.newest, middle, oldest))
        for new, leaving, gone, running in zip(*three, self.running, strict=True):
            _move(new, leaving, gone, *running)

    def smoothed(self) -> tuple[Fields, Fields]:
        """Mean and standard deviation of all states in the window by its weights; NaN where there is no value."""
        mean, std = np.empty(self.shape, np.float32), np.empty(self.shape, np.float32)
        _finish(*self.running.of(2), self.shift, mean.reshape(-1), std.reshape(-1))
        return mean, std


@compiled
def _add(values: Any, shift: Any, total: Any, squares: Any, count: Any) -> None:
    """Add a state to a day's sums, about the first value that a point ever had."""
    for point in range(len(values)):
        value = values[point]
        if not np.isnan(value):
            if np.isnan(shift[point]):
                shift[point] = value
            deviation = np.float64(value) - np.float64(shift[point])
            total[point] += deviation
            squares[point] += deviation * deviation
            count[point] += 1


@compiled
def _move(new: Any, middle: Any, oldest: Any, ahead: Any, behind: Any, weighted: Any) -> None:
    for point in range(len(new)):
        weighted[point] += ahead[point] + new[point] - behind[point]
        ahead[point] += new[point] - middle[point]
        behind[point] += middle[point] - oldest[point]


@compiled
def _finish(total: Any, squares: Any, count: Any, shift: Any, mean: Any, std: Any) -> None:
    """Weighted mean m = sum(w x) / sum(w) and variance sum(w x^2) / sum(w) - m^2, both about the shift."""
    for point in range(len(mean)):
        weight = count[point]
        offset = total[point] / weight if weight > 0 else np.nan
        mean[point] = shift[point] + offset
        variance = squares[point] / weight - offset * offset if weight > 0 else np.nan
        std[point] = np.sqrt(max(variance, 0.0)) if weight > 0 else np.nan
