"""Samples of one field made from arrays, the climatology of a standard normal distribution, and means of one field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from scipy.special import ndtri

from data_pipeline.channels import Channel
from data_pipeline.grid import Grid
from evaluation.metrics.definitions import FieldStatistic, Sample
from evaluation.metrics.forms import Ensemble, Forecast, Gaussian, Point
from evaluation.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evaluation.metrics.definitions import Statistic

GRID = Grid.equiangular(6, 8, poles=False)
AREA = np.broadcast_to(GRID.area_weights()[:, None], GRID.shape).copy()


class Normal:
    """Quantiles of the standard normal distribution everywhere."""

    mean, std = np.zeros(GRID.shape), np.ones(GRID.shape)

    def quantiles(self, levels: Sequence[float]) -> np.ndarray:
        return np.broadcast_to(ndtri(np.asarray(levels))[:, None, None], (len(levels), *GRID.shape)).copy()


def sample(forecast: Forecast, climate: Any = None, **settings: Any) -> Sample:
    """Of 2 m temperature after a day."""
    return Sample(forecast, Channel("2m_temperature"), GRID, np.datetime64("2020-01-02", "ns"), 24.0,
                  Settings(**settings), climate)  # fmt: skip


def random_ensemble(size: int, seed: int = 0, *, steps: int | None = None) -> Ensemble:
    """Members that know something of the observation; ``steps`` rounds all to whole numbers, so that many tie."""
    rng = np.random.default_rng(seed)
    observation = rng.standard_normal(GRID.shape)
    members = 0.7 * observation + 0.7 * rng.standard_normal((size, *GRID.shape))
    if steps:
        members, observation = np.round(members * steps), np.round(observation * steps)
    return Ensemble.of(members, observation)


def forms(size: int, seed: int = 0) -> dict[str, Forecast]:
    """An ensemble, the climatology and a single value of the same observation."""
    ensemble = random_ensemble(size, seed)
    zeros, ones = np.zeros(GRID.shape), np.ones(GRID.shape)
    return {"forecast": ensemble, "climatology": Gaussian.of(zeros, ones, ensemble.observation),
            "persistence": Point.of(np.asarray(ensemble.members)[0], ensemble.observation)}  # fmt: skip


def means(
    statistics: Mapping[str, Statistic], samples: Mapping[str, Sample], area: np.ndarray = AREA
) -> dict[str, xr.DataArray]:
    """What the engine would give to the finalizers for one field: dims (model, *axes), NaN where a form has none."""
    found = {}
    for name, statistic in statistics.items():
        own = {}
        for model, one in samples.items():
            if isinstance(one.forecast, statistic.forms):
                axes = statistic.axes(one)
                value = statistic.of(one, area) if isinstance(statistic, FieldStatistic) else (
                    (statistic.of(one) * area).sum((-2, -1)) / area.sum())  # fmt: skip
                own[model] = xr.DataArray(value, dims=list(axes), coords=axes)
        if own:
            held = xr.concat(list(own.values()), xr.DataArray(list(own), dims="model", name="model"))
            found[name] = held.reindex(model=list(samples))
    return found
