"""What several statistics of one sample share is found once."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from evaluation.metrics.definitions import Sample

T = TypeVar("T")


def once(function: Callable[[Sample], T]) -> Callable[[Sample], T]:
    """The function of a sample, whose value stays with the sample as a ``cached_property`` would."""
    key = f"{function.__module__}.{function.__qualname__}"

    @wraps(function)
    def found(sample: Sample) -> T:
        held = vars(sample)
        if key not in held:
            held[key] = function(sample)
        value: T = held[key]
        return value

    return found
