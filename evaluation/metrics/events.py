"""Scores of the probabilities of events: Brier score, its skill, ranked probability score; standard and fair."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
import xarray as xr

from evaluation.metrics.definitions import Metric, mean_of
from evaluation.metrics.exceedance import CLIMATE_QUANTILES, TERCILES, THRESHOLDS
from evaluation.metrics.forms import Ensemble

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from evaluation.metrics.definitions import Means, Sample, Statistic
    from evaluation.metrics.exceedance import Events, Forecasted
    from evaluation.metrics.forms import Floats

Needs: TypeAlias = frozenset[Literal["climate", "quantiles", "thresholds", "ensemble"]]


ROUNDING = 1e-12
"""What a reference score may be by rounding where it is zero; skill against it is unknown."""


def brier_score(probability: Floats, happened: NDArray[np.bool_]) -> Floats:
    """``(p - o)^2``, o being 1 if the event happened and 0 if not (Brier 1950, half of his two-category sum).

    >>> brier_score(np.array([0.75]), np.array([True])).tolist()
    [0.0625]
    """
    return np.square(probability - happened)


def fair_brier_score(probability: Floats, happened: NDArray[np.bool_], size: int) -> Floats:
    """``(k/M - o)^2 - k (M - k) / (M^2 (M - 1))`` of k of M members: unbiased at any ensemble size.

    Ferro 2014 (doi:10.1002/qj.2270). It can be negative. NaN for one member (0/0).

    >>> fair_brier_score(np.array([0.5]), np.array([True]), 2).tolist()
    [0.0]
    """
    if size < 2:
        return np.full_like(probability, np.nan)
    return brier_score(probability, happened) - probability * (1 - probability) / (size - 1)


def _brier(_: Sample, events: Forecasted) -> Floats:
    return brier_score(events.probability, events.happened)


def _fair_brier(sample: Sample, events: Forecasted) -> Floats:
    if not isinstance(sample.forecast, Ensemble):
        return _brier(sample, events)
    return fair_brier_score(events.probability, events.happened, sample.forecast.size)


def _frequency(_: Sample, events: Forecasted) -> Floats:
    """Whether the event happened, where the forecast counts: so that score and reference are of the same points."""
    return np.where(np.isnan(events.probability), np.nan, events.happened.astype(np.float64))


def _statistics(events: Events) -> dict[str, Statistic]:
    return {
        f"{events.prefix}brier_score": events.statistic(_brier),
        f"{events.prefix}fair_brier_score": events.statistic(_fair_brier),
        f"{events.prefix}event_frequency": events.statistic(_frequency),
    }


STATISTICS: dict[str, Statistic] = {
    **_statistics(THRESHOLDS), **_statistics(CLIMATE_QUANTILES), **_statistics(TERCILES),
}  # fmt: skip


def _skill(
    score: str, frequency: str, reference: Callable[[xr.DataArray], xr.DataArray]
) -> Callable[[Means], xr.DataArray]:
    def skill(means: Means) -> xr.DataArray:
        base = reference(means[frequency])
        return 1 - means[score] / base.where(base > ROUNDING)

    return skill


def constant_forecast(frequency: xr.DataArray) -> xr.DataArray:
    """Mean Brier score of always forecasting the frequency itself: ``obar (1 - obar)``."""
    return frequency * (1 - frequency)


def nominal_forecast(frequency: xr.DataArray) -> xr.DataArray:
    """Mean Brier score of always forecasting the probability that the climatology's quantile stands for."""
    level = frequency["climate_quantile"]
    return _of_nominal(frequency, level.where(level < 0.5, 1 - level))


def _of_nominal(frequency: xr.DataArray, probability: xr.DataArray) -> xr.DataArray:
    return frequency * (1 - probability) ** 2 + (1 - frequency) * probability**2


def _sum_over(statistic: str, axis: str) -> Callable[[Means], xr.DataArray]:
    def total(means: Means) -> xr.DataArray:
        found = means[statistic].sum(axis, skipna=False)
        return found if means[statistic].sizes[axis] else xr.full_like(found, np.nan)  # not the perfect sum of nothing

    return total


def _tercile_skill(score: str) -> Callable[[Means], xr.DataArray]:
    def skill(means: Means) -> xr.DataArray:
        frequency = means["tercile_event_frequency"]
        reference = _of_nominal(frequency, 1 - frequency["tercile"]).sum("tercile", skipna=False)
        return 1 - means[score].sum("tercile", skipna=False) / reference.where(reference > ROUNDING)

    return skill


_BRIER = "(p - o)^2, p = k/M of M members, Brier 1950 doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2"
_FAIR = "(k/M - o)^2 - k (M - k) / (M^2 (M - 1)), Ferro 2014 doi:10.1002/qj.2270"
_RANKED = (
    "sum over category bounds of the (fair) Brier score of exceeding, not divided by their number; Epstein 1969 "
    "doi:10.1175/1520-0450(1969)008<0985:ASSFPF>2.0.CO;2, fair: Ferro 2014 doi:10.1002/qj.2270"
)


_NO_TIES = "a missing member makes the average NaN; a value on the threshold is no event"
_score = partial(Metric, units="1", nan_and_ties=_NO_TIES, family="events")


def _brier_metrics(
    events: Events, what: str, reference: Callable[[xr.DataArray], xr.DataArray], skill: str, needs: Needs
) -> dict[str, Metric]:
    """Those that thresholds and quantiles of the climatology share."""
    standard, fair, frequency = _statistics(events)
    return {
        standard: _score((standard,), mean_of(standard), "lower", f"Brier score of values {what}", _BRIER, needs=needs),
        fair: _score(
            (fair,), mean_of(fair), "lower", f"fair Brier score of values {what}", _FAIR, minimum_members=2,
            needs=needs),
        f"{events.prefix}brier_skill_score": _score(
            (standard, frequency), _skill(standard, frequency, reference), "higher",
            f"Brier skill score of values {what}", f"1 - BS / {skill}", needs=needs),
        f"{events.prefix}fair_brier_skill_score": _score(
            (fair, frequency), _skill(fair, frequency, reference), "higher",
            f"fair Brier skill score of values {what}", f"1 - fair BS / {skill}", minimum_members=2, needs=needs),
        frequency: _score(
            (frequency,), mean_of(frequency), "none", f"observed frequency of values {what}", "mean o", needs=needs),
    }  # fmt: skip


def _ranked_metrics(fair: str, minimum_members: int) -> dict[str, Metric]:
    """Ranked probability scores, of standard ("") or "fair" Brier scores."""
    prefix = f"{fair}_" if fair else ""
    name = f"{fair} ranked probability".strip()
    score = f"tercile_{prefix}brier_score"
    entry = partial(_score, minimum_members=minimum_members)
    return {
        f"{prefix}ranked_probability_score": entry(
            (f"{prefix}brier_score",), _sum_over(f"{prefix}brier_score", "threshold"), "lower",
            f"{name} score of the categories that thresholds bound", _RANKED, needs=_THRESHOLDS),
        f"{prefix}tercile_ranked_probability_score": entry(
            (score,), _sum_over(score, "tercile"), "lower", f"{name} score of the climatology's terciles", _RANKED,
            needs=_CLIMATE),
        f"{prefix}tercile_ranked_probability_skill_score": entry(
            (score, "tercile_event_frequency"), _tercile_skill(score), "higher",
            f"{name} skill score of the climatology's terciles", "1 - RPS / RPS of one third each", needs=_CLIMATE),
    }  # fmt: skip


_THRESHOLDS: Needs = frozenset({"thresholds"})
_CLIMATE: Needs = frozenset({"climate", "quantiles"})
METRICS: dict[str, Metric] = {
    **_brier_metrics(
        THRESHOLDS, "above thresholds", constant_forecast,
        "(obar (1 - obar)), obar the frequency in the same region and period, of all places there taken together",
        _THRESHOLDS),
    **_brier_metrics(
        CLIMATE_QUANTILES, "beyond quantiles of the climatology (below those under 0.5)", nominal_forecast,
        "(mean (c - o)^2), c the probability that the quantile stands for", _CLIMATE),
    **_ranked_metrics("", 1),
    **_ranked_metrics("fair", 2),
}  # fmt: skip
