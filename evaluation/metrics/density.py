"""Scores of a density at every point: logarithmic, Dawid-Sebastiani and Gaussian kernel score.

A density needs more than members: a normal distribution is fitted to them, or a small one is put around each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import digamma

from evaluation.metrics.definitions import Metric, PointStatistic, Statistic, mean_of
from evaluation.metrics.forms import Ensemble, Gaussian
from evaluation.metrics.kernel_score import gaussian_kernel_score
from evaluation.metrics.mixture import mixture_log_score
from evaluation.metrics.moments import variance

if TYPE_CHECKING:
    from collections.abc import Callable

    from evaluation.metrics.definitions import Sample
    from evaluation.metrics.forms import Floats

LOG_2_PI = float(np.log(2 * np.pi))
_FEWEST_FAIR = 4


def dawid_sebastiani_score(forecast: Ensemble | Gaussian) -> Floats:
    """``log s^2 + (mean_i x_i - y)^2 / s^2``, ``s^2`` with divisor M - 1; lower is better.

    Dawid and Sebastiani 1999 (doi:10.1214/aos/1018031101). It needs mean and variance only and, being of a logarithm of
    units, gets another constant in other units. NaN where there is no spread.

    >>> dawid_sebastiani_score(Ensemble.of([[0.0], [2.0]], [2.0])).round(4).tolist()
    [1.1931]
    """
    spread = _positive_variance(forecast)
    return np.asarray(np.log(spread) + np.square(forecast.error) / spread)


def gaussian_log_score(forecast: Ensemble | Gaussian) -> Floats:
    """Minus the logarithm of the fitted normal density at the observation: ``(log 2 pi + DSS) / 2``, nats.

    The ignorance score of Roulston and Smith 2002 (there in bits) of a normal distribution with the ensemble's mean and
    variance (divisor M - 1). NaN where there is no spread.

    >>> gaussian_log_score(Gaussian.of([0.0], [1.0], [0.0])).round(4).tolist()
    [0.9189]
    """
    return (LOG_2_PI + dawid_sebastiani_score(forecast)) / 2


def fair_gaussian_log_score(forecast: Ensemble | Gaussian) -> Floats:
    """The same, of the normal distribution that the members were drawn from, unbiased at any ensemble size.

    ``(log 2 pi + log s^2 - psi((M - 1)/2) + log((M - 1)/2) + (M - 3)/(M - 1) (mean - y)^2 / s^2 - 1/M) / 2``, psi the
    digamma function: Siegert et al. 2019 (doi:10.1002/qj.3447, arXiv:1410.8249). NaN below four members. Of a normal
    distribution, as ``gaussian_log_score``.

    >>> fair_gaussian_log_score(Ensemble.of([[-1.0], [0.0], [0.0], [1.0]], [0.0])).round(4).tolist()
    [0.7757]
    """
    if isinstance(forecast, Gaussian):
        return gaussian_log_score(forecast)
    count = forecast.size
    if count < _FEWEST_FAIR:
        return np.full_like(forecast.error, np.nan)
    spread, half = _positive_variance(forecast), (count - 1) / 2
    log_variance = np.log(spread) - digamma(half) + np.log(half)
    shrunk = (count - 3) / (count - 1) * np.square(forecast.error) / spread
    return np.asarray((LOG_2_PI + log_variance + shrunk - 1 / count) / 2)


def kernel_log_score(forecast: Ensemble | Gaussian) -> Floats:
    """The logarithmic score of the members' kernel density, see ``mixture_log_score``; of a normal one, its own."""
    return gaussian_log_score(forecast) if isinstance(forecast, Gaussian) else mixture_log_score(forecast)


def _positive_variance(forecast: Ensemble | Gaussian) -> Floats:
    """The variance, NaN where it is zero: no density, and the logarithm of none."""
    spread = variance(forecast)
    possible = forecast.std > 0 if isinstance(forecast, Gaussian) else spread > 0
    return np.where(possible, spread, np.nan)


def _of_density(score: Callable[[Ensemble | Gaussian], Floats]) -> PointStatistic:
    return PointStatistic(lambda sample: score(sample.forecast), forms=(Ensemble, Gaussian))  # type: ignore[arg-type]


def _kernel_statistic(*, fair: bool) -> PointStatistic:
    def of(sample: Sample) -> Floats:
        forecast = sample.forecast
        if sample.climate is None or not isinstance(forecast, Ensemble):
            return np.full(forecast.observation.shape, np.nan)
        return gaussian_kernel_score(forecast, sample.climate.std, fair=fair)

    return PointStatistic(of, forms=(Ensemble,))


STATISTICS: dict[str, Statistic] = {
    "gaussian_log_score": _of_density(gaussian_log_score),
    "fair_gaussian_log_score": _of_density(fair_gaussian_log_score),
    "kernel_log_score": _of_density(kernel_log_score),
    "dawid_sebastiani_score": _of_density(dawid_sebastiani_score),
    "gaussian_kernel_score": _kernel_statistic(fair=True),
    "standard_gaussian_kernel_score": _kernel_statistic(fair=False),
}

_NO_SPREAD = "a missing member, or members that are all alike, make the average NaN"
_NO_BANDWIDTH = "a missing member or bandwidth makes the average NaN; equal values are at distance 0"
_KERNEL = "k(a, b) = exp(-(a - b)^2 / (2 h^2)), h the climatology's standard deviation"
_RAFTERY = "Gneiting and Raftery 2007 doi:10.1198/016214506000001437 sec. 5"


def _density(name: str, summary: str, formula: str, minimum: int = 2) -> Metric:
    return Metric((name,), mean_of(name), "lower", summary, formula, units="1", minimum_members=minimum,
                  nan_and_ties=_NO_SPREAD, family="density")  # fmt: skip


def _kernel(name: str, summary: str, formula: str, minimum: int) -> Metric:
    return Metric((name,), mean_of(name), "lower", summary, formula, units="1", minimum_members=minimum,
                  needs=frozenset({"climate"}), nan_and_ties=_NO_BANDWIDTH, family="density")  # fmt: skip


METRICS: dict[str, Metric] = {
    "gaussian_log_score": _density(
        "gaussian_log_score", "logarithmic score of the fitted normal distribution",
        "(log(2 pi s^2) + (mean_i x_i - y)^2 / s^2) / 2, s^2 with divisor M - 1, nats; Roulston and Smith 2002 "
        "doi:10.1175/1520-0493(2002)130<1653:EPFUIT>2.0.CO;2"),
    "fair_gaussian_log_score": _density(
        "fair_gaussian_log_score", "fair logarithmic score of the fitted normal distribution",
        "(log(2 pi s^2) - psi((M - 1)/2) + log((M - 1)/2) + (M - 3)/(M - 1) (mean_i x_i - y)^2 / s^2 - 1/M) / 2, psi "
        "the digamma function, Siegert et al. 2019 doi:10.1002/qj.3447 arXiv:1410.8249", _FEWEST_FAIR),
    "kernel_log_score": _density(
        "kernel_log_score", "logarithmic score of the kernel density of the members",
        "-log(mean_i phi((x_i - y)/h) / h), h = 1.06 min(sigma, IQR/1.34) M^(-1/5), sigma if IQR is 0, "
        "Scott 1992 after Silverman 1986 sec. 3.4.2"),
    "dawid_sebastiani_score": _density(
        "dawid_sebastiani_score", "Dawid-Sebastiani score",
        "log s^2 + (mean_i x_i - y)^2 / s^2, s^2 with divisor M - 1, Dawid and Sebastiani 1999 "
        "doi:10.1214/aos/1018031101"),
    "gaussian_kernel_score": _kernel(
        "gaussian_kernel_score", "fair Gaussian kernel score",
        f"1/2 + sum_(i != j) k(x_i, x_j) / (2 M (M - 1)) - mean k(x_i, y), {_KERNEL}, {_RAFTERY}", 2),
    "standard_gaussian_kernel_score": _kernel(
        "standard_gaussian_kernel_score", "Gaussian kernel score of the members",
        f"1/2 + sum_ij k(x_i, x_j) / (2 M^2) - mean k(x_i, y), {_KERNEL}, {_RAFTERY}", 1),
}  # fmt: skip
