"""Extreme forecast index (EFI) and shift of tails (SOT): how far an ensemble is from the climate.

``EFI = 2/pi int_0^1 (p - F_f(p)) / sqrt(p (1 - p)) dp`` with ``F_f(p)`` the share of members not above the climate's
quantile of p: Lalaurette 2003 (doi:10.1256/qj.02.152), with the weight 1/sqrt(p (1 - p)) of Zsoter 2006 (ECMWF
Newsletter 107). Between the quantiles given ``F_f`` is linear, and the integral is exact; beyond the first and the last
it is constant. Where the climate has the same value at several levels, as dry days have, members that share it are
spread evenly over these levels: neither the strict nor the other inequality, of which one calls a dry forecast in a
desert extremely wet and the other extremely dry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.errors import ScoreError
from evaluation.metrics.products import product
from evaluation.metrics.summary import ranks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evaluation.metrics.forms import Floats, Numbers

LEVELS = (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
"""Of the climate's quantiles that the score's EFI is made of: those that the pipeline's climatology keeps."""


def efi(members: Numbers, climate_quantile_levels: Sequence[float], climate_quantiles: Numbers) -> Floats:
    """The extreme forecast index, from -1 (all members below the climate) to 1 (all above).

    Parameters
    ----------
    members
        (member, ...).
    climate_quantile_levels
        In 0..1, ascending.
    climate_quantiles
        (level, ...), of the same points.

    Returns
    -------
    (...), NaN where a member or a quantile is missing.

    Raises
    ------
    ScoreError
        If shapes differ or levels do not ascend within 0..1.

    >>> climate = np.linspace(-2, 2, 5)[:, None]
    >>> [float(efi(np.full((3, 1), value), [0, 0.25, 0.5, 0.75, 1], climate)[0].round(6)) for value in (-9, 0, 9)]
    [-1.0, -0.162752, 1.0]
    """
    levels = _checked_levels(climate_quantile_levels, np.shape(members), np.shape(climate_quantiles))
    shares = _shares_below(np.asarray(members), levels, np.asarray(climate_quantiles))
    index = 1 - product(_integration_weights(levels)[None], shares.reshape(len(levels), -1)).reshape(shares.shape[1:])
    return np.where(np.isfinite(members).all(axis=0) & np.isfinite(climate_quantiles).all(axis=0), index, np.nan)


def shift_of_tails(members: Numbers, level: float, climate_quantile: Numbers, climate_tail: Numbers) -> Floats:
    """``(Q_f(level) - Q_c(tail)) / (Q_c(tail) - Q_c(level))``; positive: members beyond the climate's tail.

    Zsoter 2006, ECMWF Newsletter 107; for the upper tail the level is 0.9 and the tail 0.99, for the lower 0.1 and
    0.01.

    Parameters
    ----------
    members
        (member, ...); their quantile is interpolated linearly (Hyndman and Fan's type 7).
    level
        Above 0.5 for the upper tail, below for the lower.
    climate_quantile, climate_tail
        (...), the climate's quantiles of ``level`` and of the tail.

    Returns
    -------
    (...), NaN where a member is missing or the climate's two quantiles are equal.

    >>> shift_of_tails(np.array([[12.0]]), 0.9, np.array([8.0]), np.array([10.0])).tolist()
    [1.0]
    """
    reference = np.asarray(climate_tail, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        beyond = np.quantile(np.asarray(members) - reference, level, axis=0)
        width = reference - climate_quantile
        return np.where(np.isfinite(members).all(axis=0) & (width != 0), beyond / width, np.nan)


def _checked_levels(levels: Sequence[float], members: tuple[int, ...], quantiles: tuple[int, ...]) -> Floats:
    """The levels, if they ascend and belong to arrays of these shapes."""
    values = np.asarray(levels, dtype=np.float64)
    if values.ndim != 1 or not values.size or (np.diff(values) <= 0).any() or values[0] < 0 or values[-1] > 1:
        raise ScoreError(f"got levels {list(levels)} of the climate's quantiles, expected numbers ascending in 0..1")
    if quantiles != (len(values), *members[1:]):
        raise ScoreError(
            f"members have shape {members} and quantiles {quantiles} of {len(values)} levels; expected (member, ...) "
            "and (level, ...)"
        )
    return values


def _integration_weights(levels: Floats) -> Floats:
    """``c_k`` with ``EFI = 1 - sum_k c_k F_f(p_k)``: ``2/pi`` times integrals of hat functions over sqrt(p (1 - p)).

    With A(p) = 2 arcsin(sqrt p) and B(p) = arcsin(sqrt p) - sqrt(p (1 - p)), the integrals of 1 and of p over the root.
    """
    a = 2 * np.arcsin(np.sqrt(levels))
    b = a / 2 - np.sqrt(levels * (1 - levels))
    rises = (np.diff(b) - levels[:-1] * np.diff(a)) / np.diff(levels)
    weights = np.zeros(len(levels))
    weights[1:] += rises
    weights[:-1] += np.diff(a) - rises
    weights[0] += a[0]
    weights[-1] += np.pi - a[-1]
    return weights * 2 / np.pi


def _shares_below(members: Numbers, levels: Floats, quantiles: Numbers) -> Floats:
    """``F_f`` at every level (level, ...); of members that equal quantiles of several levels, as far as the level is.

    Of members that equal one quantile alone, all count as below.
    """
    first, last = _extent_of_ties(levels, quantiles)
    shares = np.empty(np.shape(quantiles))
    for place, quantile in enumerate(quantiles):
        below, equal = ranks(members, quantile.astype(members.dtype))
        width = last[place] - first[place]
        reached = np.divide(levels[place] - first[place], width, out=np.ones_like(width), where=width > 0)
        shares[place] = (below + reached * equal) / len(members)
    return shares


def _extent_of_ties(levels: Floats, quantiles: Numbers) -> tuple[Floats, Floats]:
    """The lowest and the highest level with the same quantile as each, (level, ...)."""
    first = np.empty(np.shape(quantiles))
    first[:] = levels.reshape(-1, *(1 for _ in np.shape(quantiles)[1:]))
    last = first.copy()
    for place in range(1, len(levels)):
        same = quantiles[place] == quantiles[place - 1]
        first[place] = np.where(same, first[place - 1], first[place])
    for place in range(len(levels) - 2, -1, -1):
        same = quantiles[place] == quantiles[place + 1]
        last[place] = np.where(same, last[place + 1], last[place])
    return first, last
