"""The CRPS of means and maxima over neighbourhoods: of members and observation first, which then are scored.

As the spatially pooled CRPS of Price et al. 2023 (arXiv:2312.15796), after Ravuri et al. 2021
(doi:10.1038/s41586-021-03854-z), with a neighbourhood about every point of the grid instead of about the nodes of an
icosahedral mesh: the average over them is weighted with the area of their centres.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evaluation.metrics.blocks import in_blocks
from evaluation.metrics.crps import crps
from evaluation.metrics.forms import Ensemble, Point
from evaluation.metrics.pooling import add_windows, half_widths, raise_to_windows

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from data_pipeline.grid import Grid
    from evaluation.metrics.forms import Floats, Numbers

    Pool = Callable[[Numbers, Numbers, Grid, float, slice], Ensemble]

BLOCK = 16
"""Rows of centres that are pooled together."""


def average_pooled_crps(forecast: Ensemble | Point, grid: Grid, diameter_km: float) -> Floats:
    """CRPS of area-weighted means over all points within half of ``diameter_km`` of each point (latitude, longitude).

    Fair for an ensemble; the absolute error for a single value. Points without an observation are left out of members
    and observation alike; a member that is missing where there is one makes every neighbourhood it is in NaN.

    Raises
    ------
    ScoreError
        If the columns of the grid are not evenly spaced.
    """
    return _pooled_crps(forecast, grid, diameter_km, average_pool)


def max_pooled_crps(forecast: Ensemble | Point, grid: Grid, diameter_km: float) -> Floats:
    """As ``average_pooled_crps``, of maxima."""
    return _pooled_crps(forecast, grid, diameter_km, max_pool)


def average_pool(members: Numbers, observation: Numbers, grid: Grid, diameter_km: float, centres: slice) -> Ensemble:
    """Means of members minus observation about rows of centres, against zero: (member, centre row, longitude)."""
    widths, periodic = half_widths(grid, diameter_km, centres), grid.is_periodic
    areas = grid.area_weights()
    pooled = np.zeros((len(members) + 2, widths.shape[0], len(grid.longitude)))
    for row in np.flatnonzero(widths.max(axis=0) >= 0):
        deviations, observed, bad = _deviations(members[:, row], observation[row])
        fields = np.concatenate([areas[row] * deviations, areas[row] * observed[None], bad[None]])
        add_windows(pooled, fields, widths[:, row], periodic=periodic)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.where(pooled[-1] > 0, np.nan, pooled[:-2] / pooled[-2])
    return Ensemble.of(means, np.zeros(means.shape[1:]))


def max_pool(members: Numbers, observation: Numbers, grid: Grid, diameter_km: float, centres: slice) -> Ensemble:
    """Maxima of members and of the observation about rows of centres: (member, centre row, longitude)."""
    widths, periodic = half_widths(grid, diameter_km, centres), grid.is_periodic
    shape = widths.shape[0], len(grid.longitude)
    pooled = np.full((len(members) + 1, *shape), -np.inf, np.result_type(members, observation))
    missing = np.zeros((1, *shape))
    for row in np.flatnonzero(widths.max(axis=0) >= 0):
        _, observed, bad = _deviations(members[:, row], observation[row])
        counts = (observed > 0) & (bad == 0)
        fields = np.where(counts, np.concatenate([members[:, row], observation[None, row]]), -np.inf)
        raise_to_windows(pooled, fields.astype(pooled.dtype), widths[:, row], periodic=periodic)
        if bad.any():
            add_windows(missing, bad[None], widths[:, row], periodic=periodic)
    return Ensemble.of(np.where(missing > 0, np.nan, pooled[:-1]), pooled[-1])


def _deviations(members: Numbers, observation: Numbers) -> tuple[Floats, NDArray[np.float64], NDArray[np.float64]]:
    """Members minus observation, zero unless all is there; where there is an observation; where only that is there."""
    observed = np.isfinite(observation)
    with np.errstate(invalid="ignore"):
        deviations = np.subtract(members, observation, dtype=np.float64)
    whole = np.isfinite(deviations).all(axis=0)
    return np.where(whole, deviations, 0.0), observed.astype(np.float64), (observed & ~whole).astype(np.float64)


def _pooled_crps(forecast: Ensemble | Point, grid: Grid, diameter_km: float, pool: Pool) -> Floats:
    observation, found = forecast.observation, np.empty(grid.shape)
    members = forecast.members if isinstance(forecast, Ensemble) else (forecast.error + observation)[None]

    def work(centres: slice) -> None:
        pooled = pool(members, observation, grid, diameter_km, centres)
        found[centres] = crps(pooled if isinstance(forecast, Ensemble) else _point(pooled))

    in_blocks(work, grid.shape[0], BLOCK)
    return found


def _point(pooled: Ensemble) -> Point:
    return Point.of(pooled.members[0], pooled.observation)
