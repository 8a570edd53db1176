"""The variogram score: do two places some distance apart differ in the forecast as they do in truth?"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from data_pipeline.errors import ScoreError
from evaluation.sphere import EARTH_RADIUS

try:
    from evaluation.metrics.pair_moments import pair_moments
except ImportError:  # no compiler on this machine
    from evaluation.metrics.pair_moments_plain import pair_moments

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from data_pipeline.grid import Grid
    from evaluation.metrics.forms import Floats, Numbers

_ROWS_AT_ONCE = 16


class Pairs(NamedTuple):
    """Of points in ``rows`` with those ``down`` rows to the south and ``east`` columns to the east.

    ``around``: eastward of the last column follows the first.
    """

    rows: slice
    down: int
    east: int
    separation_km: float
    around: bool = True


class VariogramScores(NamedTuple):
    """Of one field and region, in units of the variable to the power of twice the order."""

    standard: float
    fair: float
    """Less what members add by being few; NaN for one member."""


def variogram_scores(
    members: Numbers, observation: Numbers, weights: Floats, pairs: Sequence[Pairs], *, order: float
) -> VariogramScores:
    """Variogram score of order ``order`` over pairs of points, a weighted mean; lower is better.

    ``sum_ab w_ab (|y_a - y_b|^p - mean_i |x_ia - x_ib|^p)^2 / sum_ab w_ab``, Scheuerer and Hamill 2015
    (doi:10.1175/MWR-D-14-00269.1) with weights that sum to one; ``w_ab = sqrt(w_a w_b)`` over the separation,
    so that a pair counts if both its points do. Fair: what M members add to it by being few, the variance of
    ``|x_ia - x_ib|^p`` over M, is taken off.

    Members (M, latitude, longitude), observation and weights (latitude, longitude). NaN if no pair has weight, or if a
    member is NaN at one that has.

    >>> west_east = Pairs(slice(0, 1), down=0, east=1, separation_km=1.0, around=False)
    >>> members, observation = np.array([[[0.0, 4.0]], [[0.0, 0.0]]]), np.array([[0.0, 1.0]])
    >>> variogram_scores(members, observation, np.ones((1, 2)), [west_east], order=0.5)
    VariogramScores(standard=0.0, fair=-1.0)
    """
    total, excess, weight = 0.0, 0.0, 0.0
    for chosen in pairs:
        own = _weights(weights, chosen)
        if own.any():
            score, scatter = _of_pairs(members, observation, chosen, order)
            total += float(np.sum(np.where(own > 0, own * score, 0.0)))
            excess += float(np.sum(np.where(own > 0, own * scatter, 0.0)))
            weight += float(own.sum())
    if not weight > 0:
        return VariogramScores(np.nan, np.nan)
    return VariogramScores(total / weight, (total - excess) / weight)


@lru_cache(maxsize=4)
def pairs_apart(grid: Grid, separations_km: tuple[float, ...]) -> list[Pairs]:
    """All pairs of points of a grid that are about so far apart along a meridian, and along a parallel.

    The number of rows, and of columns in each row, is the nearest to the separation; there are no pairs where it is 0,
    or half a circle and more. Two separations that are the same number of rows apart count twice.

    Raises
    ------
    ScoreError
        If there are no pairs at all.

    >>> from data_pipeline.grid import Grid
    >>> [(pair.down, pair.east) for pair in pairs_apart(Grid.equiangular(3, 8, poles=False), (6000.0,))]
    [(1, 0), (0, 2), (0, 1), (0, 2)]
    """
    pairs = [pair for separation in separations_km for pair in _apart(grid, separation)]
    if not pairs:
        raise ScoreError(
            f"the {grid} has no points {', '.join(f'{separation:g}' for separation in separations_km)} km apart; "
            "choose a larger variogram_km"
        )
    return pairs


def _apart(grid: Grid, separation: float) -> Iterator[Pairs]:
    rows, columns = grid.shape
    degrees = np.rad2deg(1e3 * separation / EARTH_RADIUS)
    down = round(degrees / float(np.mean(-np.diff(grid.latitude))))
    if 0 < down < rows:
        yield from (Pairs(part, down, 0, separation) for part in _runs(np.zeros(rows - down, dtype=int)))
    spacing = float(np.mean(np.diff(grid.longitude))) * np.cos(np.deg2rad(grid.latitude))
    most = (columns - 1) // 2 if grid.is_periodic else columns - 1
    east = np.rint(np.minimum(degrees / np.maximum(spacing, 1e-9), columns)).astype(int)
    for part in _runs(east):
        if 0 < east[part.start] <= most:
            yield Pairs(part, 0, int(east[part.start]), separation, grid.is_periodic)


def _runs(values: np.ndarray) -> Iterator[slice]:
    """Slices within which ``values`` are equal, of a few rows each."""
    start = 0
    for stop in range(1, len(values) + 1):
        if stop == len(values) or values[stop] != values[start] or stop - start == _ROWS_AT_ONCE:
            yield slice(start, stop)
            start = stop


def _of_pairs(members: Numbers, observation: Numbers, pairs: Pairs, order: float) -> tuple[Floats, Floats]:
    """The score of each pair (row, column), and what members add to it by being few, NaN (0/0) of one."""
    place = pairs.rows, pairs.down, pairs.east, order
    mean, squares = pair_moments(members, *place)
    observed, _ = pair_moments(observation[None], *place)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.square(observed - mean), squares / np.float64(len(members) * (len(members) - 1))


def _weights(weights: Floats, pairs: Pairs) -> Floats:
    """Of each pair (row, column): zero if one of its points has none."""
    near = np.sqrt(weights[pairs.rows])
    far = np.sqrt(weights[pairs.rows.start + pairs.down : pairs.rows.stop + pairs.down])
    pair = near * np.roll(far, -pairs.east, axis=-1) / pairs.separation_km
    if not pairs.around:
        pair[:, pair.shape[1] - pairs.east :] = 0.0
    return np.asarray(pair)
