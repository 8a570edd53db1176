"""The forms a forecast takes when it is scored: an ensemble, a normal distribution, a single value.

Scores are made of differences from the observation, never of the values themselves: a float32 sum over
geopotential loses half a per cent, and every score here is invariant to a shift of both sides.

NaN, the one policy of this package: a difference is NaN where the observation or the forecast is NaN or
infinite, and so is every statistic of it. A missing observation then weighs nothing in the average
(``aggregate.observed_weights``), while a missing member or baseline makes the average NaN: a forecast that
blew up is seen, not scored on the points where it survived.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from data_pipeline.errors import ScoreError
from evaluation.metrics.summary import Summary, sorted_deviations, summary

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Numbers = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Ensemble:
    """Members ``(member, ...)`` and the observation ``(...)``, in the precision in which they were read.

    >>> Ensemble.of([[1.0, 5.0], [3.0, 7.0]], [2.0, 5.0]).error.tolist()
    [0.0, 1.0]
    """

    members: Numbers
    observation: Numbers

    @classmethod
    def of(cls, members: ArrayLike, observation: ArrayLike) -> Ensemble:
        """Members along axis 0 against one observation per point."""
        if np.ndim(members) != np.ndim(observation) + 1 or np.shape(members)[1:] != np.shape(observation):
            raise ScoreError(
                f"members have shape {np.shape(members)} and the observation {np.shape(observation)}; "
                "expected (member, ...) and (...)"
            )
        return cls(np.asarray(members), np.asarray(observation))

    @property
    def size(self) -> int:
        """The number of members."""
        return len(self.members)

    @cached_property
    def summary(self) -> Summary:
        """What most scores need, found once."""
        return summary(self.members, self.observation)

    @property
    def error(self) -> Floats:
        """Ensemble mean minus observation."""
        return self.summary.error

    @cached_property
    def deviations(self) -> Floats:
        """Members minus the observation in float64, NaN where either is not finite."""
        return _difference(self.members, self.observation)

    @cached_property
    def sorted(self) -> Numbers:
        """Members minus the observation, ascending at every point; in no order at a point where one is NaN."""
        return sorted_deviations(self.members, self.observation)


@dataclass(frozen=True)
class Gaussian:
    """A normal distribution at every point: its mean minus the observation, and its standard deviation."""

    error: Floats
    std: Floats
    observation: Numbers

    @classmethod
    def of(cls, mean: ArrayLike, std: ArrayLike, observation: ArrayLike) -> Gaussian:
        """A mean and a standard deviation against one observation per point."""
        return cls(_difference(mean, observation), np.asarray(std, dtype=np.float64), np.asarray(observation))


@dataclass(frozen=True)
class Point:
    """A forecast of one value without a probability: the value minus the observation."""

    error: Floats
    observation: Numbers

    @classmethod
    def of(cls, value: ArrayLike, observation: ArrayLike) -> Point:
        """One value against one observation per point."""
        return cls(_difference(value, observation), np.asarray(observation))


@dataclass(frozen=True)
class Quantiles:
    """Quantiles of a distribution minus the observation, ``(level, ...)``, at the probabilities ``levels``.

    No file that is scored holds these: they are a form of the caller's own, for ``crps.quantile_crps``.
    """

    levels: Floats
    error: Floats
    observation: Numbers

    @classmethod
    def of(cls, levels: ArrayLike, values: ArrayLike, observation: ArrayLike) -> Quantiles:
        """Values along axis 0 at ascending levels between 0 and 1, against one observation per point."""
        probabilities = np.asarray(levels, dtype=np.float64)
        inside = probabilities.ndim == 1 and np.all((probabilities > 0) & (probabilities < 1))
        if not inside or not np.all(np.diff(probabilities) > 0):
            raise ScoreError(
                f"got quantile levels {probabilities.tolist()}, expected numbers between 0 and 1, ascending, each once"
            )
        if np.shape(values) != (probabilities.size, *np.shape(observation)):
            raise ScoreError(
                f"quantiles have shape {np.shape(values)}, their {probabilities.size} levels and the observation "
                f"{np.shape(observation)}; expected (level, ...) and (...)"
            )
        return cls(probabilities, _difference(values, observation), np.asarray(observation))


Forecast: TypeAlias = Ensemble | Gaussian | Point


def _difference(forecast: ArrayLike, observation: ArrayLike) -> Floats:
    with np.errstate(invalid="ignore"):  # infinity minus infinity, made NaN in the next line
        difference = np.subtract(forecast, observation, dtype=np.float64)
    return np.where(np.isfinite(difference), difference, np.nan)
