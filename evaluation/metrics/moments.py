"""First and second moments: error, squared error, variance. Statistics per point, to be averaged before any root."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

import numpy as np

from evaluation.metrics.forms import Ensemble, Forecast, Gaussian, Point

if TYPE_CHECKING:
    from evaluation.metrics.forms import Floats


def error(forecast: Forecast) -> Floats:
    """Mean of the forecast minus the observation; its average is the bias."""
    return forecast.error


def absolute_error(forecast: Forecast) -> Floats:
    """Distance of the mean of the forecast from the observation."""
    return np.abs(forecast.error)


def squared_error(forecast: Forecast) -> Floats:
    """Squared error of the mean of the forecast.

    >>> squared_error(Ensemble.of([[1.0], [5.0]], [2.0])).tolist()
    [1.0]
    """
    return np.square(forecast.error)


def variance(forecast: Forecast) -> Floats:
    """Unbiased variance over members (divisor M - 1), or of the distribution; NaN for one value or one member.

    >>> variance(Ensemble.of([[1.0], [5.0]], [2.0])).tolist()
    [8.0]
    """
    match forecast:
        case Ensemble() if forecast.size > 1:
            return forecast.summary.squares / (forecast.size - 1)
        case Gaussian():
            return np.square(forecast.std)
        case Ensemble() | Point():
            return np.full_like(forecast.error, np.nan)
        case _:
            assert_never(forecast)


def expected_squared_error(forecast: Forecast) -> Floats:
    """The squared error that the forecast's own spread predicts: ``(M + 1)/M`` times the variance, M members.

    For a reliable ensemble its average equals that of ``squared_error`` (Fortin et al. 2014,
    doi:10.1175/JHM-D-14-0008.1). A distribution has the factor of infinitely many members, 1.

    >>> expected_squared_error(Ensemble.of([[1.0], [5.0]], [2.0])).tolist()
    [12.0]
    """
    inflation = (forecast.size + 1) / forecast.size if isinstance(forecast, Ensemble) else 1.0
    return inflation * variance(forecast)


def missing(forecast: Forecast) -> Floats:
    """Share of the forecast's values at a point that are NaN or infinite (1 if the observation is).

    >>> missing(Ensemble.of([[1.0], [np.nan]], [2.0])).tolist()
    [0.5]
    """
    match forecast:
        case Ensemble():
            lost = np.isnan(forecast.error)
            share = np.zeros(lost.shape)
            part = Ensemble(forecast.members[:, lost], forecast.observation[lost])
            share[lost] = np.isnan(part.deviations).mean(axis=0)
            return share
        case Gaussian():
            return (np.isnan(forecast.error) | np.isnan(forecast.std)).astype(np.float64)
        case Point():
            return np.isnan(forecast.error).astype(np.float64)
        case _:
            assert_never(forecast)
