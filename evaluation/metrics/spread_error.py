"""Spread beside error at each point: of members, of logarithms, and the bin of spread that a point is in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evaluation.metrics.forms import Ensemble
from evaluation.metrics.moments import squared_error, variance

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr
    from numpy.typing import NDArray

    from evaluation.metrics.forms import Floats, Forecast

_SMALLEST_SHARE = 1e-12
"""A variance that is a smaller share than this of the mean square is rounding, and correlates with nothing."""


def member_squared_error(forecast: Forecast) -> Floats:
    """``mean_i (x_i - y)^2``: the squared error of the mean plus the variance with divisor M; of a value, its own.

    >>> member_squared_error(Ensemble.of([[1.0], [5.0]], [2.0])).tolist()
    [5.0]
    """
    if isinstance(forecast, Ensemble):
        return squared_error(forecast) + forecast.summary.squares / forecast.size
    return squared_error(forecast)


def member_absolute_error(forecast: Forecast) -> Floats:
    """``mean_i |x_i - y|``; of a value, its own.

    >>> member_absolute_error(Ensemble.of([[1.0], [5.0]], [2.0])).tolist()
    [2.0]
    """
    return forecast.summary.distance if isinstance(forecast, Ensemble) else np.abs(forecast.error)


def unbiased_squared_error(forecast: Forecast) -> Floats:
    """``(mean_i x_i - y)^2 - s^2 / M``, what the mean of infinitely many members would have; can be negative.

    NaN for one member, whose variance is unknown; of other forms, their own squared error.

    >>> unbiased_squared_error(Ensemble.of([[1.0], [5.0]], [2.0])).tolist()
    [-3.0]
    """
    if isinstance(forecast, Ensemble):
        return squared_error(forecast) - variance(forecast) / forecast.size
    return squared_error(forecast)


def standard_deviation(forecast: Forecast) -> Floats:
    """The root of the variance (divisor M - 1)."""
    return np.sqrt(variance(forecast))


def spread_times_error(forecast: Forecast) -> Floats:
    """Standard deviation times absolute error of the mean."""
    return standard_deviation(forecast) * np.abs(forecast.error)


def both_positive(forecast: Forecast) -> Floats:
    """1 where spread and error are both above zero, so that they have logarithms, else 0; NaN where either is.

    >>> both_positive(Ensemble.of([[1.0, 1.0], [5.0, 1.0]], [2.0, 3.0])).tolist()
    [1.0, 0.0]
    """
    spread, error = variance(forecast), squared_error(forecast)
    return np.where(np.isnan(spread) | np.isnan(error), np.nan, (spread > 0) & (error > 0))


def log_variance(forecast: Forecast) -> Floats:
    """Its logarithm, 0 where not ``both_positive``."""
    return _logarithm(variance(forecast), both_positive(forecast))


def log_squared_error(forecast: Forecast) -> Floats:
    """Its logarithm, 0 where not ``both_positive``."""
    return _logarithm(squared_error(forecast), both_positive(forecast))


def _logarithm(values: Floats, possible: Floats) -> Floats:
    return np.asarray(np.log(np.where(possible == 1, values, 1.0)) + 0 * possible)


def bins_of_spread(forecast: Forecast, scale: float, edges: Sequence[float]) -> NDArray[np.intp]:
    """The bin of each point: how many of the ascending ``edges``, in multiples of ``scale``, its spread reaches.

    The scale is one for all points: bins of a spread that is measured by the place's own climate would sort places by
    how variable they are, and then the error falls where the spread rises.

    >>> bins_of_spread(Ensemble.of([[1.0], [3.0]], [2.0]), 2.0, (0.5, 0.7, 0.9)).tolist()
    [2]
    """
    return np.asarray(np.searchsorted(scale * np.asarray(edges), standard_deviation(forecast), side="right"))


def pearson(
    product: xr.DataArray, means: tuple[xr.DataArray, xr.DataArray], squares: tuple[xr.DataArray, xr.DataArray]
) -> xr.DataArray:
    """Correlation of two quantities from the means of their product, of both and of both squared.

    NaN if one of them is constant.

    >>> import xarray as xr
    >>> product, one, one_squared, other, other_squared = map(xr.DataArray, (2.5, 1.5, 2.5, 1.5, 2.5))
    >>> round(float(pearson(product, (one, other), (one_squared, other_squared))), 12)
    1.0
    """
    variances = [square - mean**2 for mean, square in zip(means, squares, strict=True)]
    varying = [own.where(own > _SMALLEST_SHARE * square) for own, square in zip(variances, squares, strict=True)]
    return (product - means[0] * means[1]) / (varying[0] * varying[1]) ** 0.5
