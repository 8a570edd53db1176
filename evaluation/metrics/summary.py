"""Six numbers at every point that most scores of an ensemble are made of, found in one reading of its members."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

try:
    from evaluation.metrics.network import count_below, sort_deviations, summarise
except ImportError:  # no compiler on this machine
    from evaluation.metrics.plain import count_below, sort_deviations, summarise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.floating[Any]]
    Floats = NDArray[np.float64]


class Summary(NamedTuple):
    """Of M members x_i and an observation y, each field of the shape of the observation.

    NaN in all of them where a member or the observation is NaN or infinite.
    """

    distance: Floats
    """``mean_i |x_i - y|``"""
    pair_distances: Floats
    """``sum_ij |x_i - x_j|`` over all M^2 ordered pairs: of sorted values ``sum_i 2 (2 i - M - 1) x_(i)``"""
    error: Floats
    """``mean_i x_i - y``"""
    squares: Floats
    """``sum_i (x_i - mean)^2``"""
    below: Floats
    """The number of members below y"""
    equal: Floats
    """The number of members equal to y"""


def summary(members: Numbers, observation: Numbers) -> Summary:
    """The summary of members (member, ...) against an observation (...).

    The observation is subtracted before anything is summed, in the precision of the data; sums are of float64.

    >>> found = summary(np.array([[0.0], [2.0], [5.0]]), np.array([2.0]))
    >>> [float(values[0]) for values in found]  # doctest: +NORMALIZE_WHITESPACE
    [1.6666666666666667, 20.0, 0.3333333333333333, 12.666666666666666, 1.0, 1.0]
    """
    flat, target = _flat(members, observation)
    found = np.empty((len(Summary._fields), target.size))
    summarise(flat, target, found)
    return Summary(*found.reshape(-1, *np.shape(observation)))


def sorted_deviations(members: Numbers, observation: Numbers) -> Numbers:
    """Members minus the observation (member, ...), ascending; what is NaN at a point is anywhere along it.

    >>> sorted_deviations(np.array([[5.0], [0.0]]), np.array([2.0])).tolist()
    [[-2.0], [3.0]]
    """
    return sort_deviations(*_flat(members, observation)).reshape(np.shape(members))


def ranks(members: Numbers, observation: Numbers) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The number of members below the observation and equal to it; both 0 at NaN.

    >>> below, equal = ranks(np.array([[0.0], [2.0], [2.0]]), np.array([2.0]))
    >>> below.tolist(), equal.tolist()
    ([1], [2])
    """
    flat, target = _flat(members, observation)
    found = np.empty((2, target.size), np.int32)
    count_below(flat, target, found)
    below, equal = found.reshape(2, *np.shape(observation))
    return below, equal


def _flat(members: Numbers, observation: Numbers) -> tuple[Numbers, Numbers]:
    """Both of one precision, float32 only if both are, points flattened."""
    precision = np.result_type(members, observation)
    if precision not in (np.float32, np.float64):
        precision = np.dtype(np.float32 if precision == np.float16 else np.float64)
    ensemble = np.ascontiguousarray(members, dtype=precision)
    return ensemble.reshape(len(ensemble), -1), np.ascontiguousarray(observation, dtype=precision).reshape(-1)
