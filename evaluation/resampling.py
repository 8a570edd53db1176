"""A block bootstrap: initial times are drawn again in blocks as long as their weather remembers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from evaluation.significance import Floats

RESAMPLES = 1000


def block_lengths(deviations: Floats) -> Floats:
    """Lengths (series,) that estimate the variance of a mean best, of deviations from means (time, series).

    ``b = (2 G^2 / D n)^(1/3)``, ``G = sum lambda(k/m) |k| R_k``, ``D = 4/3 (sum lambda(k/m) R_k)^2``, with the flat-top
    window lambda and m twice the lag beyond which autocorrelations are within ``2 sqrt(log10(n)/n)``: Politis and White
    2004 with the correction of Patton, Politis and White 2009, doi:10.1080/07474930802459016, of circular blocks. From
    1 (white noise) to ``min(3 sqrt(n), n/3)``.
    """
    count = len(deviations)
    lags = min(int(np.ceil(np.sqrt(count))) + _run(count), count - 1)
    covariances = [(deviations[lag:] * deviations[: count - lag]).sum(axis=0) / count for lag in range(lags + 1)]
    longest = np.ceil(min(3 * np.sqrt(count), count / 3))
    return np.asarray([_block_length(own, count, longest) for own in np.asarray(covariances).T])


def _run(count: int) -> int:
    """How many small autocorrelations in a row end the memory."""
    return max(5, int(np.ceil(np.log10(count))))


def _block_length(covariances: Floats, count: int, longest: float) -> float:
    if not covariances[0] > 0:  # constant, or NaN
        return 1.0
    lag = np.arange(1, min(max(2 * _memory(covariances, count), 1), len(covariances) - 1) + 1)
    window = np.minimum(1.0, 2 * (1 - lag / lag[-1]))
    slope = 2 * (window * lag * covariances[lag]).sum()
    spectrum = covariances[0] + 2 * (window * covariances[lag]).sum()
    if spectrum <= 0:
        return float(longest)
    return float(np.clip((2 * slope**2 / (4 / 3 * spectrum**2) * count) ** (1 / 3), 1.0, longest))


def _memory(covariances: Floats, count: int) -> int:
    """The lag after which a run of autocorrelations is small."""
    large = np.abs(covariances[1:] / covariances[0]) >= 2 * np.sqrt(np.log10(count) / count)
    run = _run(count)
    for lag in range(len(large) - run + 1):
        if not large[lag : lag + run].any():
            return lag
    return int(np.flatnonzero(large)[-1]) + 1 if large.any() else 0


def common_length(deviations: Floats) -> int:
    """One block length for all series, as they are drawn together: the median of theirs, but at least 1.3 sqrt(n).

    The lower limit is what intervals need to cover what they say (Lazarus et al. 2018,
    doi:10.1080/07350015.2018.1506926), where the best estimate of the variance does with shorter blocks; at most half
    of the times.
    """
    count = len(deviations)
    wanted = max(float(np.median(block_lengths(deviations))), 1.3 * np.sqrt(count))
    return int(min(np.ceil(wanted), max(count // 2, 1)))


def circular_blocks(count: int, length: int, resamples: int, seed: int = 0) -> Floats:
    """How often each of ``count`` times is in each resample, (resample, time); the last is followed by the first.

    >>> circular_blocks(4, 4, 3).tolist()
    [[1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0]]
    """
    starts = np.random.default_rng(seed).integers(count, size=(resamples, -(-count // length), 1))
    drawn = ((starts + np.arange(length)) % count).reshape(resamples, -1)[:, :count]
    weights = np.zeros((resamples, count))
    np.add.at(weights, (np.arange(resamples)[:, None], drawn), 1.0)
    return weights


def stretch(length: int, count: int) -> float:
    """How much wider than normal the bootstrap's quantiles must be for blocks that are no small part of the series.

    ``(1.9600 + 2.9694 b + 0.4160 b^2 - 0.5324 b^3)/1.96``, b the share of a block in the series: the fixed-b critical
    value at 97.5 % of the Bartlett kernel, whose variance circular blocks have; Kiefer and Vogelsang 2005,
    doi:10.1017/S0266466605050565, table 1.

    >>> round(stretch(10, 100), 2)
    1.15
    """
    share = length / count
    return (1.96 + 2.9694 * share + 0.4160 * share**2 - 0.5324 * share**3) / 1.96


def bootstrap_interval(
    estimate: Floats, resampled: Floats, width: float, confidence: float
) -> tuple[Floats, Floats, Floats]:
    """Lower and upper end of the percentile interval, and the two-sided p-value that the truth is zero.

    ``resampled`` is (resample, ...), whose deviations from the estimate are stretched by ``width``. No p-value is below
    2/(resamples + 1).
    """
    around = estimate + width * (resampled - estimate)
    unknown = np.asarray(np.isnan(around).any(axis=0))
    lower, upper = np.quantile(np.nan_to_num(around), [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    beyond = np.minimum((around <= 0).sum(axis=0), (around >= 0).sum(axis=0))
    p_value = np.minimum(2 * (1.0 + beyond) / (len(around) + 1), 1.0)
    return _known(lower, unknown), _known(upper, unknown), _known(p_value, unknown)


def _known(values: Floats, unknown: NDArray[np.bool_]) -> Floats:
    return np.where(unknown, np.nan, values)
