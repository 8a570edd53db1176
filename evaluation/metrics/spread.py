"""Spread beside error: of members, by each definition in use, as a correlation, and in bins of spread."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evaluation.metrics.definitions import FieldStatistic, Metric, PointStatistic, Statistic, mean_of
from evaluation.metrics.forms import Ensemble, Gaussian, Point
from evaluation.metrics.moments import expected_squared_error, squared_error
from evaluation.metrics.spread_error import (
    bins_of_spread,
    both_positive,
    log_squared_error,
    log_variance,
    member_absolute_error,
    member_squared_error,
    pearson,
    spread_times_error,
    standard_deviation,
    unbiased_squared_error,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import xarray as xr
    from numpy.typing import NDArray

    from evaluation.metrics.definitions import Direction, Means, Sample
    from evaluation.metrics.forms import Floats, Forecast


def _of(function: Callable[[Forecast], Floats], *forms: type) -> PointStatistic:
    return PointStatistic(lambda sample: function(sample.forecast), forms=forms or (Ensemble, Gaussian))


def _binned(of: Callable[[Forecast], Floats]) -> FieldStatistic:
    """What the points of each bin add to the mean over a region; NaN in all bins if it is at a point."""

    def shares(sample: Sample, weights: Floats) -> Floats:
        edges, inside = sample.settings.spread_edges, weights > 0
        std = np.full(weights.shape, np.nan) if sample.climate is None else sample.climate.std
        values = of(sample.forecast)[inside] * weights[inside]
        if not inside.any() or np.isnan(values).any() or np.isnan(std[inside]).any():
            return np.full(len(edges) + 1, np.nan)
        scale = np.sqrt(np.average(std[inside] ** 2, weights=weights[inside]))
        bins = bins_of_spread(sample.forecast, float(scale), edges)[inside]
        return np.asarray(np.bincount(bins, values, minlength=len(edges) + 1) / weights.sum())

    return FieldStatistic(shares, axes=_lower_edges, forms=(Ensemble, Gaussian))


def _lower_edges(sample: Sample) -> dict[str, NDArray[np.generic]]:
    return {"relative_spread": np.array([0.0, *sample.settings.spread_edges])}


def _one(forecast: Forecast) -> Floats:
    """1, NaN where there is no spread to sort by."""
    return 1.0 + 0.0 * standard_deviation(forecast)


STATISTICS: dict[str, Statistic] = {
    "member_rmse_squared": _of(member_squared_error, Ensemble, Point),
    "member_mae": _of(member_absolute_error, Ensemble, Point),
    "unbiased_rmse_squared": _of(unbiased_squared_error, Ensemble, Gaussian, Point),
    "mean_spread": _of(standard_deviation),
    "spread_error_product": _of(spread_times_error),
    "log_spread_error_share": _of(both_positive),
    "log_spread_error_spread": _of(log_variance),
    "log_spread_error_error": _of(log_squared_error),
    "log_spread_error_spread_squared": _of(lambda forecast: np.square(log_variance(forecast))),
    "log_spread_error_error_squared": _of(lambda forecast: np.square(log_squared_error(forecast))),
    "log_spread_error_product": _of(lambda forecast: log_variance(forecast) * log_squared_error(forecast)),
    "binned_share": _binned(_one),
    "binned_spread_squared": _binned(expected_squared_error),
    "binned_rmse_squared": _binned(squared_error),
}


def _root(statistic: str) -> Callable[[Means], xr.DataArray]:
    return lambda means: means[statistic].where(means[statistic] >= 0) ** 0.5


def _ratio(spread: str, error: str) -> Callable[[Means], xr.DataArray]:
    """Root of the ratio of two mean squares; infinite without error, NaN if the latter is negative or both are zero."""
    return lambda means: (means[spread] / means[error].where(means[error] >= 0)) ** 0.5


def _mean_std_over_rmse(means: Means) -> xr.DataArray:
    return means["mean_spread"] / means["squared_error"] ** 0.5


def _correlation(means: Means) -> xr.DataArray:
    return pearson(
        means["spread_error_product"],
        (means["mean_spread"], means["absolute_error"]),
        (means["variance"], means["squared_error"]),
    )


def _log_correlation(means: Means) -> xr.DataArray:
    share = means["log_spread_error_share"]
    own = {name: means[f"log_spread_error_{name}"] / share.where(share > 0) for name in _LOGARITHMS}
    return pearson(own["product"], (own["spread"], own["error"]), (own["spread_squared"], own["error_squared"]))


def _in_bin(statistic: str) -> Callable[[Means], xr.DataArray]:
    """The root of a mean square over the points of each bin; NaN in an empty one."""
    return lambda means: (means[statistic] / means["binned_share"].where(means["binned_share"] > 0)) ** 0.5


_LOGARITHMS = ("product", "spread", "error", "spread_squared", "error_squared")
_CORRELATED = ("spread_error_product", "mean_spread", "absolute_error", "variance", "squared_error")
_CONSTANT = "a missing member makes the average NaN, and so does spread or error that is the same everywhere"
_BINS = (
    "in bins of s, whose edges are the setting spread_edges times the climatology's standard deviation over the region"
)
_LEUTBECHER = "Leutbecher and Palmer 2008 doi:10.1016/j.jcp.2007.02.014"


def _entry(statistics: tuple[str, ...], finalise: Callable[[Means], xr.DataArray], direction: Direction, summary: str,
           formula: str, units: str = "variable", minimum: int = 2) -> Metric:  # fmt: skip
    return Metric(statistics, finalise, direction, summary, formula, units, minimum, family="spread")


def _correlation_entry(statistics: tuple[str, ...], finalise: Callable[[Means], xr.DataArray], summary: str,
                       formula: str) -> Metric:  # fmt: skip
    return Metric(statistics, finalise, "higher", summary, formula, "1", 2, nan_and_ties=_CONSTANT, family="spread")


def _binned_entry(statistics: tuple[str, ...], finalise: Callable[[Means], xr.DataArray], direction: Direction,
                  summary: str, formula: str, units: str = "variable") -> Metric:  # fmt: skip
    return Metric(statistics, finalise, direction, summary, f"{formula}, {_BINS}; {_LEUTBECHER}", units, 2,
                  frozenset({"climate"}), "a missing member makes all bins NaN; an edge is in the bin above it",
                  "spread")  # fmt: skip


METRICS: dict[str, Metric] = {
    "member_rmse": _entry(
        ("member_rmse_squared",), _root("member_rmse_squared"), "lower", "root mean square error of single members",
        "sqrt(mean of mean_i (x_i - y)^2)", minimum=1),
    "member_mae": _entry(
        ("member_mae",), mean_of("member_mae"), "lower", "mean absolute error of single members",
        "mean of mean_i |x_i - y|", minimum=1),
    "unbiased_rmse": _entry(
        ("unbiased_rmse_squared",), _root("unbiased_rmse_squared"), "lower",
        "root mean square error that the mean of infinitely many members would have",
        "sqrt(mean of (mean_i x_i - y)^2 - s^2/M)"),
    "mean_spread": _entry(
        ("mean_spread",), mean_of("mean_spread"), "none", "mean of the standard deviations",
        "mean s, s^2 with divisor M - 1; never more than spread, the root of the mean variance"),
    "spread_skill_uncorrected": _entry(
        ("variance", "squared_error"), _ratio("variance", "squared_error"), "one",
        "spread/skill ratio without the correction for M members",
        "sqrt(mean s^2) / RMSE of the mean; sqrt(M/(M + 1)) for a reliable ensemble", "1"),
    "spread_skill_unbiased": _entry(
        ("variance", "unbiased_rmse_squared"), _ratio("variance", "unbiased_rmse_squared"), "one",
        "spread/skill ratio against the unbiased error", "sqrt(mean s^2 / mean((mean_i x_i - y)^2 - s^2/M))", "1"),
    "spread_skill_of_mean_spread": _entry(
        ("mean_spread", "squared_error"), _mean_std_over_rmse, "one", "mean standard deviation over error",
        "mean s / RMSE of the mean; below 1 for a reliable ensemble", "1"),
    "spread_error_correlation": _correlation_entry(
        _CORRELATED, _correlation, "correlation of spread and absolute error",
        "correlation over area and times of s and |mean_i x_i - y|, Whitaker and Loughe 1998 "
        "doi:10.1175/1520-0493(1998)126<3292:TRBESA>2.0.CO;2"),
    "log_spread_error_correlation": _correlation_entry(
        tuple(f"log_spread_error_{name}" for name in ("share", *_LOGARITHMS)), _log_correlation,
        "correlation of the logarithms of variance and squared error",
        "correlation over area and times of log s^2 and log (mean_i x_i - y)^2, without points where either is zero"),
    "binned_spread": _binned_entry(
        ("binned_spread_squared", "binned_share"), _in_bin("binned_spread_squared"), "none", "expected error by spread",
        "sqrt((M + 1)/M mean s^2)"),
    "binned_rmse": _binned_entry(
        ("binned_rmse_squared", "binned_share"), _in_bin("binned_rmse_squared"), "none",
        "root mean square error of the mean by spread", "sqrt(mean (mean_i x_i - y)^2)"),
    "binned_spread_skill": _binned_entry(
        ("binned_spread_squared", "binned_rmse_squared"), _ratio("binned_spread_squared", "binned_rmse_squared"), "one",
        "spread/skill ratio by spread", "binned_spread / binned_rmse", "1"),
    "binned_share": _binned_entry(
        ("binned_share",), mean_of("binned_share"), "none", "share of the area by spread", "share of area and times",
        "1"),
}  # fmt: skip
