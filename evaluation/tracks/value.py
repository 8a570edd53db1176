"""Relative economic value of a probability forecast, for users who differ in what protection costs them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]


def economic_value(
    hit_rate: ArrayLike, false_alarm_rate: ArrayLike, base_rate: ArrayLike, cost_loss: ArrayLike
) -> Floats:
    """Saving of a forecast as a share of the saving of a perfect one, both beside what is usual alone.

    ``V = (min(a, s) - F a (1 - s) + H s (1 - a) - s) / (min(a, s) - s a)`` with the hit rate ``H``, the false-alarm
    rate ``F``, the base rate ``s`` and the cost/loss ratio ``a`` (Richardson 2000, doi:10.1002/qj.49712656313).
    1 is perfect, 0 as good as always or never to protect. NaN for an event that never or always happens. Arguments
    broadcast.

    >>> float(economic_value(1.0, 0.0, 0.1, 0.2).round(12))
    1.0
    """
    h, f, s, a = (np.asarray(part, dtype=np.float64) for part in (hit_rate, false_alarm_rate, base_rate, cost_loss))
    usual = np.minimum(a, s)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = (usual - f * a * (1 - s) + h * s * (1 - a) - s) / (usual - s * a)
    return np.where((s > 0) & (s < 1), value, np.nan)


def potential_value(area: Floats, struck: Floats, cost_loss: ArrayLike) -> Floats:
    """Value (..., cost_loss) for users who act above the probability that is best for them.

    ``area`` and ``struck`` (..., class) are the weights of all places and of those where it happened, by ascending
    class of probability. Users may always or never act too, so that it is no less than 0.

    >>> potential_value(np.array([8.0, 2.0]), np.array([0.0, 2.0]), [0.5]).round(12).tolist()
    [1.0]
    """
    total, happened = area.sum(axis=-1, keepdims=True), struck.sum(axis=-1, keepdims=True)
    above = np.flip(np.cumsum(np.flip(area, -1), -1), -1)
    hits = np.flip(np.cumsum(np.flip(struck, -1), -1), -1)
    with np.errstate(invalid="ignore", divide="ignore"):
        hit_rate, false_alarm_rate = hits / happened, (above - hits) / (total - happened)
        base_rate = happened / total
    thresholds = economic_value(
        hit_rate[..., None], false_alarm_rate[..., None], base_rate[..., None], np.asarray(cost_loss)
    )
    return np.asarray(np.maximum(thresholds.max(axis=-2), 0.0))
