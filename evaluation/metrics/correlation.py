"""Anomalies from the climatology: do they correlate with the observed ones (ACC), and are they as large (activity)?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evaluation.metrics.definitions import FieldStatistic, Metric, PointStatistic, Statistic, mean_of
from evaluation.metrics.forms import Ensemble, Gaussian, Point

if TYPE_CHECKING:
    from collections.abc import Callable

    import xarray as xr

    from evaluation.metrics.definitions import Means, Sample
    from evaluation.metrics.forms import Floats

_SMALLEST_SHARE = 1e-20
"""A variance that is a smaller share than this of the mean square is rounding, and correlates with nothing."""


def centred_correlation(forecast: Floats, observed: Floats, weights: Floats) -> float:
    """Correlation over an area of two fields of anomalies, their area means taken off; all (latitude, longitude).

    ``sum w (f - F)(a - A) / sqrt(sum w (f - F)^2 sum w (a - A)^2)``, F and A the weighted means: WMO, Manual on the
    Global Data-processing and Forecasting System (WMO-No. 485), as by its lead centre for deterministic verification
    (https://confluence.ecmwf.int/display/WLD/Score+definitions+and+requirements). NaN if one of the fields is constant,
    or NaN where there is weight.

    >>> round(centred_correlation(np.array([1.0, 2.0, 3.0]), np.array([5.0, 7.0, 9.0]), np.ones(3)), 12)
    1.0
    """
    parts = []
    for field in (forecast, observed):
        centred = field[weights > 0] - _mean(field, weights)
        enough = np.sum(np.square(centred)) > _SMALLEST_SHARE * np.sum(np.square(field[weights > 0]))
        parts.append(centred if enough else np.full_like(centred, np.nan))
    return _correlation(parts[0], parts[1], weights[weights > 0])


def uncentred_correlation(forecast: Floats, observed: Floats, weights: Floats) -> float:
    """The same without taking the means off: ``sum w f a / sqrt(sum w f^2 sum w a^2)``.

    As WeatherBench2 (Rasp et al. 2024, doi:10.1029/2023MS004019) has it. NaN if a field is zero everywhere.

    >>> uncentred_correlation(np.array([3.0, 4.0]), np.array([4.0, 3.0]), np.ones(2))
    0.96
    """
    inside = weights > 0
    return _correlation(forecast[inside], observed[inside], weights[inside])


def spatial_variance(field: Floats, weights: Floats) -> float:
    """Weighted variance over an area, ``sum w (a - A)^2 / sum w``, A the weighted mean.

    >>> spatial_variance(np.array([1.0, 3.0]), np.ones(2))
    1.0
    """
    inside = weights > 0
    return float(np.sum(weights[inside] * np.square(field[inside] - _mean(field, weights))) / weights.sum())


def _mean(field: Floats, weights: Floats) -> float:
    inside = weights > 0
    return float(np.sum(field[inside] * weights[inside]) / weights.sum())


def _correlation(one: Floats, other: Floats, weights: Floats) -> float:
    scale = np.sqrt(np.sum(weights * np.square(one))) * np.sqrt(np.sum(weights * np.square(other)))
    return float(np.sum(weights * one * other) / scale) if scale > 0 else np.nan


def observed_anomaly(sample: Sample) -> Floats:
    """Observation minus climatological mean, in float64; NaN where there is no climatology."""
    observation = sample.forecast.observation
    if sample.climate is None:
        return np.full(observation.shape, np.nan)
    return np.subtract(observation, sample.climate.mean, dtype=np.float64)


def forecast_anomaly(sample: Sample) -> Floats:
    """Mean of the forecast minus climatological mean."""
    return sample.forecast.error + observed_anomaly(sample)


def _acc(correlation: Callable[[Floats, Floats, Floats], float]) -> FieldStatistic:
    return FieldStatistic(
        lambda sample, weights: np.asarray(correlation(forecast_anomaly(sample), observed_anomaly(sample), weights))
    )


def _member_activity(sample: Sample, weights: Floats) -> Floats:
    """Spatial variance of the anomaly, averaged over members; of a single value, its own."""
    forecast, observed = sample.forecast, observed_anomaly(sample)
    if not isinstance(forecast, Ensemble):
        return np.asarray(spatial_variance(forecast.error + observed, weights))
    with np.errstate(invalid="ignore"):  # an infinite member is NaN in the end
        anomalies = (np.subtract(m, forecast.observation, dtype=np.float64) + observed for m in forecast.members)
        return np.asarray(np.mean([spatial_variance(anomaly, weights) for anomaly in anomalies]))


STATISTICS: dict[str, Statistic] = {
    "acc": _acc(centred_correlation),
    "acc_uncentred": _acc(uncentred_correlation),
    "acc_pooled_product": PointStatistic(lambda sample: forecast_anomaly(sample) * observed_anomaly(sample)),
    "acc_pooled_forecast": PointStatistic(lambda sample: np.square(forecast_anomaly(sample))),
    "acc_pooled_observed": PointStatistic(lambda sample: np.square(observed_anomaly(sample))),
    "activity_of_members": FieldStatistic(_member_activity, forms=(Ensemble, Point)),
    "activity_of_mean": FieldStatistic(
        lambda sample, weights: np.asarray(spatial_variance(forecast_anomaly(sample), weights)),
        forms=(Ensemble, Gaussian, Point),
    ),
    "activity_of_analysis": FieldStatistic(
        lambda sample, weights: np.asarray(spatial_variance(observed_anomaly(sample), weights))
    ),
}


def _pooled(means: Means) -> xr.DataArray:
    scale = (means["acc_pooled_forecast"] * means["acc_pooled_observed"]) ** 0.5
    return means["acc_pooled_product"] / scale.where(scale > 0)


def _root(statistic: str) -> Callable[[Means], xr.DataArray]:
    return lambda means: means[statistic] ** 0.5


def _ratio(statistic: str) -> Callable[[Means], xr.DataArray]:
    return lambda means: (means[statistic] / means["activity_of_analysis"]) ** 0.5


_CONSTANT = "a missing member makes the average NaN, and so does an anomaly that is constant or zero everywhere"
_ANOMALIES = "f = mean_i x_i - c, a = y - c, c the climatological mean"
_WMO = "WMO-No. 485, https://confluence.ecmwf.int/display/WLD/Score+definitions+and+requirements"


def _correlation_entry(statistics: tuple[str, ...], finalise: Callable[[Means], xr.DataArray], summary: str,
                       formula: str) -> Metric:  # fmt: skip
    return Metric(statistics, finalise, "higher", summary, f"{formula}; {_ANOMALIES}", units="1",
                  needs=frozenset({"climate"}), nan_and_ties=_CONSTANT, family="correlation")  # fmt: skip


def _activity_entry(statistic: str, summary: str, over: str) -> Metric:
    formula = (
        f"sqrt(mean over {over} of the variance over the area of the anomaly from the climatological mean): the "
        f"standard deviation of a field of {_WMO}, of its anomaly"
    )
    return Metric((statistic,), _root(statistic), "none", summary, formula, needs=frozenset({"climate"}),
                  family="correlation")  # fmt: skip


def _ratio_entry(statistic: str, summary: str, formula: str) -> Metric:
    return Metric((statistic, "activity_of_analysis"), _ratio(statistic), "one", summary, formula, units="1",
                  needs=frozenset({"climate"}), family="correlation")  # fmt: skip


METRICS: dict[str, Metric] = {
    "acc": _correlation_entry(
        ("acc",), mean_of("acc"), "anomaly correlation coefficient, centred",
        "mean over times of sum w (f - F)(a - A) / sqrt(sum w (f - F)^2 sum w (a - A)^2), F and A area means, "
        f"{_WMO}"),
    "acc_uncentred": _correlation_entry(
        ("acc_uncentred",), mean_of("acc_uncentred"), "anomaly correlation coefficient, uncentred",
        "mean over times of sum w f a / sqrt(sum w f^2 sum w a^2), Rasp et al. 2024 doi:10.1029/2023MS004019"),
    "acc_pooled": _correlation_entry(
        ("acc_pooled_product", "acc_pooled_forecast", "acc_pooled_observed"), _pooled,
        "anomaly correlation coefficient, pooled over times", "mean(f a) / sqrt(mean(f^2) mean(a^2)), means over area "
        "and times"),
    "activity": _activity_entry("activity_of_members", "activity of the forecast", "members and times"),
    "activity_of_mean": _activity_entry("activity_of_mean", "activity of the ensemble mean", "times"),
    "activity_of_analysis": _activity_entry("activity_of_analysis", "activity of the truth", "times"),
    "activity_ratio": _ratio_entry(
        "activity_of_members", "activity of the forecast over that of the truth", "activity / activity_of_analysis"),
    "activity_ratio_of_mean": _ratio_entry(
        "activity_of_mean", "activity of the ensemble mean over that of the truth",
        "activity_of_mean / activity_of_analysis"),
}  # fmt: skip
