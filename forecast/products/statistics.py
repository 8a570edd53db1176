"""What is said of the members at one variable, level and time: the formulas, without files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.floating]

EXTREMES = {"maximum": np.maximum, "minimum": np.minimum}
"""Of each member within a window; a value that is missing at one of its times is missing."""


def whole_members(fields: Floats) -> NDArray[np.bool_]:
    """Which members (first dimension) have any value; a member that was stopped has none and does not count."""
    return np.asarray(np.isfinite(fields).any(axis=tuple(range(1, fields.ndim))))


def statistics(
    fields: Floats, quantiles: Sequence[float], above: Sequence[float], below: Sequence[float]
) -> dict[str, Floats]:
    """Products of ``fields`` (member, latitude, longitude) under the names that they have in a file.

    ``mean`` and ``spread`` (standard deviation with M - 1; NaN for one member), ``quantile`` (level, ...),
    ``probability_above`` and ``probability_below`` (threshold, ...): the fraction of the members strictly beyond.
    Members without any value are left out; a point where another member has none is missing in every product.

    >>> found = statistics(np.array([[[1.0]], [[2.0]], [[6.0]]]), [0.5], [1.5], [])
    >>> [round(float(values.flat[0]), 3) for values in found.values()]
    [3.0, 2.646, 2.0, 0.667]
    """
    members = fields[whole_members(fields)]
    if len(members) == 0:
        return _nothing(fields.shape[1:], len(quantiles), len(above), len(below))
    mean = members.mean(axis=0, dtype=np.float64)
    known = np.isfinite(mean)
    made = {"mean": mean, "spread": _spread(members, mean)}
    if quantiles:
        made["quantile"] = sorted_quantiles(members, quantiles)
    if above:
        made["probability_above"] = np.stack([_fraction(members > value, known) for value in above])
    if below:
        made["probability_below"] = np.stack([_fraction(members < value, known) for value in below])
    return {name: values.astype(np.float32) for name, values in made.items()}


def sorted_quantiles(members: Floats, levels: Sequence[float]) -> Floats:
    """Quantiles (level, ...) of the members, by linear interpolation between order statistics.

    Position p (M - 1) of the ascending members (Hyndman and Fan 1996, definition 7, numpy's default).
    """
    ascending = np.sort(members, axis=0)
    positions = np.asarray(levels) * (len(members) - 1)
    lower = np.floor(positions).astype(int)
    upper = np.minimum(lower + 1, len(members) - 1)
    weight = (positions - lower).astype(members.dtype).reshape(-1, *(1 for _ in members.shape[1:]))
    between = ascending[lower] + weight * (ascending[upper] - ascending[lower])
    return np.asarray(np.where(np.isfinite(ascending[-1]), between, np.nan))


def _spread(members: Floats, mean: Floats) -> Floats:
    if len(members) < 2:
        return np.full(mean.shape, np.nan)
    squares = np.zeros(mean.shape)
    for member in members:
        squares += (member - mean) ** 2
    return np.asarray(np.sqrt(squares / (len(members) - 1)))


def _fraction(events: NDArray[np.bool_], known: NDArray[np.bool_]) -> Floats:
    return np.asarray(np.where(known, events.mean(axis=0, dtype=np.float64), np.nan))


def _nothing(shape: tuple[int, ...], quantiles: int, above: int, below: int) -> dict[str, Floats]:
    counts = {"quantile": quantiles, "probability_above": above, "probability_below": below}
    stacked = {name: np.full((count, *shape), np.nan, np.float32) for name, count in counts.items() if count}
    return {name: np.full(shape, np.nan, np.float32) for name in ("mean", "spread")} | stacked
