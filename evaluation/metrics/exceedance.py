"""Events: a value above (``>``) a threshold, or beyond a quantile of the climatology, and their forecast probability.

A value on the threshold is no event. Thresholds are rounded to the precision of the data first, each side to its own,
so that 0.001 stored in float32 is not above 0.001. A forecast of a missing member has no probability (NaN), and neither
has an event whose threshold is missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

import numpy as np
from scipy.special import ndtr

from evaluation.metrics.definitions import PointStatistic
from evaluation.metrics.forms import Ensemble, Gaussian, Point
from evaluation.metrics.once import once
from evaluation.metrics.summary import ranks

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from numpy.typing import NDArray

    from evaluation.metrics.definitions import Sample
    from evaluation.metrics.forms import Floats, Forecast, Numbers

    Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Forecasted:
    """Events (event, latitude, longitude): how probable each was said to be, and whether it happened."""

    probability: Floats
    happened: Flags


@dataclass(frozen=True)
class Events:
    """A kind of events: its prefix to names of scores, the axis along which they lie, their labels and forecasts."""

    prefix: str
    axis: str
    labels: Callable[[Sample], Floats]
    of: Callable[[Sample], Forecasted]

    def axes(self, sample: Sample) -> dict[str, NDArray[np.generic]]:
        """The axis with its labels."""
        return {self.axis: self.labels(sample)}

    def statistic(self, function: Callable[[Sample, Forecasted], Floats]) -> PointStatistic:
        """The statistic that a function of sample and events (event, latitude, longitude) is."""
        return PointStatistic(lambda sample: function(sample, self.of(sample)), self.axes)


def probabilities(forecast: Forecast, limits: Floats, *, falling: bool = False) -> Floats:
    """Probability of a value above (``>``), or if ``falling`` below (``<``), limits of the observation's shape.

    The share k/M of an ensemble's members, the tail of a normal distribution, 0 or 1 of a single value.

    >>> probabilities(Ensemble.of([[1.0], [2.0], [3.0], [4.0]], [0.0]), np.array([2.0])).tolist()
    [0.5]
    """
    match forecast:
        case Ensemble():
            share = members_beyond(forecast, limits, falling=falling) / forecast.size
            return np.where(np.isnan(forecast.summary.error), np.nan, share)
        case Gaussian():
            return _tail(forecast, limits, falling=falling)
        case Point():
            rounded = _rounded(limits, forecast.observation).astype(np.float64)
            excess = forecast.error + (forecast.observation - rounded)
            beyond = excess < 0 if falling else excess > 0
            return np.where(np.isnan(excess), np.nan, beyond.astype(np.float64))
        case _:
            assert_never(forecast)


def members_beyond(ensemble: Ensemble, limits: Floats, *, falling: bool) -> NDArray[np.int32]:
    """The number of members above (or below) the limits."""
    below, equal = ranks(ensemble.members, _rounded(limits, ensemble.members))
    return below if falling else np.asarray(ensemble.size - below - equal, dtype=np.int32)


def beyond(values: Numbers, limits: Floats, *, falling: bool = False) -> Flags:
    """Whether values are above (or below) the limits; never where one is NaN."""
    rounded = _rounded(limits, values)
    return np.asarray(values < rounded if falling else values > rounded)


def _rounded(limits: Floats, data: NDArray[Any]) -> Numbers:
    """The limits in the precision of the data."""
    return limits.astype(np.result_type(data.dtype, np.float32))


def _tail(gaussian: Gaussian, limits: Floats, *, falling: bool) -> Floats:
    """``Phi((mean - limit) / std)``, or of the other sign; without width 0 or 1."""
    above = gaussian.error + (gaussian.observation - limits)
    excess = -above if falling else above
    with np.errstate(divide="ignore", invalid="ignore"):
        tail = ndtr(excess / gaussian.std)
    certain = np.where(np.isnan(excess), np.nan, (excess > 0).astype(np.float64))
    return np.where(gaussian.std > 0, tail, np.where(gaussian.std == 0, certain, np.nan))


def _events(sample: Sample, limits: Floats, falling: Flags) -> Forecasted:
    """Events of limits (event, latitude, longitude), each rising or falling."""
    forecast, shape = sample.forecast, (len(limits), *sample.forecast.observation.shape)
    probability, happened = np.empty(shape), np.empty(shape, dtype=bool)
    for event, (limit, down) in enumerate(zip(limits, falling.tolist(), strict=True)):
        said = probabilities(forecast, limit, falling=down)
        probability[event] = np.where(np.isnan(limit), np.nan, said)
        happened[event] = beyond(forecast.observation, limit, falling=down)
    return Forecasted(probability, happened)


def _climatological(sample: Sample, levels: Floats, falling: Flags) -> Forecasted:
    """Events relative to quantiles of the climatology; unknown (NaN) for a field that it does not hold."""
    shape = (len(levels), *sample.forecast.observation.shape)
    limits = np.full(shape, np.nan) if sample.climate is None else sample.climate.quantiles(levels.tolist())
    return _events(sample, limits, falling)


def _thresholds(sample: Sample) -> Floats:
    return np.asarray(sample.settings.thresholds.get(sample.channel.variable_name, ()), dtype=np.float64)


def _climate_quantiles(sample: Sample) -> Floats:
    return np.asarray(sample.settings.climate_quantiles, dtype=np.float64)


@once
def above_thresholds(sample: Sample) -> Forecasted:
    """Values above the thresholds of ``settings.thresholds`` for the sample's variable; none if it has none."""
    limits = _thresholds(sample)
    fields = np.broadcast_to(limits[:, None, None], (len(limits), *sample.forecast.observation.shape))
    return _events(sample, fields, np.zeros(len(limits), dtype=bool))


@once
def beyond_climate_quantiles(sample: Sample) -> Forecasted:
    """Values above the quantiles of ``settings.climate_quantiles``, below those under 0.5."""
    levels = _climate_quantiles(sample)
    return _climatological(sample, levels, levels < 0.5)


@once
def above_terciles(sample: Sample) -> Forecasted:
    """Values above the lower and the upper tercile of the climatology."""
    return _climatological(sample, TERCILE_LEVELS, np.zeros(2, dtype=bool))


TERCILE_LEVELS = np.array([1 / 3, 2 / 3])
THRESHOLDS = Events("", "threshold", _thresholds, above_thresholds)
CLIMATE_QUANTILES = Events("climate_", "climate_quantile", _climate_quantiles, beyond_climate_quantiles)
TERCILES = Events("tercile_", "tercile", lambda _: TERCILE_LEVELS, above_terciles)
