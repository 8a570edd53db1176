"""Weighted moments per channel that merge exactly: weight, mean, squared deviations, range and count of values."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any

import numpy as np

from data_pipeline.compiled import compiled, compiled_sums

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Counts = NDArray[np.int64]

_SUM, _SQUARES, _WEIGHT, _COUNT, _MINIMUM, _MAXIMUM = range(6)
"""Columns of the accumulators of ``_accumulate``."""


@dataclass(frozen=True)
class Moments:
    """Moments of the values that are not NaN, arrays of shape (channel,); ``+`` merges them under any split.

    ``weight`` is the area that the values stand for: 1 for each complete global field. ``squares`` is the weighted
    sum of squared deviations from ``mean``. Where a channel has no value its weight, mean and squares are 0, and
    its minimum and maximum NaN. Chan, Golub and LeVeque (1983), eq. 2.1, so that float64 suffices for
    geopotential's large mean.
    """

    weight: Floats
    mean: Floats
    squares: Floats
    minimum: Floats
    maximum: Floats
    count: Counts

    @classmethod
    def of(cls, states: Iterable[NDArray[np.floating]], area_weights: Floats) -> Moments:
        """Moments of states (channel, latitude, longitude), weighted by ``area_weights`` of the latitudes.

        One state is looked at once, in order, and no array of its size is made.
        """
        sums = shift = np.empty(0)
        for state in map(_plain, states):
            if not sums.size:
                sums, shift = _zeros(len(state)), np.zeros(len(state))
            _start_shift(state, sums, shift)
            _add_state(state, _share(area_weights, state), shift, sums)
        return cls._from_sums(sums, shift)

    @classmethod
    def of_changes(
        cls, pairs: Iterable[tuple[NDArray[np.floating], NDArray[np.floating]]], area_weights: Floats
    ) -> Moments:
        """Moments of ``later - earlier``, in float64, over (earlier, later) pairs of states, likewise."""
        sums = shift = np.empty(0)
        for earlier, later in ((_plain(first), _plain(second)) for first, second in pairs):
            if not sums.size:
                sums, shift = _zeros(len(later)), np.zeros(len(later))
            _add_change(earlier, later, _share(area_weights, later), sums)
        return cls._from_sums(sums, shift)

    @classmethod
    def _from_sums(cls, sums: Floats, shift: Floats) -> Moments:
        """Of sums about ``shift``: the mean is shift + S/W, the squared deviations are Q - S^2/W.

        Infinite values give an infinite mean and a spread of NaN, without a warning.
        """
        weight, seen = sums[:, _WEIGHT], sums[:, _COUNT] > 0
        offset = np.divide(sums[:, _SUM], weight, out=np.zeros_like(weight), where=seen)
        with np.errstate(invalid="ignore"):
            squares = np.maximum(sums[:, _SQUARES] - offset * sums[:, _SUM], 0.0)
        minimum, maximum = (np.where(seen, sums[:, column], np.nan) for column in (_MINIMUM, _MAXIMUM))
        count = sums[:, _COUNT].astype(np.int64)
        return cls(weight.copy(), np.where(seen, shift + offset, 0.0), squares, minimum, maximum, count)

    def __add__(self, other: Moments) -> Moments:
        weight = self.weight + other.weight
        share = np.divide(other.weight, weight, out=np.zeros_like(weight), where=weight > 0)
        difference = np.where((self.count > 0) & (other.count > 0), other.mean - self.mean, 0.0)
        start = np.where(self.count > 0, self.mean, other.mean)
        return Moments(
            weight,
            start + difference * share,
            self.squares + other.squares + difference**2 * self.weight * share,
            np.fmin(self.minimum, other.minimum),
            np.fmax(self.maximum, other.maximum),
            self.count + other.count,
        )

    @property
    def std(self) -> Floats:
        """Standard deviation per channel (of the population); NaN for a channel without values."""
        return np.sqrt(np.divide(self.squares, self.weight, out=np.full_like(self.mean, np.nan), where=self.weight > 0))


def merge(parts: Sequence[Moments]) -> Moments:
    """The moments of all parts together, merged in order; at least one part."""
    return reduce(add, parts)


def _plain(state: NDArray[Any]) -> NDArray[np.floating]:
    """Contiguous native float32, or float64 where it is that: what the kernel is compiled for."""
    return np.ascontiguousarray(state, dtype=np.float64 if state.dtype.itemsize == 8 else np.float32)


def _share(area_weights: Floats, state: NDArray[np.floating]) -> Floats:
    """The area of a point of each row, as a share of the sphere's."""
    return np.asarray(area_weights / (area_weights.sum() * state.shape[2]), dtype=np.float64)


def _zeros(channels: int) -> Floats:
    return np.tile([0.0, 0.0, 0.0, 0.0, np.inf, -np.inf], (channels, 1))


@compiled
def _start_shift(state: Any, sums: Any, shift: Any) -> None:
    """Where a channel had no value so far, sum about its first one: it is near enough to the mean."""
    for channel in range(state.shape[0]):
        if sums[channel, _COUNT] == 0:
            for value in state[channel].flat:
                if not np.isnan(value):
                    shift[channel] = value
                    break


@compiled
def _add_state(state: Any, share: Any, shift: Any, sums: Any) -> None:
    """Add a state to the sums of its channels."""
    low, high = np.empty(state.shape[2], state.dtype), np.empty(state.shape[2], state.dtype)
    for channel in range(state.shape[0]):
        low[:], high[:] = np.inf, -np.inf
        for row in range(state.shape[1]):
            _add_row(state[channel, row], share[row], shift[channel], low, high, sums[channel])
        _add_range(low, high, sums[channel])


@compiled
def _add_change(earlier: Any, later: Any, share: Any, sums: Any) -> None:
    """Add the change between two states to the sums of its channels, about zero, where changes scatter."""
    low, high, change = np.empty(later.shape[2]), np.empty(later.shape[2]), np.empty(later.shape[2])
    for channel in range(later.shape[0]):
        low[:], high[:] = np.inf, -np.inf
        for row in range(later.shape[1]):
            for column in range(later.shape[2]):
                change[column] = np.float64(later[channel, row, column]) - np.float64(earlier[channel, row, column])
            _add_row(change, share[row], 0.0, low, high, sums[channel])
        _add_range(low, high, sums[channel])


@compiled_sums
def _add_row(values: Any, share: float, shift: float, low: Any, high: Any, sums: Any) -> None:
    """Add a row of one latitude. The flags let its sums be vectorised, and leave NaN alone.

    Minima and maxima are kept per column: that of a row is not vectorised where there may be NaN.
    """
    total, squares, count = 0.0, 0.0, 0
    for column in range(len(values)):
        deviation = np.float64(values[column]) - shift
        valid = deviation == deviation  # noqa: PLR0124
        kept = deviation if valid else 0.0
        total += kept
        squares += kept * kept
        count += valid
    for column in range(len(values)):
        value = values[column]
        low[column] = value if value < low[column] else low[column]  # noqa: FURB136
        high[column] = value if value > high[column] else high[column]  # noqa: FURB136
    sums[_SUM] += share * total
    sums[_SQUARES] += share * squares
    sums[_WEIGHT] += share * count
    sums[_COUNT] += count


@compiled
def _add_range(low: Any, high: Any, sums: Any) -> None:
    sums[_MINIMUM] = min(sums[_MINIMUM], low.min())
    sums[_MAXIMUM] = max(sums[_MAXIMUM], high.max())
