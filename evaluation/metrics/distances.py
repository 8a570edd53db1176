"""Distances between whole fields, all pairs at once, from one Gram matrix of an ensemble and its observation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from evaluation.metrics.products import add_gram

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Numbers = NDArray[np.floating[Any]]

BLOCK = 2048
"""Points that are multiplied together: 50 members of them in float64 take 0.8 MB, in the cache."""


class SquaredDistances(NamedTuple):
    """Of M members x_i and an observation y: squared, weighted, summed over points; NaN where a member is."""

    to_observation: Floats
    """``|x_i - y|^2``, (M,)"""
    between: Floats
    """``|x_i - x_j|^2``, (M, M)"""


def squared_distances(members: Numbers, observation: Numbers, weights: Floats) -> SquaredDistances:
    """``|a - b|^2 = sum_p w_p (a_p - b_p)^2 / sum_p w_p`` of members (M, ...) and observation (...), weights (...).

    From the Gram matrix G of all M + 1 fields by ``|a - b|^2 = G_aa + G_bb - 2 G_ab``, which loses no digits only if
    the origin is near: the observation is subtracted first, then the mean of the members. Sums are of float64, over
    blocks of points, so that no copy of the members is made. Points without weight are never looked at. Without any
    weight all distances are NaN.

    >>> found = squared_distances(np.array([[3.0, 9.0], [0.0, 4.0]]), np.zeros(2), np.ones(2))
    >>> found.to_observation.tolist(), found.between[0, 1].item()
    ([45.0, 8.0], 17.0)
    """
    gram = _gram(members.reshape(len(members), -1), np.ravel(observation), np.ravel(weights))
    norms = np.diag(gram)
    with np.errstate(invalid="ignore"):  # infinity minus infinity
        squares = np.maximum(norms[:, None] + norms - 2 * gram, 0.0)  # NaN stays
    np.fill_diagonal(squares, np.diag(squares) * 0)  # exactly
    return SquaredDistances(squares[-1, :-1], squares[:-1, :-1])


def _gram(members: Numbers, observation: Numbers, weights: Floats) -> Floats:
    """Of the members (M, point) and, last, the observation (point,), about the mean of the members."""
    count, total = len(members), weights.sum()
    gram, fields = np.zeros((count + 1, count + 1)), np.empty((count + 1, BLOCK))
    for start in range(0, observation.size, BLOCK):
        part = slice(start, start + BLOCK)
        inside = weights[part] > 0
        if not inside.any():
            continue
        block = fields[:, : inside.size]
        with np.errstate(invalid="ignore"):  # infinity minus infinity is NaN, and so are all its distances
            _centre(members[:, part], observation[part], block)
            block *= np.sqrt(weights[part])
            seen = block if inside.all() else block[:, inside]
            add_gram(seen, gram)
    gram += np.tril(gram, -1).T
    with np.errstate(invalid="ignore"):
        return gram / total if total > 0 else np.full_like(gram, np.nan)


def _centre(members: Numbers, observation: Numbers, block: Floats) -> None:
    """Fill ``block`` with members minus observation, then a zero for the observation, less the members' mean."""
    np.subtract(members, observation, out=block[:-1], dtype=np.float64)
    block[-1] = 0.0
    block -= block[:-1].mean(axis=0)
