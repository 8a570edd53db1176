"""All that scores need of an ensemble at a point, in one compiled pass: sorted by a network of comparators.

Members come first in memory, so that a comparator works on many neighbouring points at once: the machine's vector
instructions take the minimum and maximum of two members at all points of a tile, which stays in the cache.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numba  # noqa: F401, where it is missing the plain twin is taken
import numpy as np

from data_pipeline.compiled import compiled

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Numbers = NDArray[np.floating[Any]]
    Floats = NDArray[np.float64]

TILE = 128
"""Points that are sorted together: 50 members of them in float32 take 26 kB."""
TILES = 8
"""Tiles that are read together: a member's points lie far from the next one's, and short reads are slow."""
COUNTED = 8192
"""Points whose members are counted together: what is counted stays in the cache."""
AT_ONCE = 8
"""Members that are counted before the counts are kept."""
PER_THREAD = 2**20
"""Member values below which another thread is not worth its start."""


@lru_cache
def comparators(size: int) -> NDArray[np.int64]:
    """Pairs (lower, upper) of places whose values are put in order, one pair after the other, to sort ``size`` values.

    Batcher's odd-even merge sort (Knuth, The Art of Computer Programming 3, 5.2.2, algorithm M).

    >>> comparators(3).tolist()
    [[0, 1], [0, 2], [1, 2]]
    """
    pairs: list[tuple[int, int]] = []
    length = 1
    while length < size:
        step = length
        while step >= 1:
            for start in range(step % length, size - step, 2 * step):
                lows = range(start, min(start + step, size - step))
                pairs += [(low, low + step) for low in lows if low // (2 * length) == (low + step) // (2 * length)]
            step //= 2
        length *= 2
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def summarise(members: Numbers, observation: Numbers, found: Floats) -> None:
    """Fill ``found`` (quantity, point) from ``members`` (member, point); see ``evaluation.metrics.summary``."""
    pairs = comparators(len(members))
    _in_threads(lambda part: _summarise(members[:, part], observation[part], pairs, found[:, part]), members)


def sort_deviations(members: Numbers, observation: Numbers) -> Numbers:
    """Members minus the observation (member, point), ascending at every point."""
    pairs, deviations = comparators(len(members)), np.empty_like(members)
    _in_threads(lambda part: _sort(members[:, part], observation[part], pairs, deviations[:, part]), members)
    return deviations


def count_below(members: Numbers, observation: Numbers, found: NDArray[np.int32]) -> None:
    """Fill ``found`` (2, point) with the number of members below the observation and equal to it."""
    _in_threads(lambda part: _count(members[:, part], observation[part], found[:, part]), members)


def _in_threads(work: Callable[[slice], None], members: Numbers) -> None:
    points = members.shape[1]
    threads = min(len(os.sched_getaffinity(0)), members.size // PER_THREAD + 1)
    edges = np.linspace(0, points, threads + 1).astype(int) // TILE * TILE
    edges[-1] = points
    parts = [slice(start, stop) for start, stop in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)]
    if threads == 1:
        work(parts[0])
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, parts))


@compiled
def _fill(members: Any, observation: Any, start: int, tiles: Any) -> None:
    """Members minus the observation of the points from ``start`` on: tiles (tile, member, column)."""
    for member in range(members.shape[0]):
        for tile in range(tiles.shape[0]):
            first = start + tile * TILE
            values, target = members[member, first : first + TILE], observation[first : first + TILE]
            deviations = tiles[tile, member]
            for column in range(values.size):
                deviations[column] = values[column] - target[column]


@compiled
def _sort_tile(tile: Any, pairs: Any) -> None:
    for pair in range(pairs.shape[0]):
        low, high = tile[pairs[pair, 0]], tile[pairs[pair, 1]]
        for column in range(TILE):
            one, other = low[column], high[column]
            low[column] = one if one < other else other  # noqa: FURB136, min and max are not vectorised
            high[column] = other if one < other else one  # noqa: FURB136


@compiled
def _sort(members: Any, observation: Any, pairs: Any, deviations: Any) -> None:
    count, points = members.shape
    tiles = np.zeros((TILES, count, TILE), members.dtype)
    for start in range(0, points, TILES * TILE):
        _fill(members, observation, start, tiles)
        for first in range(start, min(start + TILES * TILE, points), TILE):
            tile = tiles[(first - start) // TILE]
            _sort_tile(tile, pairs)
            for member in range(count):
                values, target = tile[member], deviations[member, first : first + TILE]
                for column in range(target.size):
                    target[column] = values[column]


@compiled
def _summarise(members: Any, observation: Any, pairs: Any, found: Any) -> None:
    count, points = members.shape
    tiles, sums = np.zeros((TILES, count, TILE), members.dtype), np.empty((6, TILE))
    for start in range(0, points, TILES * TILE):
        _fill(members, observation, start, tiles)
        for first in range(start, min(start + TILES * TILE, points), TILE):
            tile = tiles[(first - start) // TILE]
            _sort_tile(tile, pairs)
            _add_up(tile, sums)
            for row in range(6):
                values, target = sums[row], found[row, first : first + TILE]
                for column in range(target.size):
                    target[column] = values[column] if np.isfinite(sums[3, column]) else np.nan


@compiled
def _add_up(tile: Any, sums: Any) -> None:
    """Mean distance, sum of all distances, mean, squares about it, number below zero and at zero, of sorted values."""
    count = tile.shape[0]
    sums[:] = 0.0
    distance, pairs, total, squares, below, equal = sums[0], sums[1], sums[2], sums[3], sums[4], sums[5]
    for member in range(count):
        rank, values = 2.0 * (2 * member + 1 - count), tile[member]
        for column in range(TILE):
            value = np.float64(values[column])
            distance[column] += abs(value)
            pairs[column] += rank * value
            total[column] += value
            below[column] += 1.0 if value < 0.0 else 0.0
            equal[column] += 1.0 if value == 0.0 else 0.0
    for column in range(TILE):
        distance[column] /= count
        total[column] /= count
    for member in range(count):
        values = tile[member]
        for column in range(TILE):
            deviation = np.float64(values[column]) - total[column]
            squares[column] += deviation * deviation


@compiled
def _count(members: Any, observation: Any, found: Any) -> None:
    whole = members.shape[0] // AT_ONCE * AT_ONCE
    for start in range(0, members.shape[1], COUNTED):
        stop = min(start + COUNTED, members.shape[1])
        below, equal = found[0, start:stop], found[1, start:stop]
        below[:], equal[:] = 0, 0
        for member in range(0, whole, AT_ONCE):
            _count_eight(members[member : member + AT_ONCE, start:stop], observation[start:stop], below, equal)
        for member in range(whole, members.shape[0]):
            values, target = members[member, start:stop], observation[start:stop]
            for column in range(values.size):
                below[column] += values[column] < target[column]
                equal[column] += values[column] == target[column]


@compiled
def _count_eight(values: Any, target: Any, below: Any, equal: Any) -> None:
    for column in range(target.size):
        less, same = np.int32(0), np.int32(0)
        for member in range(AT_ONCE):
            less += values[member, column] < target[column]
            same += values[member, column] == target[column]
        below[column] += less
        equal[column] += same
