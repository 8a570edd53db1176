"""The CRPS of what matters: with weight on values above or below a threshold (Allen et al. 2022; Holzmann, Klar 2017).

Both weight with ``w(z) = 1{z > t}`` (or ``<``). The threshold-weighted score sees whether the tail's probability is
right, as it scores the whole distribution after everything short of the threshold was moved onto it. The
outcome-weighted score is the CRPS of the distribution given that the event happens, when it happened: it does not see
whether the event's probability is right, and is never to be used alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

import numpy as np
from scipy.special import ndtr

from evaluation.metrics.blocks import in_blocks
from evaluation.metrics.crps import gaussian_crps
from evaluation.metrics.forms import Ensemble, Gaussian, Point
from evaluation.metrics.products import product
from evaluation.metrics.summary import sorted_deviations

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    from evaluation.metrics.forms import Floats, Forecast, Numbers

    Mask = NDArray[np.bool_]
    Kernel = Callable[[Floats, Numbers, Numbers, Numbers], Floats]

BLOCK = 2048
"""Points that are scored together: 50 members of them in float64 take 0.8 MB, which a core's own cache holds."""
_FAINTEST = 1e-100
"""Probability of an event below which a normal distribution is taken to exclude it."""


def threshold_weighted_crps(forecast: Forecast, threshold: ArrayLike, *, above: bool, fair: bool = True) -> Floats:
    """The CRPS of ``v(x)`` against ``v(y)``, ``v(z) = max(z, t)`` for the tail above t, ``min(z, t)`` for that below.

    Equal to ``int w(z) (F(z) - 1{y <= z})^2 dz`` for the step function (``fair`` false), Gneiting and Ranjan 2011
    (doi:10.1198/jbes.2010.08110); v is the chaining function of Allen, Ginsbourger and Ziegel 2022
    (arXiv:2202.12732). Ties with the threshold do not matter.

    Parameters
    ----------
    threshold
        t, in the variable's units, of the observation's shape or one that spreads to it.
    above
        Which tail.
    fair
        Whether pairs of members are counted as in ``fair_crps`` (NaN for one member); matters to ensembles only.

    >>> forecast = Ensemble.of([[0.0], [2.0]], [1.0])
    >>> threshold_weighted_crps(forecast, 1.5, above=True, fair=False).tolist()
    [0.125]
    """
    match forecast:
        case Ensemble():
            pairs = forecast.size * (forecast.size - 1) if fair else forecast.size**2
            chain = np.maximum if above else np.minimum
            return _by_block(forecast, threshold, lambda d, _, y, t: _clipped_crps(d, y, t, chain, pairs))
        case Point():
            chain = np.maximum if above else np.minimum
            gap = _gap(forecast.observation, threshold)
            return np.asarray(np.abs(chain(forecast.error, gap) - chain(0.0, gap)))
        case Gaussian():
            sign = 1.0 if above else -1.0
            gap = sign * _gap(forecast.observation, threshold)
            return _gaussian_above(sign * forecast.error, forecast.std, gap)
        case _:
            assert_never(forecast)


def outcome_weighted_crps(forecast: Forecast, threshold: ArrayLike, *, above: bool) -> Floats:
    """``w(y) CRPS(F_w, y)``, F_w the forecast given that the event happens; events are strictly above (or below) t.

    Holzmann and Klar 2017 (doi:10.1214/17-AOAS1088); of an ensemble as its step function, as in Allen et al.
    2022 (arXiv:2202.12732). Zero where the event did not happen. Where it did and no member has it, F_w does not
    exist: the score is then that of the whole forecast, the limit of the weight ``w + epsilon`` as epsilon vanishes.

    >>> forecast = Ensemble.of([[0.0], [2.0], [4.0]], [3.0])
    >>> [outcome_weighted_crps(forecast, t, above=True).round(3).tolist() for t in (1.0, 2.9, 3.0)]
    [[0.5], [1.0], [0.0]]
    """
    match forecast:
        case Ensemble():
            return _by_block(forecast, threshold, lambda d, x, y, t: _conditional_crps(d, x, y, t, above=above))
        case Point():
            event = _beyond(forecast.observation, threshold, above=above)
            return np.where(event | np.isnan(forecast.error), np.abs(forecast.error), 0.0)
        case Gaussian():
            event = _beyond(forecast.observation, threshold, above=above)
            sign = 1.0 if above else -1.0
            given = _gaussian_given(forecast, sign, sign * _gap(forecast.observation, threshold))
            return np.where(event | np.isnan(given), given, 0.0)
        case _:
            assert_never(forecast)


def _by_block(ensemble: Ensemble, threshold: ArrayLike, kernel: Kernel) -> Floats:
    """``kernel`` of sorted deviations, members, observation and threshold; NaN where something is not finite."""
    members, observation = ensemble.members.reshape(ensemble.size, -1), ensemble.observation.reshape(-1)
    limit = np.broadcast_to(_in_precision(ensemble.observation, threshold), ensemble.observation.shape).reshape(-1)
    found = np.empty(observation.size)

    def work(part: slice) -> None:
        ordered = sorted_deviations(members[:, part], observation[part]).astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            scores = kernel(ordered, members[:, part], observation[part], limit[part])
            found[part] = np.where(np.isfinite(ordered.sum(axis=0) + limit[part]), scores, np.nan)

    in_blocks(work, observation.size, BLOCK)
    return found.reshape(ensemble.observation.shape)


def _clipped_crps(ordered: Floats, observation: Numbers, threshold: Numbers, chain: np.ufunc, pairs: int) -> Floats:
    gap = np.subtract(threshold, observation, dtype=np.float64)
    chained = chain(ordered, gap)
    chained -= chain(0.0, gap)
    spread = product(_ranks(len(ordered))[None], chained)[0] / pairs
    return np.asarray(np.abs(chained, out=chained).mean(axis=0) - spread)


def _conditional_crps(
    ordered: Floats, members: Numbers, observation: Numbers, threshold: Numbers, *, above: bool
) -> Floats:
    event = _beyond(observation, threshold, above=above)
    chosen = np.flatnonzero(event)
    size, found = len(ordered), np.zeros(observation.size)
    inside = _beyond(members[:, chosen], threshold[chosen], above=above).sum(axis=0)
    first = np.where(above & (inside > 0), size - inside, 0)
    inside = np.where(inside > 0, inside, size)
    place = np.arange(size)[:, None] - first
    values = np.where((place >= 0) & (place < inside), ordered[:, chosen], 0.0)
    spread = ((2 * place + 1 - inside) * values).sum(axis=0) / inside**2
    found[chosen] = np.abs(values).sum(axis=0) / inside - spread
    return found


def _gaussian_above(error: Floats, std: Floats, gap: Floats) -> Floats:
    """Threshold-weighted CRPS above the threshold: ``s (A(m) - A(t) + A(-m))``, m the larger of t and y.

    All standardised; ``A(z) = int_-inf^z Phi^2``.
    """
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        outcome, limit = -error / std, (gap - error) / std
        later = np.maximum(outcome, limit)
        score = std * (_squared_integral(later) - _squared_integral(limit) + _squared_integral(-later))
    certain = np.abs(np.maximum(error, gap) - np.maximum(0.0, gap))
    narrow = (std == 0) | ~np.isfinite(score) & (std > 0)  # so narrow that the standardised values overflow
    return np.where(narrow, certain, np.where(std > 0, score, np.nan))


def _gaussian_given(gaussian: Gaussian, sign: float, gap: Floats) -> Floats:
    """CRPS of the normal distribution cut off below the threshold, for observations above it.

    ``s (y - t - 2 (H(t) - H(y))/Q(t) + A(-t)/Q(t)^2)`` with ``Q = 1 - Phi`` and ``H(z) = int_z^inf Q = phi(z) - z Q``.
    """
    error, std = sign * gaussian.error, gaussian.std
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        outcome, limit = -error / std, (gap - error) / std
        mass = ndtr(-limit)
        excess = _tail_integral(limit) - _tail_integral(outcome)
        score = std * (outcome - limit - 2 * excess / mass + _squared_integral(-limit) / mass**2)
    return np.where((mass > _FAINTEST) & np.isfinite(score) & (std > 0), score, gaussian_crps(gaussian))


def _squared_integral(z: Floats) -> Floats:
    """``A(z) = int_-inf^z Phi^2 = z Phi^2 + 2 phi Phi - Phi(sqrt(2) z)/sqrt(pi)``."""
    phi, cumulative = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi), ndtr(z)
    double: Floats = ndtr(np.sqrt(2) * z)
    return np.asarray(z * cumulative**2 + 2 * phi * cumulative - double / np.sqrt(np.pi), dtype=np.float64)


def _tail_integral(z: Floats) -> Floats:
    return np.asarray(np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi) - z * ndtr(-z))


def _beyond(values: Numbers, threshold: ArrayLike, *, above: bool) -> Mask:
    limit = _in_precision(values, threshold)
    return np.asarray(values > limit if above else values < limit)


def _gap(observation: Numbers, threshold: ArrayLike) -> Floats:
    gap: Floats = np.subtract(_in_precision(observation, threshold), observation, dtype=np.float64)
    return gap


def _in_precision(values: Numbers, threshold: ArrayLike) -> Numbers:
    """The threshold as the data would hold it: 273.15 in float32 is no event above 273.15."""
    precision = values.dtype if np.issubdtype(values.dtype, np.floating) else np.dtype(np.float64)
    limit: Numbers = np.asarray(threshold).astype(precision)
    return limit


def _ranks(size: int) -> Floats:
    return 2.0 * np.arange(1, size + 1, dtype=np.float64) - size - 1
