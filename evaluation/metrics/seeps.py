"""SEEPS, the stable equitable error in probability space, of precipitation: dry, light or heavy for place and season.

A value on a threshold is in the lower category: dry on the dry threshold, light on that of heavy precipitation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evaluation.metrics.definitions import Metric, PointStatistic, Statistic
from evaluation.metrics.exceedance import beyond, probabilities
from evaluation.metrics.extremes import central_value
from evaluation.metrics.forms import Point
from evaluation.metrics.once import once
from evaluation.metrics.wet_climate import LEVELS, WetClimate

if TYPE_CHECKING:
    import xarray as xr

    from evaluation.metrics.definitions import Means, Sample
    from evaluation.metrics.forms import Floats, Forecast, Numbers

PRECIPITATION = ("total_precipitation", "total_precipitation_24hr")
"""Names of what is scored: sums over a day, the second in WeatherBench2's data sets."""


def error_matrix(dry_share: Floats) -> Floats:
    """``s`` (forecast category, observed category, ...) for climates with the share p_1 of dry days.

    Rodwell et al. 2010 (doi:10.1002/qj.656). Any forecast that is always the same has 1 on average.

    >>> float(error_matrix(np.array(0.5))[0, 2])
    4.0
    """
    p = dry_share
    zero = np.zeros_like(p)
    rows = [
        [zero, 1 / (1 - p), 4 / (1 - p)],
        [1 / p, zero, 3 / (1 - p)],
        [1 / p + 3 / (2 + p), 3 / (2 + p), zero],
    ]
    return np.asarray(rows) / 2


def seeps(above_dry: Numbers, heavy: Numbers, observation: Numbers, climate: WetClimate, dry: float) -> Floats:
    """The score at every point (...) of a forecast's probabilities to be wet and to be heavy; 0 or 1 of one value.

    The mean of the members' scores, if the probabilities are the shares of members. NaN where the climate is not
    known, or always or never dry.
    """
    happened = np.stack([beyond(observation, limit) for limit in (np.asarray(dry, dtype=np.float64), climate.heavy)])
    category = happened.sum(axis=0, dtype=np.intp)[None, None]
    forecast = np.stack([1 - above_dry, above_dry - heavy, heavy])
    with np.errstate(divide="ignore", invalid="ignore"):
        errors = np.take_along_axis(error_matrix(climate.dry_share), category, axis=1)[:, 0]
        score = np.where(forecast > 0, forecast * errors, 0.0).sum(axis=0)
    known = np.isfinite(climate.heavy) & (climate.dry_share > 0) & (climate.dry_share < 1)
    return np.where(known & np.isfinite(above_dry + heavy), score, np.nan)


def _above(forecast: Forecast, limit: Floats) -> Floats:
    if isinstance(forecast, Point):
        happens = beyond(central_value(forecast), limit).astype(np.float64)
        return np.where(np.isnan(forecast.error), np.nan, happens)
    return probabilities(forecast, limit)


def _dry(sample: Sample) -> float:
    return sample.settings.seeps_dry_mm / 1000


@once
def _climate(sample: Sample) -> tuple[WetClimate, Floats]:
    """The climate at the sample's time, and 1 where SEEPS is scored, 0 where it is too dry or too wet."""
    if sample.climate is None or sample.channel.variable_name not in PRECIPITATION:
        nothing = np.full(sample.forecast.observation.shape, np.nan)
        return WetClimate(nothing, nothing), nothing
    climate = WetClimate.of_quantiles(LEVELS, sample.climate.quantiles(LEVELS), _dry(sample))
    low, high = sample.settings.seeps_dry_shares
    inside = (climate.dry_share >= low) & (climate.dry_share <= high) & np.isfinite(climate.heavy)
    return climate, inside.astype(np.float64)


def _scored(sample: Sample, forecast: Forecast) -> Floats:
    """The score where it is defined and zero elsewhere, so that sums of it and of where it is defined add up."""
    climate, inside = _climate(sample)
    dry = _dry(sample)
    everywhere = np.full(forecast.observation.shape, dry)
    wet = _above(forecast, everywhere)
    heavy = np.minimum(wet, _above(forecast, climate.heavy))
    score = seeps(wet, heavy, forecast.observation, climate, dry)
    return np.where(np.isnan(inside) | np.isnan(wet), np.nan, np.where(inside > 0, score, 0.0))


def _of_mean(sample: Sample) -> Floats:
    return _scored(sample, Point(sample.forecast.error, sample.forecast.observation))


def _mean(means: Means, statistic: str) -> xr.DataArray:
    inside = means["seeps_scored_area"]
    return means[statistic] / inside.where(inside > 0)


STATISTICS: dict[str, Statistic] = {
    "seeps": PointStatistic(lambda sample: _scored(sample, sample.forecast)),
    "seeps_of_mean": PointStatistic(_of_mean),
    "seeps_scored_area": PointStatistic(lambda sample: _climate(sample)[1]),
}

_FORMULA = (
    "mean s_fo over points whose climate has between 0.1 and 0.85 dry days, s of Rodwell et al. 2010 "
    "doi:10.1002/qj.656; dry up to 0.25 mm, heavy above the 2/3 quantile of wet amounts"
)
METRICS: dict[str, Metric] = {
    name: Metric(
        (name, "seeps_scored_area"), lambda means, name=name: _mean(means, name),  # type: ignore[misc]
        "lower", f"stable equitable error in probability space {whose}", _FORMULA, units="1",
        needs=frozenset({"climate", "quantiles", "precipitation"}), family="precipitation",
        nan_and_ties="a missing member makes it NaN; a value on a threshold is in the lower category")
    for name, whose in (("seeps", "(mean over members)"), ("seeps_of_mean", "of the ensemble mean"))
}  # fmt: skip
