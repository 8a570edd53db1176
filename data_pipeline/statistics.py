"""Streaming moments per channel: mean, standard deviation and the standard deviation of the tendency."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

TENDENCY_HOURS = (6, 12, 24)


@dataclass(frozen=True)
class Moments:
    """Weight, mean and sum of squared deviations per channel; ``+`` merges them exactly under any split.

    Chan, Golub and LeVeque (1983), eq. 2.1, so that float64 suffices for geopotential's large mean.
    """

    weight: float
    mean: Floats
    squares: Floats

    @classmethod
    def of(cls, fields: NDArray[np.floating], area_weights: Floats) -> Moments:
        """Moments of ``(time, channel, latitude, longitude)`` weighted by ``area_weights`` of the latitudes."""
        values = fields.astype(np.float64)
        share = area_weights / (area_weights.sum() * values.shape[0] * values.shape[3])
        mean = np.einsum("tcij,i->c", values, share)
        squares = np.einsum("tcij,i->c", (values - mean[:, None, None]) ** 2, share)
        weight = float(values.shape[0])
        return cls(weight, mean, squares * weight)

    def __add__(self, other: Moments) -> Moments:
        weight = self.weight + other.weight
        difference = other.mean - self.mean
        mean = self.mean + difference * (other.weight / weight)
        squares = self.squares + other.squares + difference**2 * (self.weight * other.weight / weight)
        return Moments(weight, mean, squares)

    @property
    def std(self) -> Floats:
        """Standard deviation per channel (of the population)."""
        return np.sqrt(self.squares / self.weight)


@dataclass(frozen=True)
class Statistics:
    """What scales the network's inputs and targets: arrays of shape (channel,), in the channels' units.

    ``tendency_std[h]`` is the standard deviation of the change over ``h`` hours.
    """

    mean: Floats
    std: Floats
    tendency_std: dict[int, Floats]


def compute_statistics(slabs: Iterable[NDArray[np.floating]], area_weights: Floats, interval_hours: int) -> Statistics:
    """Statistics of consecutive slabs ``(time, channel, latitude, longitude)``, each held once.

    The last states of a slab are kept so that tendencies across its end count too.
    """
    lags = _lags(interval_hours)
    tail: NDArray[np.floating] | None = None
    state: list[Moments] = []
    changes: dict[int, list[Moments]] = {hours: [] for hours in lags}
    for slab in slabs:
        state.append(Moments.of(slab, area_weights))
        known = slab if tail is None else np.concatenate([tail, slab])
        fresh = 0 if tail is None else len(tail)
        for hours, lag in lags.items():
            first = max(fresh, lag)
            if len(known) > first:
                change = known[first:].astype(np.float64) - known[first - lag : len(known) - lag]
                changes[hours].append(Moments.of(change, area_weights))
        tail = known[-max(lags.values(), default=1) :]
    total = _merge(state)
    return Statistics(total.mean, total.std, {hours: _merge(parts).std for hours, parts in changes.items() if parts})


def _lags(interval_hours: int) -> dict[int, int]:
    return {hours: hours // interval_hours for hours in TENDENCY_HOURS if hours % interval_hours == 0}


def _merge(parts: Sequence[Moments]) -> Moments:
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total
