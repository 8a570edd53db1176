"""The logarithmic score of a kernel density: a normal distribution around each member."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import logsumexp

if TYPE_CHECKING:
    from evaluation.metrics.forms import Ensemble, Floats

_BLOCK = 4096


def mixture_log_score(ensemble: Ensemble) -> Floats:
    """Minus the logarithm of the mean of normal densities around the members, of a rule of thumb's bandwidth; nats.

    ``-log(mean_i phi((x_i - y)/h) / h)`` with ``h = 1.06 min(sigma, IQR / 1.34) M^(-1/5)``, sigma with divisor M - 1,
    the interquartile range IQR of linearly interpolated quartiles: Silverman's rule (1986, Density Estimation, sec.
    3.4.2) with the factor of Scott 1992 (Multivariate Density Estimation), as R's ``bw.nrd``;
    where the quartiles coincide ``h = 1.06 sigma M^(-1/5)``. Finite however far the observation is; NaN without spread.

    >>> from evaluation.metrics.forms import Ensemble
    >>> mixture_log_score(Ensemble.of([[-1.0], [1.0]], [0.0])).round(4).tolist()
    [1.6002]
    """
    members = ensemble.sorted.reshape(ensemble.size, -1)
    score = np.empty(members.shape[1])
    for start in range(0, score.size, _BLOCK):
        part = slice(start, start + _BLOCK)
        score[part] = _of_block(members[:, part].astype(np.float64))
    return np.where(np.isnan(ensemble.error), np.nan, score.reshape(ensemble.error.shape))


def _of_block(ordered: Floats) -> Floats:
    """Of members minus observation (M, point), ascending."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):  # without spread, NaN in the end
        width = _bandwidth(ordered)
        exponents = -0.5 * np.square(ordered / width)
        score = np.log(len(ordered)) + np.log(width) + np.log(2 * np.pi) / 2 - logsumexp(exponents, axis=0)
    return np.where(width > 0, score, np.nan)


def _bandwidth(ordered: Floats) -> Floats:
    sigma = np.sqrt(np.square(ordered - ordered.mean(axis=0)).sum(axis=0) / np.float64(len(ordered) - 1))
    quartiles = (_quantile(ordered, 0.75) - _quantile(ordered, 0.25)) / 1.34
    return np.asarray(1.06 * np.where(quartiles > 0, np.minimum(sigma, quartiles), sigma) * len(ordered) ** -0.2)


def _quantile(ordered: Floats, share: float) -> Floats:
    """Of sorted values, linear between them (Hyndman and Fan 1996, type 7)."""
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return np.asarray(ordered[below] + (place - below) * (ordered[above] - ordered[below]))
