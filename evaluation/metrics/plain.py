"""What ``network`` computes, in plain numpy: slower and equal, for machines without the compiler, and for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.floating[Any]]
    Floats = NDArray[np.float64]


def summarise(members: Numbers, observation: Numbers, found: Floats) -> None:
    """Fill ``found`` (quantity, point); see ``evaluation.metrics.summary``."""
    deviations = sort_deviations(members, observation).astype(np.float64)
    count = len(deviations)
    with np.errstate(invalid="ignore"):
        mean = deviations.mean(axis=0)
        found[0] = np.abs(deviations).mean(axis=0)
        found[1] = np.einsum("m,mp->p", 2.0 * (2 * np.arange(count) + 1 - count), deviations)
        found[2] = mean
        found[3] = np.square(deviations - mean).sum(axis=0)
    found[4] = (deviations < 0).sum(axis=0)
    found[5] = (deviations == 0).sum(axis=0)
    found[:, ~np.isfinite(found[3])] = np.nan


def sort_deviations(members: Numbers, observation: Numbers) -> Numbers:
    """Members minus the observation (member, point), ascending at every point."""
    with np.errstate(invalid="ignore", over="ignore"):
        return np.sort(members - observation, axis=0)


def count_below(members: Numbers, observation: Numbers, found: NDArray[np.int32]) -> None:
    """Fill ``found`` (2, point) with the number of members below the observation and equal to it."""
    found[0] = (members < observation).sum(axis=0)
    found[1] = (members == observation).sum(axis=0)


def run_up(fields: Numbers, shift: Numbers, counted: NDArray[np.bool_], periodic: bool, running: Floats) -> None:
    """See ``evaluation.metrics.windows``."""
    columns = fields.shape[2]
    reach = (running.shape[2] - columns - 1) // 2
    with np.errstate(invalid="ignore"):
        values = np.where(counted, np.subtract(fields, shift, dtype=np.float64), 0.0)
    own = running[..., reach : reach + 1 + columns]
    own[..., 0] = 0.0
    np.cumsum(values, axis=-1, out=own[..., 1:])
    total = own[..., -1:]
    running[..., :reach] = own[..., columns - reach : columns] - total if periodic else 0.0
    running[..., reach + 1 + columns :] = total + own[..., 1 : reach + 1] if periodic else total


def sum_windows(running: Floats, widths: NDArray[np.int64], areas: Floats, whole: int, found: Floats) -> None:
    """See ``evaluation.metrics.windows``."""
    columns = found.shape[2]
    reach = (running.shape[2] - columns - 1) // 2
    found[:] = 0.0
    for (centre, row), width in np.ndenumerate(widths):
        own = running[:, row]
        if width >= whole:
            found[:, centre] += areas[row] * (own[:, reach + columns] - own[:, reach])[:, None]
        elif width >= 0:
            first, after = reach - width, reach + width + 1
            found[:, centre] += areas[row] * (own[:, after : after + columns] - own[:, first : first + columns])


def raise_to_maxima(pooled: Numbers, table: Numbers, widths: NDArray[np.int64], reach: int, length: int) -> None:
    """See ``evaluation.metrics.windows``."""
    columns = pooled.shape[2]
    for centre, width in enumerate(widths.tolist()):
        if width >= 0 and length <= 2 * width + 1 < 2 * length:
            for start in (reach - width, reach + width + 1 - length):
                np.maximum(pooled[:, centre], table[:, start : start + columns], out=pooled[:, centre])


def add_product(one: Floats, other: Floats, found: Floats, *, lower: bool) -> None:
    """Add ``one @ other`` to ``found``, with ``lower`` its lower triangle only."""
    whole = np.einsum("ik,kj->ij", one, other)
    found += np.tril(whole) if lower else whole
