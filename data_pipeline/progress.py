"""A progress bar on a terminal, a plain line now and then where the output is piped."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TypeVar

from tqdm import tqdm

if TYPE_CHECKING:
    from collections.abc import Iterable

T = TypeVar("T")

_SECONDS_BETWEEN_LINES = 15.0
_PLAIN = "{desc}: {n_fmt} of {total_fmt} {unit}s, {rate_fmt}, {elapsed} elapsed, {remaining} left\n"


def track(
    items: Iterable[T], description: str, unit: str, *, start: int = 0, total: int | None = None, enabled: bool = True
) -> Iterable[T]:
    """Iterate over ``items`` and show how far it is, on standard error."""
    if sys.stderr.isatty():
        return tqdm(items, description, initial=start, total=total, unit=unit, disable=not enabled)
    return tqdm(
        items, description, initial=start, total=total, unit=unit, disable=not enabled, bar_format=_PLAIN,
        mininterval=_SECONDS_BETWEEN_LINES, miniters=1,
    )  # fmt: skip
