"""The scores that every verification begins with: CRPS, errors of the mean, spread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evaluation.metrics import crps, moments
from evaluation.metrics.definitions import Metric, PointStatistic, Statistic, mean_of, of_forecast

if TYPE_CHECKING:
    from collections.abc import Callable

    import xarray as xr

    from evaluation.metrics.definitions import Means

STATISTICS: dict[str, Statistic] = {
    "crps": of_forecast(crps.crps),
    "standard_crps": of_forecast(crps.standard_crps),
    "almost_fair_crps": PointStatistic(lambda sample: crps.almost_fair_crps(sample.forecast, sample.settings.alpha)),
    "error": of_forecast(moments.error),
    "absolute_error": of_forecast(moments.absolute_error),
    "squared_error": of_forecast(moments.squared_error),
    "variance": of_forecast(moments.variance),
    "expected_squared_error": of_forecast(moments.expected_squared_error),
    "missing": of_forecast(moments.missing),
}


def _root(statistic: str) -> Callable[[Means], xr.DataArray]:
    return lambda means: means[statistic] ** 0.5


def _spread_skill(means: Means) -> xr.DataArray:
    return (means["expected_squared_error"] / means["squared_error"]) ** 0.5  # infinite or NaN without error


METRICS: dict[str, Metric] = {
    "crps": Metric(
        ("crps",), mean_of("crps"), "lower", "fair continuous ranked probability score",
        "ensemble: mean|x_i - y| - sum|x_i - x_j| / (2 M (M - 1)), Ferro 2014 doi:10.1002/qj.2270; "
        "climatology: normal distribution, Gneiting et al. 2005 doi:10.1175/MWR2904.1; persistence: |x - y|",
        minimum_members=2),
    "standard_crps": Metric(
        ("standard_crps",), mean_of("standard_crps"), "lower", "continuous ranked probability score of the members",
        "ensemble: mean|x_i - y| - sum|x_i - x_j| / (2 M^2), Gneiting and Raftery 2007 doi:10.1198/016214506000001437"),
    "almost_fair_crps": Metric(
        ("almost_fair_crps",), mean_of("almost_fair_crps"), "lower", "almost fair continuous ranked probability score",
        "mean|x_i - y| - (1 - (1 - alpha)/M) sum|x_i - x_j| / (2 M (M - 1)), Lang et al. 2024 arXiv:2412.15832 eq. 4",
        minimum_members=2),
    "rmse": Metric(
        ("squared_error",), _root("squared_error"), "lower", "root mean square error of the ensemble mean",
        "sqrt(mean (mean_i x_i - y)^2), the root taken after averaging over area and initial times"),
    "mae": Metric(
        ("absolute_error",), mean_of("absolute_error"), "lower", "mean absolute error of the ensemble mean",
        "mean |mean_i x_i - y|"),
    "spread": Metric(
        ("variance",), _root("variance"), "none", "ensemble spread",
        "sqrt(mean variance), variance with divisor M - 1, the root taken after averaging", minimum_members=2),
    "spread_skill": Metric(
        ("expected_squared_error", "squared_error"), _spread_skill, "one", "spread/skill ratio",
        "sqrt((M + 1)/M mean variance) / RMSE of the mean, Fortin et al. 2014 doi:10.1175/JHM-D-14-0008.1",
        units="1", minimum_members=2),
    "bias": Metric(
        ("error",), mean_of("error"), "zero", "mean error of the ensemble mean", "mean (mean_i x_i - y)"),
    "missing": Metric(
        ("missing",), mean_of("missing"), "zero", "share of forecast values that are missing where the truth is not",
        "mean of (NaN or infinite)", units="1"),
}  # fmt: skip
