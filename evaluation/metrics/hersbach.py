"""The CRPS taken apart into reliability, resolution and uncertainty (Hersbach 2000).

Between the sorted members x_(i) and x_(i+1), bin i has the widths alpha_i, on which the observation y is above, and
beta_i, on which it is below. With ``p_i = i/M`` the standard CRPS is ``sum_i alpha_i p_i^2 + beta_i (1 - p_i)^2``
(section 4), which is linear in them: they are averaged first, and the mean CRPS is taken apart afterwards.

With members relative to the observation, d_i, ``alpha_i = min(d_(i+1), 0) - min(d_(i), 0)`` and
``beta_i = max(d_(i+1), 0) - max(d_(i), 0)``, so that the sums of the two parts of each order statistic are all that is
needed of a sample.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from evaluation.metrics.summary import sorted_deviations

if TYPE_CHECKING:
    from evaluation.metrics.forms import Ensemble, Floats

BLOCK = 2**14
"""Points that are sorted at a time."""

_EQUAL = 1e-9
"""Share by which sums of weights may differ that are the same: rounding."""

SUMS = ("below", "above", "weight_below", "weight_above", "weight")
"""Of order statistics d: min(d, 0), max(d, 0), the weights of d < 0 and of d > 0, and all weights."""


class Decomposition(NamedTuple):
    """``reliability + potential`` is the mean CRPS of the members' step function; each has the variable's units.

    Reliability is zero if the observation is as often below each member as it should be; the potential CRPS is what
    would be left of the CRPS then. Resolution is a reference's CRPS, the uncertainty, minus the potential.
    """

    reliability: Floats
    potential: Floats


def order_sums(ensemble: Ensemble, weights: Floats) -> Floats:
    """Weighted sums over points of what ``SUMS`` says of each order statistic: (5, M), all NaN if one of them is.

    Points of zero weight do not count. ``weights`` has the observation's shape.

    >>> from evaluation.metrics.forms import Ensemble
    >>> order_sums(Ensemble.of([[3.0], [0.0]], [1.0]), np.array([0.5])).tolist()
    [[-0.5, 0.0], [0.0, 1.0], [0.5, 0.0], [0.0, 0.5], [0.5, 0.5]]
    """
    inside = np.flatnonzero(weights)
    members, observation = ensemble.members.reshape(ensemble.size, -1), ensemble.observation.reshape(-1)
    total = np.zeros((len(SUMS), ensemble.size))
    for start in range(0, inside.size, BLOCK):
        chosen = inside[start : start + BLOCK]
        ordered = sorted_deviations(members[:, chosen], observation[chosen]).astype(np.float64)
        total += _sums(ordered, weights.reshape(-1)[chosen])
    return total if np.isfinite(total).all() else np.full_like(total, np.nan)


def _sums(ordered: Floats, weights: Floats) -> Floats:
    parts = np.minimum(ordered, 0.0), np.maximum(ordered, 0.0), ordered < 0, ordered > 0
    found = [np.einsum("mp,p->m", part, weights) for part in parts]  # as BLAS adds up anew for each number of threads
    return np.stack([*found, np.full(len(ordered), weights.sum())])


def decompose(sums: Floats) -> Decomposition:
    """The parts of the mean standard CRPS, from sums (..., 5, M) over the sample as ``order_sums`` gives them.

    Hersbach 2000 (doi:10.1175/1520-0434(2000)015<0559:DOTCRP>2.0.CO;2), section 4: in inner bins
    ``g_i = alpha_i + beta_i`` and ``o_i = beta_i / g_i``; beyond the outermost members o_i is how often the observation
    is below the lowest member (i = 0) or is not above the highest (i = M), ``g_0 = beta_0 / o_0`` and
    ``g_M = alpha_M / (1 - o_M)``. Reliability is ``sum_i g_i (o_i - p_i)^2``, the potential
    ``sum_i g_i o_i (1 - o_i)``. Orders at the end without any weight do not count: they are of a larger ensemble beside
    this one. NaN where weights are unequal: ensembles of several sizes were thrown together.
    """
    rows = sums.reshape(-1, *sums.shape[-2:])
    found = np.full((2, len(rows)), np.nan)
    sizes = (rows[:, SUMS.index("weight")] > 0).sum(axis=-1)
    for size in set(sizes.tolist()) - {0}:
        chosen = sizes == size
        found[:, chosen] = _of_one_size(rows[chosen, :, :size])
    return Decomposition(*found.reshape(2, *sums.shape[:-2]))


def _of_one_size(sums: Floats) -> tuple[Floats, Floats]:
    """Reliability and potential CRPS from sums (sample, 5, M)."""
    weight = sums[:, SUMS.index("weight")]
    below, above, weight_below, weight_above, _ = (sums / weight[:, None]).transpose(1, 0, 2)
    nothing = np.zeros_like(below[:, :1])
    alpha = np.concatenate([nothing, np.maximum(np.diff(below), 0.0), -below[:, -1:]], axis=-1)
    beta = np.concatenate([above[:, :1], np.maximum(np.diff(above), 0.0), nothing], axis=-1)
    reliability, potential = _parts(alpha, beta, weight_above[:, 0], 1 - weight_below[:, -1])
    uniform = np.ptp(weight, axis=-1) <= _EQUAL * weight[:, 0]
    return np.where(uniform, reliability, np.nan), np.where(uniform, potential, np.nan)


def _parts(alpha: Floats, beta: Floats, below_lowest: Floats, not_above_highest: Floats) -> tuple[Floats, Floats]:
    """Reliability and potential CRPS of mean bins (..., M + 1) and the observed frequencies beyond the members."""
    share = np.arange(alpha.shape[-1]) / (alpha.shape[-1] - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        width = alpha + beta
        observed = beta / width
        width[..., 0], observed[..., 0] = beta[..., 0] / below_lowest, below_lowest
        width[..., -1], observed[..., -1] = alpha[..., -1] / (1 - not_above_highest), not_above_highest
        reliability, potential = width * (observed - share) ** 2, width * observed * (1 - observed)
    empty = alpha + beta == 0  # of no width, or beyond members beyond which nothing was observed
    return np.where(empty, 0.0, reliability).sum(axis=-1), np.where(empty, 0.0, potential).sum(axis=-1)


def sample_uncertainty(observation: Floats, weights: Floats) -> float:
    """CRPS of forecasting the sample's own distribution: ``sum_kl w_k w_l |y_k - y_l| / 2``, weights summing to one.

    Hersbach 2000. ``observation`` and ``weights`` have one shape; what has no weight does not count.

    >>> sample_uncertainty(np.array([1.0, 3.0, np.nan]), np.array([1.0, 1.0, 0.0]))
    0.5
    """
    chosen = weights > 0
    values, shares = observation[chosen].astype(np.float64), weights[chosen] / weights[chosen].sum()
    order = np.argsort(values)
    values, below = values[order], np.cumsum(shares[order])
    return float(np.sum(np.diff(values) * below[:-1] * (1 - below[:-1])))
