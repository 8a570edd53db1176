"""Weights along one axis: each target takes a few neighbours of the source, those that lie one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from data_pipeline.grid import CIRCLE, POLE

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from data_pipeline.grid import Grid

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

_SLIVER = 1e-12
"""Degrees (or sines) of overlap that are rounding, not overlap."""

_ROUNDING = 1e-9
"""Of an interval: a point that close to its end is on it."""


class Band(NamedTuple):
    """Target ``t`` is the sum over ``k < counts[t]`` of ``weights[t, k]`` times source ``first[t] + k``.

    Weights beyond ``counts`` are 0. On a circle ``first + k`` goes on past the last source with the first one.
    """

    first: Integers
    counts: Integers
    weights: Floats

    def dense(self, size: int) -> Floats:
        """The matrix (targets, ``size`` sources).

        >>> Band(np.array([1]), np.array([2]), np.array([[0.25, 0.75]])).dense(2)
        array([[0.75, 0.25]])
        """
        matrix = np.zeros((self.first.size, size))
        targets, places = np.nonzero(np.arange(self.weights.shape[1]) < self.counts[:, None])
        np.add.at(matrix, (targets, (self.first[targets] + places) % size), self.weights[targets, places])
        return matrix


def band(first: Integers, weights: Floats) -> Band:
    """Weights (targets, places) from ``first`` on, whose zeros at the end are nobody's.

    >>> band(np.array([0, 4]), np.array([[0.5, 0.5], [1.0, 0.0]])).counts.tolist()
    [2, 1]
    """
    places = np.arange(1, weights.shape[1] + 1)
    return Band(first, np.where(weights > 0, places, 0).max(axis=1), weights)


def latitude_overlaps(source: Grid, target: Grid) -> Band:
    """Shares of the source's rows in the area of the target's rows: overlaps in sine of latitude."""
    edges = [-np.sin(np.deg2rad(grid.latitude_bounds())) for grid in (source, target)]
    return _overlaps(edges[0], edges[1])


def longitude_overlaps(source: Grid, target: Grid) -> Band:
    """Shares of the source's columns in the target's columns: overlaps on the circle."""
    bounds = source.longitude_bounds()
    thrice = np.concatenate([bounds[:-1] - CIRCLE, bounds[:-1], bounds + CIRCLE])
    first, count, weights = _overlaps(thrice, target.longitude_bounds())
    return Band(first % (bounds.size - 1), count, weights)


def _overlaps(source: Floats, target: Floats) -> Band:
    """Overlaps of the intervals between ascending edges, as shares of the target's interval."""
    low, high = target[:-1], target[1:]
    first = np.searchsorted(source, low + _SLIVER, side="right") - 1
    count = np.searchsorted(source, high - _SLIVER, side="left") - first
    places = np.arange(count.max())
    intervals = np.minimum(first[:, None] + places, source.size - 2)
    lengths = np.minimum(source[intervals + 1], high[:, None]) - np.maximum(source[intervals], low[:, None])
    lengths = np.where(places < count[:, None], lengths, 0.0)
    return Band(first, count, lengths / lengths.sum(axis=1, keepdims=True))


class Brackets(NamedTuple):
    """Linear interpolation: ``1 - share`` of source ``lower``, ``share`` of the next; none where not ``inside``."""

    lower: Integers
    share: Floats
    inside: NDArray[np.bool_]

    @property
    def weights(self) -> Floats:
        """Of the two neighbours, shape (points, 2)."""
        return np.stack([1 - self.share, self.share], axis=1) * self.inside[:, None]


def latitude_brackets(source: Grid, latitude: ArrayLike) -> Brackets:
    """Neighbours of ``latitude`` (degrees) among the source's rows, with one row more on each pole.

    Row 0 is the north pole, row 1 the source's first. A pole counts only where the source reaches it, all the way
    round; poleward of the last row of any other source lies nothing.
    """
    knots = -np.asarray([POLE, *source.latitude, -POLE])
    lower, share = _between(knots, -np.asarray(latitude, dtype=np.float64))
    bounds = source.latitude_bounds()
    north, south = source.is_periodic & (np.abs(bounds[[0, -1]]) == POLE)
    beyond_north, beyond_south = (lower == 0) & (share < 1), (lower == knots.size - 2) & (share > 0)
    return Brackets(lower, share, ~(beyond_north & ~north | beyond_south & ~south))


def longitude_brackets(source: Grid, longitude: ArrayLike) -> Brackets:
    """Neighbours of ``longitude`` (degrees) among the source's columns, round the circle.

    The columns of a source that does not go all the way round leave one gap, the widest: nothing lies in it.
    """
    knots = np.asarray([*source.longitude, source.longitude[0] + CIRCLE])
    lower, share = _between(knots, knots[0] + (np.asarray(longitude, dtype=np.float64) - knots[0]) % CIRCLE)
    in_gap = (lower == np.argmax(np.diff(knots))) & (share > 0) & (share < 1)
    return Brackets(lower, share, ~in_gap | source.is_periodic)


def _between(knots: Floats, points: Floats) -> tuple[Integers, Floats]:
    lower = np.clip(np.searchsorted(knots, points, side="right") - 1, 0, knots.size - 2)
    gap = knots[lower + 1] - knots[lower]
    share = np.divide(points - knots[lower], gap, out=np.zeros_like(points), where=gap > 0)
    whole = np.round(share)
    return lower, np.where(np.abs(share - whole) < _ROUNDING, whole, share)
