"""The Gaussian kernel score at every point: in units of a bandwidth, near is near and far is just far."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from evaluation.metrics.forms import Ensemble, Floats

_BLOCK = 4096


def gaussian_kernel_score(ensemble: Ensemble, bandwidth: Floats, *, fair: bool) -> Floats:
    """``(1 + mean_ij k(x_i, x_j)) / 2 - mean_i k(x_i, y)`` with ``k(a, b) = exp(-(a - b)^2 / (2 h^2))``; no units.

    Gneiting and Raftery 2007 (doi:10.1198/016214506000001437), sec. 5, with the constant that makes the best value 0.
    Over all M^2 pairs, of which ``fair`` leaves out those of a member with itself. With a bandwidth h (...) of zero k
    tells only whether two values are equal. NaN where h is, and for one member if fair.

    >>> from evaluation.metrics.forms import Ensemble
    >>> gaussian_kernel_score(Ensemble.of([[0.0], [0.0]], [0.0]), np.ones(1), fair=True).tolist()
    [0.0]
    """
    if fair and ensemble.size < 2:
        return np.full_like(ensemble.error, np.nan)
    members, target = ensemble.members.reshape(ensemble.size, -1), ensemble.observation.ravel()
    score, width = np.empty(target.size), np.ravel(bandwidth)
    for start in range(0, score.size, _BLOCK):
        part = slice(start, start + _BLOCK)
        with np.errstate(invalid="ignore"):  # infinity minus infinity
            deviations = np.subtract(members[:, part], target[part], dtype=np.float64)
        score[part] = _of_block(deviations, width[part], fair=fair)
    return np.where(np.isnan(ensemble.error), np.nan, score.reshape(ensemble.error.shape))


def _of_block(deviations: Floats, bandwidth: Floats, *, fair: bool) -> Floats:
    """Of members minus observation (M, point)."""
    count = len(deviations)
    pairs = np.zeros(deviations.shape[1])
    with np.errstate(invalid="ignore"):
        for lag in range(1, count // 2 + 1):  # members i and i + lag, all around: half of the ordered pairs
            share = 1.0 if 2 * lag == count else 2.0
            pairs += share * _kernel(deviations - np.roll(deviations, lag, axis=0), bandwidth).sum(axis=0)
    mean = pairs / (count * (count - 1)) if fair else (pairs + count) / count**2
    return np.asarray((1 + mean) / 2 - _kernel(deviations, bandwidth).mean(axis=0))


def _kernel(difference: Floats, bandwidth: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        scaled = np.where(difference == 0, 0.0 * bandwidth, difference / bandwidth)
        return np.asarray(np.exp(-0.5 * np.square(scaled)))
