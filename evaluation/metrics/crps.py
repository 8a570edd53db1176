"""The continuous ranked probability score (CRPS) of each form of forecast; lower is better, units of the variable."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

import numpy as np
from scipy.special import ndtr

from evaluation.metrics.forms import Ensemble, Forecast, Gaussian, Point, Quantiles

if TYPE_CHECKING:
    from evaluation.metrics.forms import Floats


def crps(forecast: Forecast) -> Floats:
    """The CRPS of a forecast in its own form; fair for an ensemble, the absolute error for a single value."""
    match forecast:
        case Ensemble():
            return fair_crps(forecast)
        case Gaussian():
            return gaussian_crps(forecast)
        case Point():
            return np.abs(forecast.error)
        case _:
            assert_never(forecast)


def standard_crps(forecast: Forecast) -> Floats:
    """As ``crps``, but of the members' step function: defined for one member, where it is the absolute error."""
    return empirical_crps(forecast) if isinstance(forecast, Ensemble) else crps(forecast)


def fair_crps(ensemble: Ensemble) -> Floats:
    """CRPS of the distribution that the members were drawn from, unbiased at any ensemble size.

    ``mean_i |x_i - y| - sum_ij |x_i - x_j| / (2 M (M - 1))`` (Ferro 2014, doi:10.1002/qj.2270). It can be
    negative at a point. NaN for one member: the spread of one draw is unknown (0/0); use ``empirical_crps``.

    >>> fair_crps(Ensemble.of([[0.0], [2.0]], [1.0])).tolist()
    [0.0]
    """
    if ensemble.size < 2:
        return np.full_like(ensemble.error, np.nan)
    return _kernel_score(ensemble, pairs=ensemble.size * (ensemble.size - 1))


def empirical_crps(ensemble: Ensemble) -> Floats:
    """CRPS of the members' step function: ``mean_i |x_i - y| - sum_ij |x_i - x_j| / (2 M^2)``.

    Gneiting and Raftery 2007 (doi:10.1198/016214506000001437), eq. 21 with the empirical distribution. Of a
    reliable ensemble it is (1 + 1/M) times the fair score on average.

    >>> empirical_crps(Ensemble.of([[0.0], [2.0]], [1.0])).tolist()
    [0.5]
    """
    return _kernel_score(ensemble, pairs=ensemble.size**2)


def almost_fair_crps(forecast: Forecast, alpha: float) -> Floats:
    """``alpha`` times the fair score plus ``1 - alpha`` times the standard one; of other forms, as ``crps``.

    ``mean_i |x_i - y| - (1 - (1 - alpha)/M) sum_ij |x_i - x_j| / (2 M (M - 1))`` (Lang et al. 2024, arXiv:2412.15832,
    eq. 4): fair enough, and no member can be anywhere without a loss. NaN for one member.

    >>> almost_fair_crps(Ensemble.of([[0.0], [2.0]], [1.0]), 0.5).tolist()
    [0.25]
    """
    if not isinstance(forecast, Ensemble):
        return crps(forecast)
    if forecast.size < 2:
        return np.full_like(forecast.error, np.nan)
    share = 1 - (1 - alpha) / forecast.size
    pairs = forecast.size * (forecast.size - 1)
    return forecast.summary.distance - share * forecast.summary.pair_distances / (2 * pairs)


def gaussian_crps(gaussian: Gaussian) -> Floats:
    """``s (z (2 Phi(z) - 1) + 2 phi(z) - 1/sqrt(pi))`` with ``z = error / s``; a zero ``s`` gives the absolute error.

    Gneiting et al. 2005 (doi:10.1175/MWR2904.1). A negative ``s`` is no distribution and gives NaN.

    >>> gaussian_crps(Gaussian.of([1.0, 3.0], [1.0, 0.0], [1.0, 1.0])).round(4).tolist()
    [0.2337, 2.0]
    """
    error, std = gaussian.error, gaussian.std
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        z = error / std  # infinite for a vanishing std, where the formula tends to |error|
        density = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
        score = error * (2 * ndtr(z) - 1) + std * (2 * density - 1 / np.sqrt(np.pi))
    return np.where(std > 0, score, np.where(std == 0, np.abs(error), np.nan))


def quantile_crps(quantiles: Quantiles) -> Floats:
    """Twice the mean pinball loss over the levels, ``2/K sum_k (1{y <= q_k} - tau_k) (q_k - y)``.

    An approximation of ``2 int_0^1 pinball(q_tau, y) dtau``, which is the CRPS (Laio and Tamea 2007,
    doi:10.5194/hess-11-1267-2007): the midpoint rule. At levels ``(k - 1/2)/K`` it is exactly the CRPS of a step
    function with K equal steps at the quantiles; at levels that are spread otherwise it weighs the parts of the
    distribution by how many levels are there, and is fit to compare only forecasts at the same levels.

    >>> quantile_crps(Quantiles.of([0.25, 0.75], [[0.0], [2.0]], [1.0])).tolist()
    [0.5]
    """
    error = quantiles.error
    levels = quantiles.levels.reshape(-1, *(1 for _ in error.shape[1:]))
    return np.asarray(2 * np.mean(((error >= 0) - levels) * error, axis=0))


def _kernel_score(ensemble: Ensemble, pairs: int) -> Floats:
    """``mean |x_i - y| - sum_ij |x_i - x_j| / (2 pairs)``."""
    score: Floats = np.divide(ensemble.summary.pair_distances, -2.0 * pairs)
    score += ensemble.summary.distance  # in place: a field is 2 % of 50 members
    return score
