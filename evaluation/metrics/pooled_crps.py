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
from evaluation.metrics.pooling import Discs

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from data_pipeline.grid import Grid
    from evaluation.metrics.forms import Floats, Numbers

    Pool = Callable[[Numbers, Numbers, Discs], Ensemble]

BLOCK = 32
"""Rows of centres that are pooled together."""
TOGETHER = 8
"""Members whose sums are in memory together."""


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


def average_pool(members: Numbers, observation: Numbers, discs: Discs) -> Ensemble:
    """Means over discs of members minus observation, against zero: (member, centre row, longitude)."""
    observed, bad = _known(members[:, discs.rows], observation[discs.rows])
    area, spoilt = discs.sums(np.stack([observed, bad]))
    counts, target = observed & ~bad, observation[discs.rows]
    means = np.empty((len(members), *area.shape))
    for start in range(0, len(members), TOGETHER):
        part = slice(start, start + TOGETHER)
        with np.errstate(invalid="ignore", divide="ignore"):
            means[part] = discs.sums(members[part, discs.rows], counts, target) / area
    means[:, spoilt > 0] = np.nan
    return Ensemble.of(means, np.zeros(area.shape))


def max_pool(members: Numbers, observation: Numbers, discs: Discs) -> Ensemble:
    """Maxima over discs of members and of the observation: (member, centre row, longitude)."""
    own, target = members[:, discs.rows], observation[discs.rows]
    observed, bad = _known(own, target)
    fields = np.concatenate([own, target[None]])
    fields[:, ~observed | bad] = -np.inf
    maxima = discs.maxima(fields)
    if bad.any():
        maxima[:-1, discs.sums(bad[None])[0] > 0] = np.nan
    return Ensemble.of(maxima[:-1], maxima[-1])


def _known(members: Numbers, observation: Numbers) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Where there is an observation, and where there is one and a member is missing."""
    observed = np.isfinite(observation)
    return observed, observed & ~np.logical_and.reduce([np.isfinite(member) for member in members])


def _pooled_crps(forecast: Ensemble | Point, grid: Grid, diameter_km: float, pool: Pool) -> Floats:
    observation, found = forecast.observation, np.empty(grid.shape)
    members = forecast.members if isinstance(forecast, Ensemble) else (forecast.error + observation)[None]

    def work(centres: slice) -> None:
        pooled = pool(members, observation, Discs.about(grid, diameter_km, centres))
        found[centres] = crps(pooled if isinstance(forecast, Ensemble) else _point(pooled))

    in_blocks(work, grid.shape[0], BLOCK)
    return found


def _point(pooled: Ensemble) -> Point:
    return Point.of(pooled.members[0], pooled.observation)
