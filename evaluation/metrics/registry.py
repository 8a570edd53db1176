"""The registries: STATISTICS, averaged over points and times, and METRICS, computed from their means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from data_pipeline.errors import ScoreError
from evaluation.metrics import crps, moments

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from evaluation.metrics.forms import Floats, Forecast

Statistic: TypeAlias = "Callable[[Forecast], Floats]"
Means: TypeAlias = "Mapping[str, Floats]"

STATISTICS: dict[str, Statistic] = {
    "crps": crps.crps,
    "standard_crps": crps.standard_crps,
    "error": moments.error,
    "absolute_error": moments.absolute_error,
    "squared_error": moments.squared_error,
    "variance": moments.variance,
    "expected_squared_error": moments.expected_squared_error,
    "missing": moments.missing,
}


@dataclass(frozen=True)
class Metric:
    """A score: the statistics whose means it needs and the function of them that it is.

    ``direction`` is what a better forecast's value tends to: ``lower``, ``zero``, ``one``, or ``none``.
    """

    statistics: tuple[str, ...]
    finalise: Callable[[Means], Floats]
    direction: Literal["lower", "zero", "one", "none"]
    summary: str
    formula: str
    units: Literal["variable", "1"] = "variable"
    minimum_members: int = 1


def _mean(statistic: str) -> Callable[[Means], Floats]:
    return lambda means: means[statistic]


def _root(statistic: str) -> Callable[[Means], Floats]:
    return lambda means: np.sqrt(means[statistic])


def _spread_skill(means: Means) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):  # without error the ratio is infinite or undefined
        return np.sqrt(means["expected_squared_error"] / means["squared_error"])


METRICS: dict[str, Metric] = {
    "crps": Metric(
        ("crps",), _mean("crps"), "lower", "fair continuous ranked probability score",
        "ensemble: mean|x_i - y| - sum|x_i - x_j| / (2 M (M - 1)), Ferro 2014 doi:10.1002/qj.2270; "
        "climatology: normal distribution, Gneiting et al. 2005 doi:10.1175/MWR2904.1 eq. 5; persistence: |x - y|",
        minimum_members=2),
    "standard_crps": Metric(
        ("standard_crps",), _mean("standard_crps"), "lower", "continuous ranked probability score of the members",
        "ensemble: mean|x_i - y| - sum|x_i - x_j| / (2 M^2), Gneiting and Raftery 2007 doi:10.1198/016214506000001437"),
    "rmse": Metric(
        ("squared_error",), _root("squared_error"), "lower", "root mean square error of the ensemble mean",
        "sqrt(mean (mean_i x_i - y)^2), the root taken after averaging over area and initial times"),
    "mae": Metric(
        ("absolute_error",), _mean("absolute_error"), "lower", "mean absolute error of the ensemble mean",
        "mean |mean_i x_i - y|"),
    "spread": Metric(
        ("variance",), _root("variance"), "none", "ensemble spread",
        "sqrt(mean variance), variance with divisor M - 1, the root taken after averaging", minimum_members=2),
    "spread_skill": Metric(
        ("expected_squared_error", "squared_error"), _spread_skill, "one", "spread/skill ratio",
        "sqrt((M + 1)/M mean variance) / RMSE of the mean, Fortin et al. 2014 doi:10.1175/JHM-D-14-0008.1",
        units="1", minimum_members=2),
    "bias": Metric(
        ("error",), _mean("error"), "zero", "mean error of the ensemble mean", "mean (mean_i x_i - y)"),
    "missing": Metric(
        ("missing",), _mean("missing"), "zero", "share of forecast values that are missing where the truth is not",
        "mean of (NaN or infinite)", units="1"),
}  # fmt: skip

DEFAULT_METRICS = ("crps", "rmse", "spread", "spread_skill", "bias")


def metric(name: str) -> Metric:
    """The metric called ``name``; a ScoreError lists those that exist.

    >>> metric("rmse").statistics
    ('squared_error',)
    """
    try:
        return METRICS[name]
    except KeyError:
        raise ScoreError(f"unknown metric {name!r}; expected one of: {', '.join(METRICS)}") from None


def needed_statistics(metrics: Sequence[str]) -> tuple[str, ...]:
    """The statistics that ``metrics`` need, each once, and always the count of missing values.

    >>> needed_statistics(["rmse", "spread_skill"])
    ('squared_error', 'expected_squared_error', 'missing')
    """
    return tuple(dict.fromkeys([*(name for key in metrics for name in metric(key).statistics), "missing"]))
