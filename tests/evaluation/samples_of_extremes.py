"""Samples to score: a climate of given quantiles, and the mean of statistics as the engine takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from data_pipeline.channels import Channel
from data_pipeline.grid import Grid
from evaluation.aggregate import Places
from evaluation.metrics.definitions import PointStatistic, Sample
from evaluation.metrics.forms import Ensemble
from evaluation.regions import region
from evaluation.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from evaluation.metrics.definitions import Metric, Statistic

WARMTH, DEFAULTS = Channel("2m_temperature"), Settings()
TIME = np.datetime64("2020-01-01T00", "ns")


class QuantilesAlone:
    """A climate whose quantile of a level is a function of the level, the same everywhere or a field."""

    def __init__(self, quantile: Callable[[float], Any], shape: tuple[int, int]) -> None:
        self._quantile, self._shape = quantile, shape

    def quantiles(self, levels: Any) -> np.ndarray:
        return np.stack([np.broadcast_to(self._quantile(level), self._shape) for level in levels]).astype(np.float64)


def sample_of(
    forecast: Any,
    grid: Grid,
    *,
    quantile: Callable[[float], Any] | None = None,
    channel: Channel = WARMTH,
    settings: Settings = DEFAULTS,
) -> Sample:
    """A forecast of a whole grid."""
    climate: Any = None if quantile is None else QuantilesAlone(quantile, grid.shape)
    return Sample(forecast, channel, grid, TIME, 24.0, settings, climate)


def score_of(metric: Metric, statistics: Mapping[str, Statistic], samples: list[Sample]) -> xr.DataArray:
    """The metric over the whole grid of all samples, as the engine finds it."""
    return metric.finalise({name: mean_of_samples(statistics[name], samples) for name in metric.statistics})


def mean_of_samples(statistic: Statistic, samples: list[Sample]) -> xr.DataArray:
    totals = None
    for sample in samples:
        places, observed = Places(sample.grid, (region("global"),)), np.isfinite(sample.forecast.observation)
        if isinstance(statistic, PointStatistic):
            total = places.sum(np.asarray(statistic.of(sample)), observed)
            found = (total.total[0], total.weight[0])
        else:
            found = (np.asarray(statistic.of(sample, places.weights(observed)[0])), 1.0)
        totals = found if totals is None else (totals[0] + found[0], totals[1] + found[1])
    assert totals is not None
    axes = statistic.axes(samples[0])
    return xr.DataArray(totals[0] / totals[1], dims=list(axes), coords=axes)


def even_grid() -> Grid:
    """Two rows of equal area."""
    return Grid.equiangular(2, 6, poles=False)


def random_ensemble(seed: int, shape: tuple[int, int], members: int = 5, dtype: Any = np.float32) -> Ensemble:
    rng = np.random.default_rng(seed)
    truth = rng.standard_normal(shape)
    return Ensemble.of((truth + rng.standard_normal((members, *shape))).astype(dtype), truth.astype(dtype))
