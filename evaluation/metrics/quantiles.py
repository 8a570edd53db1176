"""Scores of quantiles of a forecast and of the central intervals between them; errors of the median.

Quantiles of an ensemble are interpolated linearly between its sorted members: level tau lies at place
``(M - 1) tau`` counted from 0 (type 7 of Hyndman and Fan 1996, doi:10.1080/00031305.1996.10473566, numpy's default).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

import numpy as np
from scipy.special import ndtri

from evaluation.metrics.definitions import Metric, PointStatistic, mean_of
from evaluation.metrics.forms import Ensemble, Gaussian, Point
from evaluation.metrics.once import once

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from evaluation.metrics.definitions import Sample, Statistic
    from evaluation.metrics.forms import Floats, Forecast


def quantile_errors(forecast: Forecast, levels: Sequence[float]) -> Floats:
    """Quantiles minus the observation (level, ...); a single value is all its quantiles.

    >>> quantile_errors(Ensemble.of([[1.0], [5.0], [2.0]], [2.0]), [0.5, 0.75]).tolist()
    [[0.0], [1.5]]
    """
    match forecast:
        case Ensemble():
            return _interpolated(forecast, levels)
        case Gaussian():
            std = np.where(forecast.std >= 0, forecast.std, np.nan)
            return np.asarray([forecast.error + float(ndtri(level)) * std for level in levels])
        case Point():
            return np.broadcast_to(forecast.error, (len(levels), *forecast.error.shape)).copy()
        case _:
            assert_never(forecast)


def _interpolated(ensemble: Ensemble, levels: Sequence[float]) -> Floats:
    deviations = ensemble.sorted
    finite = np.isfinite(deviations.min(axis=0)) & np.isfinite(deviations.max(axis=0))  # both are NaN if a member is
    found = np.empty((len(levels), *finite.shape))
    for number, level in enumerate(levels):
        place = (ensemble.size - 1) * level
        lower = min(int(place), max(ensemble.size - 2, 0))
        upper = min(lower + 1, ensemble.size - 1)
        share = place - lower
        with np.errstate(invalid="ignore"):  # infinite members, NaN in the end
            row = deviations[lower].astype(np.float64) * (1 - share) + deviations[upper].astype(np.float64) * share
        found[number] = np.where(finite, row, np.nan)
    return found


def quantile_score(error: Floats, level: float) -> Floats:
    """``(1{y <= q} - tau) (q - y)`` of the error ``q - y`` of a quantile of level tau (pinball loss).

    Gneiting and Raftery 2007 (doi:10.1198/016214506000001437), section 6, with the sign of a loss and without a factor
    2: the CRPS is twice its integral over all levels.

    >>> quantile_score(np.array([-1.0, 1.0]), 0.9).round(6).tolist()
    [0.9, 0.1]
    """
    return np.where(error >= 0, (1 - level) * error, -level * error)


def interval_score(lower: Floats, upper: Floats, coverage: float) -> Floats:
    """``(u - l) + 2/alpha (l - y)+ + 2/alpha (y - u)+`` of the errors of both ends, alpha = 1 - coverage.

    Winkler 1972 (doi:10.1080/01621459.1972.10481224); Gneiting and Raftery 2007, eq. 43.

    >>> interval_score(np.array([-1.0, 1.0]), np.array([1.0, 2.0]), 0.5).tolist()
    [2.0, 5.0]
    """
    outside = np.maximum(lower, 0) + np.maximum(-upper, 0)
    return np.asarray((upper - lower) + 2 / (1 - coverage) * outside)


def central_intervals(levels: Sequence[float]) -> dict[float, tuple[int, int]]:
    """Coverage of each central interval that the levels make, with the places of its ends among them.

    >>> central_intervals([0.05, 0.1, 0.25, 0.5, 0.75, 0.95])
    {0.9: (0, 5), 0.5: (2, 4)}
    """
    found = {}
    for place, level in enumerate(levels):
        partners = [other for other, high in enumerate(levels) if abs(level + high - 1) < 1e-9]
        if level < 0.5 and partners:
            found[round(1 - 2 * level, 10)] = (place, partners[0])
    return found


@once
def _errors(sample: Sample) -> Floats:
    return quantile_errors(sample.forecast, sample.settings.quantile_levels)


@once
def _median_error(sample: Sample) -> Floats:
    levels = sample.settings.quantile_levels
    if 0.5 not in levels:
        return np.asarray(quantile_errors(sample.forecast, [0.5])[0])
    return np.asarray(_errors(sample)[levels.index(0.5)])


def _quantile_scores(sample: Sample) -> Floats:
    pairs = zip(_errors(sample), sample.settings.quantile_levels, strict=True)
    return np.asarray([quantile_score(error, level) for error, level in pairs])


def _frequency_below(sample: Sample) -> Floats:
    """Whether the observation is at or below each quantile."""
    errors = _errors(sample)
    return np.where(np.isnan(errors), np.nan, (errors >= 0).astype(np.float64))


def _intervals(sample: Sample) -> list[tuple[float, Floats, Floats]]:
    """Coverage, and the errors of the lower and the upper end, of each interval."""
    errors, intervals = _errors(sample), central_intervals(sample.settings.quantile_levels)
    return [(coverage, errors[lower], errors[upper]) for coverage, (lower, upper) in intervals.items()]


def _interval_scores(sample: Sample) -> Floats:
    return _stacked([interval_score(low, high, coverage) for coverage, low, high in _intervals(sample)], sample)


def _interval_widths(sample: Sample) -> Floats:
    return _stacked([high - low for _, low, high in _intervals(sample)], sample)


def _interval_coverage(sample: Sample) -> Floats:
    """Whether the observation is in the interval, both ends included."""
    inside = [np.where(np.isnan(low + high), np.nan, ((low <= 0) & (high >= 0)).astype(np.float64))
              for _, low, high in _intervals(sample)]  # fmt: skip
    return _stacked(inside, sample)


def _stacked(fields: list[Floats], sample: Sample) -> Floats:
    return np.reshape(fields, (len(fields), *sample.forecast.observation.shape)).astype(np.float64)


def _levels(sample: Sample) -> dict[str, NDArray[np.generic]]:
    return {"quantile_level": np.asarray(sample.settings.quantile_levels)}


def _coverages(sample: Sample) -> dict[str, NDArray[np.generic]]:
    return {"interval": np.asarray(list(central_intervals(sample.settings.quantile_levels)), dtype=np.float64)}


STATISTICS: dict[str, Statistic] = {
    "quantile_score": PointStatistic(_quantile_scores, _levels),
    "quantile_frequency": PointStatistic(_frequency_below, _levels),
    "interval_score": PointStatistic(_interval_scores, _coverages),
    "interval_width": PointStatistic(_interval_widths, _coverages),
    "interval_coverage": PointStatistic(_interval_coverage, _coverages),
    "median_error": PointStatistic(_median_error),
    "median_absolute_error": PointStatistic(lambda sample: np.abs(_median_error(sample))),
}

_TYPE_7 = "quantiles interpolated linearly between sorted members (type 7, Hyndman and Fan 1996)"
METRICS: dict[str, Metric] = {
    "quantile_score": Metric(
        ("quantile_score",), mean_of("quantile_score"), "lower", "quantile (pinball) score",
        "(1{y <= q} - tau) (q - y), Gneiting and Raftery 2007 doi:10.1198/016214506000001437 without a factor "
        f"2; {_TYPE_7}", family="quantiles"),
    "quantile_frequency": Metric(
        ("quantile_frequency",), mean_of("quantile_frequency"), "none", "frequency of observations up to a quantile",
        f"mean 1{{y <= q}}; {_TYPE_7}", units="1", nan_and_ties="an observation on the quantile counts",
        family="quantiles"),
    "interval_score": Metric(
        ("interval_score",), mean_of("interval_score"), "lower", "interval (Winkler) score of central intervals",
        "(u - l) + 2/alpha (l - y)+ + 2/alpha (y - u)+, alpha = 1 - coverage, Gneiting and Raftery 2007 "
        f"doi:10.1198/016214506000001437 eq. 43; {_TYPE_7}", family="quantiles"),
    "interval_width": Metric(
        ("interval_width",), mean_of("interval_width"), "none", "width of central intervals", f"u - l; {_TYPE_7}",
        family="quantiles"),
    "interval_coverage": Metric(
        ("interval_coverage",), mean_of("interval_coverage"), "none", "frequency of observations in central intervals",
        f"mean 1{{l <= y <= u}}; {_TYPE_7}", units="1", nan_and_ties="an observation on an end is inside",
        family="quantiles"),
    "median_bias": Metric(
        ("median_error",), mean_of("median_error"), "zero", "mean error of the median", f"mean (m - y); {_TYPE_7}",
        family="quantiles"),
    "median_mae": Metric(
        ("median_absolute_error",), mean_of("median_absolute_error"), "lower", "mean absolute error of the median",
        f"mean |m - y|; {_TYPE_7}", family="quantiles"),
}  # fmt: skip
