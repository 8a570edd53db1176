"""Whether a forecast stays physical: means of a region and their drift, size of what the field holds.

Of mass (pressure), moisture (total column water vapour), dry energy, and, for balance, of the ageostrophic wind: the
variables are those of the files or of ``evaluation.derived``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evaluation.metrics.definitions import FieldStatistic, Metric, PointStatistic, Statistic, mean_of
from evaluation.metrics.forms import Ensemble, Point
from evaluation.metrics.scales import members_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import xarray as xr

    from evaluation.metrics.definitions import Means, Sample
    from evaluation.metrics.forms import Floats, Forecast, Numbers


def forecast_value(forecast: Forecast) -> Floats:
    """The mean of the forecast at every point, float64.

    >>> forecast_value(Ensemble.of([[1.0], [5.0]], [2.0])).tolist()
    [3.0]
    """
    return np.asarray(forecast.error + forecast.observation)


def forecast_square(forecast: Forecast) -> Floats:
    """``mean_i x_i^2`` of the members at every point: the energy of members, not of their mean.

    >>> forecast_square(Ensemble.of([[1.0], [5.0]], [2.0])).tolist()
    [13.0]
    """
    with np.errstate(invalid="ignore", over="ignore"):
        members = members_of(forecast)
        total = np.zeros(members.shape[1:])
        for member in members:
            total += np.square(member, dtype=np.float64)
    return np.where(np.isfinite(total), total / len(members), np.nan)


def region_errors(members: Numbers, observation: Numbers, weights: Floats) -> Floats:
    """The mean over a region of each member minus that of the truth, (member,); NaN if a value is missing.

    >>> region_errors(np.array([[[1.0, 3.0]], [[2.0, 2.0]]]), np.array([[1.0, 1.0]]), np.array([[1.0, 3.0]])).tolist()
    [1.5, 1.0]
    """
    inside = weights > 0
    shares = weights[inside] / weights.sum()
    with np.errstate(invalid="ignore"):
        gaps = (np.subtract(member[inside], observation[inside], dtype=np.float64) for member in members)
        errors = [np.einsum("p,p->", gap, shares) for gap in gaps]  # as BLAS adds up anew for each number of threads
    return np.where(np.isfinite(errors), errors, np.nan)


def _errors(sample: Sample, weights: Floats) -> Floats:
    return region_errors(members_of(sample.forecast), sample.forecast.observation, weights)


def _squared_error_of_members(sample: Sample, weights: Floats) -> Floats:
    """Mean over members of the square of the error of the regional mean."""
    return np.asarray(np.mean(np.square(_errors(sample, weights)))) if weights.any() else np.asarray(np.nan)


def _squared_error_of_mean(sample: Sample, weights: Floats) -> Floats:
    """Square of the error of the ensemble mean's regional mean."""
    return np.asarray(np.square(np.mean(_errors(sample, weights)))) if weights.any() else np.asarray(np.nan)


def _variance_of_means(sample: Sample, weights: Floats) -> Floats:
    """Unbiased variance over members of the regional mean; NaN for one member."""
    if not weights.any() or not isinstance(sample.forecast, Ensemble) or sample.forecast.size < 2:
        return np.asarray(np.nan)
    return np.asarray(np.var(_errors(sample, weights), ddof=1))


STATISTICS: dict[str, Statistic] = {
    "physical_value": PointStatistic(lambda sample: forecast_value(sample.forecast)),
    "physical_truth": PointStatistic(lambda sample: np.asarray(sample.forecast.observation, dtype=np.float64)),
    "physical_square": PointStatistic(lambda sample: forecast_square(sample.forecast), forms=(Ensemble, Point)),
    "physical_truth_square": PointStatistic(
        lambda sample: np.square(sample.forecast.observation, dtype=np.float64), forms=(Ensemble, Point)
    ),
    "region_mean_member_squared_error": FieldStatistic(_squared_error_of_members, forms=(Ensemble, Point)),
    "region_mean_squared_error": FieldStatistic(_squared_error_of_mean, forms=(Ensemble, Point)),
    "region_mean_variance": FieldStatistic(_variance_of_means, forms=(Ensemble,)),
}


def _drift(means: Means) -> xr.DataArray:
    error = means["error"]
    return error - error.sel(lead_time=error["lead_time"].min())


def _rms_ratio(means: Means) -> xr.DataArray:
    truth = means["physical_truth_square"]
    return (means["physical_square"] / truth.where(truth > 0)) ** 0.5


def _root(statistic: str) -> Callable[[Means], xr.DataArray]:
    return lambda means: means[statistic] ** 0.5


_ALIKE = "a missing member makes the average NaN; points with a missing observation are left out"

METRICS: dict[str, Metric] = {
    "region_mean": Metric(
        ("physical_value",), mean_of("physical_value"), "none", "mean of the forecast over region and initial times",
        "area mean of mean_i x_i", nan_and_ties=_ALIKE, family="physical"),
    "region_mean_of_truth": Metric(
        ("physical_truth",), mean_of("physical_truth"), "none", "mean of the truth over region and initial times",
        "area mean of y", nan_and_ties=_ALIKE, family="physical"),
    "drift": Metric(
        ("error",), _drift, "zero", "change with lead of the mean error, since the first lead",
        "bias(lead) - bias(first lead), bias = area mean of (mean_i x_i - y)", nan_and_ties=_ALIKE, family="physical"),
    "region_mean_member_rmse": Metric(
        ("region_mean_member_squared_error",), _root("region_mean_member_squared_error"), "lower",
        "root mean square error of members' regional means",
        "sqrt(mean over initial times and members of (area mean of (x_i - y))^2)", nan_and_ties=_ALIKE,
        family="physical"),
    "region_mean_rmse": Metric(
        ("region_mean_squared_error",), _root("region_mean_squared_error"), "lower",
        "root mean square error of the ensemble mean's regional mean",
        "sqrt(mean over initial times of (area mean of (mean_i x_i - y))^2)", nan_and_ties=_ALIKE, family="physical"),
    "region_mean_spread": Metric(
        ("region_mean_variance",), _root("region_mean_variance"), "none", "spread of members' regional means",
        "sqrt(mean over initial times of the variance of the area mean of x_i), divisor M - 1", minimum_members=2,
        nan_and_ties=_ALIKE, family="physical"),
    "rms": Metric(
        ("physical_square",), _root("physical_square"), "none", "root mean square of members' values",
        "sqrt(mean x_i^2)", nan_and_ties=_ALIKE, family="physical"),
    "rms_of_truth": Metric(
        ("physical_truth_square",), _root("physical_truth_square"), "none", "root mean square of the truth",
        "sqrt(mean y^2)", nan_and_ties=_ALIKE, family="physical"),
    "rms_ratio": Metric(
        ("physical_square", "physical_truth_square"), _rms_ratio, "one",
        "root mean square of members' values over the truth's",
        "sqrt(mean x_i^2 / mean y^2); of the ageostrophic wind, how far members are out of geostrophic balance",
        units="1", nan_and_ties=f"{_ALIKE}; NaN where the truth is zero", family="physical"),
}  # fmt: skip
