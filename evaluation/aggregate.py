"""Weighted averages that add up: any split of the points or times, in any order, gives the same mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from evaluation.metrics.forms import Floats


@dataclass(frozen=True)
class AggregationState:
    """The sum of a weighted statistic and the sum of its weights.

    >>> west, east = AggregationState(6.0, 2.0), AggregationState(0.0, 1.0)
    >>> (west + east).mean
    2.0
    """

    total: float = 0.0
    weight: float = 0.0

    @classmethod
    def of(cls, statistic: Floats, weights: Floats) -> AggregationState:
        """Sums over every point; where the weight is zero the statistic does not matter, even if NaN."""
        weighted = np.where(weights > 0, weights * statistic, 0.0)
        return cls(float(weighted.sum()), float(weights.sum()))

    def __add__(self, other: AggregationState) -> AggregationState:
        return AggregationState(self.total + other.total, self.weight + other.weight)

    @property
    def mean(self) -> float:
        """The weighted mean, NaN if nothing had weight."""
        return self.total / self.weight if self.weight > 0 else float("nan")


def observed_weights(area: Floats, observation: NDArray[np.floating]) -> Floats:
    """Weights ``(latitude, longitude)``: the row's area where the observation is valid, zero elsewhere.

    ``area`` comes from ``Grid.area_weights`` and from nowhere else.

    >>> observed_weights(np.array([1.0, 2.0]), np.array([[5.0, np.nan], [6.0, 7.0]])).tolist()
    [[1.0, 0.0], [2.0, 2.0]]
    """
    return np.where(np.isfinite(observation), area[:, np.newaxis], 0.0)
