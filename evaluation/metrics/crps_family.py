"""The CRPS taken apart, with weight on tails, and of neighbourhoods."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evaluation.metrics import crps, hersbach
from evaluation.metrics.definitions import FieldStatistic, Metric, PointStatistic, Sample, Statistic, mean_of
from evaluation.metrics.forms import Ensemble, Gaussian, Point
from evaluation.metrics.pooled_crps import average_pooled_crps, max_pooled_crps
from evaluation.metrics.weighted_crps import outcome_weighted_crps, threshold_weighted_crps

if TYPE_CHECKING:
    from collections.abc import Callable

    import xarray as xr
    from numpy.typing import ArrayLike, NDArray

    from evaluation.metrics.definitions import Means
    from evaluation.metrics.forms import Floats, Forecast

    Axes = dict[str, NDArray[np.generic]]
    Score = Callable[[Forecast, ArrayLike, bool], Floats]

_POOLED = (Ensemble, Point)
"""Forms that can be pooled: a normal distribution at each point says nothing of neighbours together."""


def _threshold_weighted(forecast: Forecast, threshold: ArrayLike, above: bool) -> Floats:
    return threshold_weighted_crps(forecast, threshold, above=above)


def _outcome_weighted(forecast: Forecast, threshold: ArrayLike, above: bool) -> Floats:
    return outcome_weighted_crps(forecast, threshold, above=above)


def _thresholds(sample: Sample) -> tuple[float, ...]:
    return tuple(sample.settings.thresholds.get(sample.channel.variable_name, ()))


def _at_thresholds(score: Score, *, above: bool) -> PointStatistic:
    def of(sample: Sample) -> Floats:
        scores = [score(sample.forecast, limit, above) for limit in _thresholds(sample)]
        return np.reshape(scores, (-1, *sample.grid.shape))

    return PointStatistic(of, lambda sample: {"threshold": np.array(_thresholds(sample), dtype=np.float64)})


def _in_climate_tails(score: Score) -> PointStatistic:
    def of(sample: Sample) -> Floats:
        levels = sample.settings.climate_quantiles
        if sample.climate is None:
            return np.full((len(levels), *sample.grid.shape), np.nan)
        limits = sample.climate.quantiles(levels)
        return np.stack([score(sample.forecast, own, level >= 0.5) for level, own in zip(levels, limits, strict=True)])

    return PointStatistic(of, lambda sample: {"climate_quantile": np.array(sample.settings.climate_quantiles)})


def _pooled(score: Callable[..., Floats]) -> PointStatistic:
    return PointStatistic(
        lambda sample: np.stack([score(sample.forecast, sample.grid, side) for side in sample.settings.pool_km]),
        lambda sample: {"pool_km": np.array(sample.settings.pool_km)},
        _POOLED,
    )


def _order_sums(sample: Sample, weights: Floats) -> Floats:
    assert isinstance(sample.forecast, Ensemble)
    return hersbach.order_sums(sample.forecast, weights)


def _order_axes(sample: Sample) -> Axes:
    assert isinstance(sample.forecast, Ensemble)
    return {"crps_sum": np.array(hersbach.SUMS), "order": np.arange(1, sample.forecast.size + 1)}


def _climate_crps(sample: Sample) -> Floats:
    """CRPS of the climatology, a normal distribution, whatever the forecast is."""
    if sample.climate is None:
        return np.full(sample.grid.shape, np.nan)
    return crps.crps(Gaussian.of(sample.climate.mean, sample.climate.std, sample.forecast.observation))


STATISTICS: dict[str, Statistic] = {
    "crps_order_sums": FieldStatistic(_order_sums, _order_axes, (Ensemble,)),
    "crps_of_climate": PointStatistic(_climate_crps),
    "threshold_weighted_crps_above": _at_thresholds(_threshold_weighted, above=True),
    "threshold_weighted_crps_below": _at_thresholds(_threshold_weighted, above=False),
    "threshold_weighted_crps_climate": _in_climate_tails(_threshold_weighted),
    "outcome_weighted_crps_above": _at_thresholds(_outcome_weighted, above=True),
    "outcome_weighted_crps_below": _at_thresholds(_outcome_weighted, above=False),
    "outcome_weighted_crps_climate": _in_climate_tails(_outcome_weighted),
    "average_pooled_crps": _pooled(average_pooled_crps),
    "max_pooled_crps": _pooled(max_pooled_crps),
}


def _part(name: str) -> Callable[[Means], xr.DataArray]:
    """Finalizer that gives one part of Hersbach's decomposition."""

    def finalise(means: Means) -> xr.DataArray:
        sums = means["crps_order_sums"].transpose(..., "crps_sum", "order")
        parts = hersbach.decompose(sums.values)
        return sums.isel(crps_sum=0, order=0, drop=True).copy(data=getattr(parts, name))

    return finalise


def _resolution(means: Means) -> xr.DataArray:
    return means["crps_of_climate"] - _part("potential")(means)


_HERSBACH = "Hersbach 2000 doi:10.1175/1520-0434(2000)015<0559:DOTCRP>2.0.CO;2"
_TAILS = "; t a quantile of the climatology, the tail above it from level 0.5 on, below it otherwise"
_TW = "fair CRPS of v(x_i) against v(y), {}, Allen et al. 2022 arXiv:2202.12732"
_OW = "w(y) CRPS(members with w = 1, y), {}, of all members if none has, Holzmann and Klar 2017 doi:10.1214/17-AOAS1088"
_POOL = (
    "fair CRPS of {} over points within pool_km/2, members and truth pooled first, Price et al. 2023 arXiv:2312.15796"
)
_STRICT = "a missing member makes the average NaN; a value on the threshold is no event"

METRICS: dict[str, Metric] = {
    "crps_reliability": Metric(
        ("crps_order_sums",), _part("reliability"), "lower", "reliability part of the standard CRPS",
        f"sum_i g_i (o_i - p_i)^2, {_HERSBACH} section 4; standard_crps = reliability + potential",
        nan_and_ties="a missing member, or ensembles of several sizes, make it NaN; ties do not matter", family="crps"),
    "crps_potential": Metric(
        ("crps_order_sums",), _part("potential"), "lower", "standard CRPS that would be left with perfect reliability",
        f"sum_i g_i o_i (1 - o_i), {_HERSBACH} section 4",
        nan_and_ties="a missing member, or ensembles of several sizes, make it NaN; ties do not matter", family="crps"),
    "crps_resolution": Metric(
        ("crps_order_sums", "crps_of_climate"), _resolution, "higher", "resolution part of the standard CRPS",
        f"uncertainty - potential, {_HERSBACH} section 4; standard_crps = reliability - resolution + uncertainty",
        needs=frozenset({"climate"}),
        nan_and_ties="a missing member, or ensembles of several sizes, make it NaN; ties do not matter", family="crps"),
    "crps_uncertainty": Metric(
        ("crps_of_climate",), mean_of("crps_of_climate"), "none", "CRPS of the climatology of the place and season",
        "CRPS of the normal distribution with climatological mean and standard deviation, Gneiting et al. 2005",
        needs=frozenset({"climate"}), nan_and_ties="a missing climatology makes the average NaN", family="crps"),
    "threshold_weighted_crps_above": Metric(
        ("threshold_weighted_crps_above",), mean_of("threshold_weighted_crps_above"), "lower",
        "threshold-weighted CRPS of the tail above", _TW.format("v(z) = max(z, t)"), minimum_members=2,
        needs=frozenset({"thresholds"}), family="crps"),
    "threshold_weighted_crps_below": Metric(
        ("threshold_weighted_crps_below",), mean_of("threshold_weighted_crps_below"), "lower",
        "threshold-weighted CRPS of the tail below", _TW.format("v(z) = min(z, t)"), minimum_members=2,
        needs=frozenset({"thresholds"}), family="crps"),
    "threshold_weighted_crps_climate": Metric(
        ("threshold_weighted_crps_climate",), mean_of("threshold_weighted_crps_climate"), "lower",
        "threshold-weighted CRPS of the climatology's tails", _TW.format("v(z) = max or min(z, t)") + _TAILS,
        minimum_members=2, needs=frozenset({"climate", "quantiles"}), family="crps"),
    "outcome_weighted_crps_above": Metric(
        ("outcome_weighted_crps_above",), mean_of("outcome_weighted_crps_above"), "lower",
        "outcome-weighted CRPS of the tail above", _OW.format("w(z) = 1{z > t}"),
        needs=frozenset({"thresholds"}), nan_and_ties=_STRICT, family="crps"),
    "outcome_weighted_crps_below": Metric(
        ("outcome_weighted_crps_below",), mean_of("outcome_weighted_crps_below"), "lower",
        "outcome-weighted CRPS of the tail below", _OW.format("w(z) = 1{z < t}"),
        needs=frozenset({"thresholds"}), nan_and_ties=_STRICT, family="crps"),
    "outcome_weighted_crps_climate": Metric(
        ("outcome_weighted_crps_climate",), mean_of("outcome_weighted_crps_climate"), "lower",
        "outcome-weighted CRPS of the climatology's tails", _OW.format("w(z) = 1{z > t} or 1{z < t}") + _TAILS,
        needs=frozenset({"climate", "quantiles"}), nan_and_ties=_STRICT, family="crps"),
    "average_pooled_crps": Metric(
        ("average_pooled_crps",), mean_of("average_pooled_crps"), "lower", "CRPS of means over neighbourhoods",
        _POOL.format("area-weighted means"), minimum_members=2, family="crps",
        nan_and_ties="points without truth are left out; a missing member makes its neighbourhoods NaN"),
    "max_pooled_crps": Metric(
        ("max_pooled_crps",), mean_of("max_pooled_crps"), "lower", "CRPS of maxima over neighbourhoods",
        _POOL.format("maxima"), minimum_members=2, family="crps",
        nan_and_ties="points without truth are left out; a missing member makes its neighbourhoods NaN"),
}  # fmt: skip
