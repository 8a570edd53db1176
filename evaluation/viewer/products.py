"""One field of an ensemble: its mean, spread, quantiles, extremes, probabilities, or a member."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from evaluation.plots.fields import EnsembleField

    Floats = NDArray[np.float64]

QUANTILES = (10, 50, 90)
PERCENTS = (0, 10, 25, 50, 75, 90, 100)
"""Quantiles of a meteogram."""
MOST_THRESHOLDS = 5


@dataclass(frozen=True)
class Product:
    """What is made of the members; ``scale`` is which colours it takes, as ``evaluation.viewer.scales`` names them."""

    label: str
    scale: str
    make: Callable[[EnsembleField], Floats]


def _quantile(percent: int) -> Callable[[EnsembleField], Floats]:
    return lambda ensemble: ensemble.quantile(percent / 100)


STATISTICS: dict[str, Product] = {
    "mean": Product("ensemble mean", "field", lambda ensemble: ensemble.mean()),
    "spread": Product("ensemble spread", "spread", lambda ensemble: ensemble.spread()),
    **{f"q{percent}": Product(f"{percent} % quantile", "field", _quantile(percent)) for percent in QUANTILES},
    "min": Product("lowest member", "field", lambda ensemble: ensemble.values.min(axis=0)),
    "max": Product("highest member", "field", lambda ensemble: ensemble.values.max(axis=0)),
}
"""Of all members that have values."""

_MEMBER = re.compile(r"m(\d{1,5})")
_PROBABILITY = re.compile(r"p(\d)")


def member_of(product: str) -> int | None:
    """The position of the member that it is, None if it is no member.

    >>> member_of("m12"), member_of("mean")
    (12, None)
    """
    found = _MEMBER.fullmatch(product)
    return int(found[1]) if found else None


def threshold_of(product: str) -> int | None:
    """The position of the threshold that it is the probability of, None if it is none.

    >>> threshold_of("p2"), threshold_of("q10")
    (2, None)
    """
    found = _PROBABILITY.fullmatch(product)
    return int(found[1]) if found else None


def thresholds(edges: tuple[float, ...], low: float, high: float) -> tuple[float, ...]:
    """At most ``MOST_THRESHOLDS`` of the class edges that lie between two values, evenly chosen.

    >>> thresholds((0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0), 0.5, 6.5)
    (1.0, 2.0, 3.0, 5.0, 6.0)
    """
    inside = [edge for edge in edges if low < edge < high]
    places = np.linspace(0, max(len(inside) - 1, 0), MOST_THRESHOLDS).round()
    return tuple(inside[place] for place in sorted({int(place) for place in places}) if inside)
