"""The three forms a forecast takes when it is scored: an ensemble, a normal distribution, a single value.

Each holds differences from the observation in float64, never the values themselves: a float32 sum over
geopotential loses half a per cent, and every score here is invariant to a shift of both sides.

NaN, the one policy of this package: a difference is NaN where the observation or the forecast is NaN or
infinite, and so is every statistic of it. A missing observation then weighs nothing in the average
(``aggregate.observed_weights``), while a missing member or baseline makes the average NaN: a forecast that
blew up is seen, not scored on the points where it survived.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from data_pipeline.errors import ScoreError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Ensemble:
    """Members minus the observation, ``(member, ...)``.

    >>> Ensemble.of([[1.0, 5.0], [3.0, 7.0]], [2.0, 5.0]).error.tolist()
    [0.0, 1.0]
    """

    deviations: Floats

    @classmethod
    def of(cls, members: ArrayLike, observation: ArrayLike) -> Ensemble:
        """Members along axis 0 against one observation per point."""
        if np.ndim(members) != np.ndim(observation) + 1 or np.shape(members)[1:] != np.shape(observation):
            raise ScoreError(
                f"members have shape {np.shape(members)} and the observation {np.shape(observation)}; "
                "expected (member, ...) and (...)"
            )
        return cls(_difference(members, observation))

    @property
    def size(self) -> int:
        """The number of members."""
        return len(self.deviations)

    @cached_property
    def error(self) -> Floats:
        """Ensemble mean minus observation."""
        return np.asarray(self.deviations.mean(axis=0))


@dataclass(frozen=True)
class Gaussian:
    """A normal distribution at every point: its mean minus the observation, and its standard deviation."""

    error: Floats
    std: Floats

    @classmethod
    def of(cls, mean: ArrayLike, std: ArrayLike, observation: ArrayLike) -> Gaussian:
        """A mean and a standard deviation against one observation per point."""
        return cls(_difference(mean, observation), np.asarray(std, dtype=np.float64))


@dataclass(frozen=True)
class Point:
    """A forecast of one value without a probability: the value minus the observation."""

    error: Floats

    @classmethod
    def of(cls, value: ArrayLike, observation: ArrayLike) -> Point:
        """One value against one observation per point."""
        return cls(_difference(value, observation))


Forecast: TypeAlias = Ensemble | Gaussian | Point


def _difference(forecast: ArrayLike, observation: ArrayLike) -> Floats:
    with np.errstate(invalid="ignore"):  # infinity minus infinity, made NaN in the next line
        difference = np.subtract(forecast, observation, dtype=np.float64)
    return np.where(np.isfinite(difference), difference, np.nan)
