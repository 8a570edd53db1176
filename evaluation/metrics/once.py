"""What several statistics of one sample share is found once."""

from __future__ import annotations

from functools import wraps
from hashlib import blake2b
from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from evaluation.metrics.definitions import Sample
    from evaluation.metrics.forms import Floats

T = TypeVar("T")


def once(function: Callable[[Sample], T]) -> Callable[[Sample], T]:
    """The function of a sample, whose value stays with the sample as a ``cached_property`` would."""

    @wraps(function)
    def found(sample: Sample) -> T:
        return _held(sample, _name(function), lambda: function(sample))

    return found


def once_in_region(function: Callable[[Sample, Floats], T]) -> Callable[[Sample, Floats], T]:
    """Likewise of a sample and of weights (latitude, longitude): each statistic makes its own copy of a region's."""

    @wraps(function)
    def found(sample: Sample, weights: Floats) -> T:
        digest = blake2b(np.ascontiguousarray(weights).data).hexdigest()
        return _held(sample, f"{_name(function)} {digest}", lambda: function(sample, weights))

    return found


def _name(function: Callable[..., object]) -> str:
    return f"{function.__module__}.{function.__qualname__}"


def _held(sample: Sample, key: str, make: Callable[[], T]) -> T:
    held = vars(sample)
    if key not in held:
        held[key] = make()
    value: T = held[key]
    return value
