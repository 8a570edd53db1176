"""Areas by rank of the observation among the members, and by its probability integral transform (PIT)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np
from scipy.special import ndtr

from evaluation.metrics.products import product

if TYPE_CHECKING:
    from evaluation.metrics.definitions import Sample
    from evaluation.metrics.forms import Floats, Gaussian

PIT_BINS = 20


def shared_ranks(below: Floats, equal: Floats, weights: Floats, size: int) -> Floats:
    """Area (rank 0..M) of observations with ``below`` and ``equal`` of M members, ties shared; NaN if one is missing.

    >>> shared_ranks(np.array([0.0, 1.0]), np.array([0.0, 1.0]), np.ones(2), 2).tolist()
    [1.0, 0.5, 0.5]
    """
    inside = np.flatnonzero(weights)
    lowest, ties = below.ravel()[inside], equal.ravel()[inside]
    if np.isnan(lowest).any():
        return np.full(size + 1, np.nan)
    codes = (lowest * (size + 1) + ties).astype(np.int64)
    area = np.bincount(codes, weights.ravel()[inside], minlength=(size + 1) ** 2).reshape(size + 1, size + 1)
    found = np.zeros(size + 1)
    for tied in np.flatnonzero(area.any(axis=0)).tolist():
        for rank in range(size + 1 - tied):
            found[rank : rank + tied + 1] += area[rank, tied] / (tied + 1)
    return found


def randomised_ranks(below: Floats, equal: Floats, uniform: Floats) -> Floats:
    """One of the ranks ``below`` to ``below + equal`` at every point, by uniform numbers in [0, 1)."""
    return np.minimum(below + np.floor(uniform * (equal + 1)), below + equal)


def uniform_numbers(sample: Sample) -> Floats:
    """Numbers in [0, 1), (latitude, longitude): a function of seed, channel, valid time and lead, and of nothing else.

    They are drawn by a counter-based generator (Philox; Salmon et al. 2011, doi:10.1145/2063384.2063405).
    """
    key = [
        sample.settings.seed % 2**64,
        crc32(sample.channel.name.encode()),
        int(sample.valid_time.astype("datetime64[s]").astype(np.int64)) % 2**64,
        round(sample.lead_hours * 3600),
    ]
    generator = np.random.Generator(np.random.Philox(np.random.SeedSequence(key)))
    return generator.random(sample.forecast.observation.shape)


def pit_of_ranks(ranks: Floats) -> Floats:
    """A rank histogram (rank) in ``PIT_BINS`` equal bins: rank r is spread over r/(M + 1) to (r + 1)/(M + 1).

    >>> pit_of_ranks(np.array([2.0, 0.0]))[8:12].round(3).tolist()
    [0.2, 0.2, 0.0, 0.0]
    """
    ends = np.arange(len(ranks) + 1) * PIT_BINS  # in units of 1 / (PIT_BINS (M + 1)): whole numbers
    edges = np.arange(PIT_BINS + 1) * len(ranks)
    overlap = np.minimum(ends[1:], edges[1:, None]) - np.maximum(ends[:-1], edges[:-1, None])
    return product(np.maximum(overlap, 0) / PIT_BINS, ranks[:, None])[:, 0]


def gaussian_pit(gaussian: Gaussian, weights: Floats) -> Floats:
    """Area (bin) of ``Phi((y - mean) / std)`` in ``PIT_BINS`` equal bins, an edge belonging to the upper one.

    Without width it is 0 or 1, and spread evenly if the observation is the mean. NaN if one is missing.
    """
    inside = np.flatnonzero(weights)
    error, std, area = (values.ravel()[inside] for values in (gaussian.error, gaussian.std, weights))
    if np.isnan(error).any() or not (std >= 0).all():
        return np.full(PIT_BINS, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        integral = ndtr(-error / std)  # NaN where both are zero
    anywhere = np.isnan(integral)
    place = np.minimum(integral[~anywhere] * PIT_BINS, PIT_BINS - 1).astype(np.int64)
    return np.asarray(np.bincount(place, area[~anywhere], minlength=PIT_BINS) + area[anywhere].sum() / PIT_BINS)
