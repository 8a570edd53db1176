"""Which metrics of two models can be compared, and in words why others cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evaluation.estimates import added_up_in, axes_of, has_series
from evaluation.metrics.registry import metric

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr

CURVES = ("rank", "pit", "probability", "relative_spread", "wavenumber", "degree", "cost_loss")
"""Axes along which a metric is one curve or histogram, with no number that could be compared."""
_SERIES, _ADDED_UP, _UNDECIDED, _CURVE = OBSTACLES = (
    "there is no one number for each initial time",
    "their tables were not kept for each initial time (score fewer regions, levels, leads or baselines)",
    "neither way is better",
    "each is a curve or histogram and no number",
)
"""Why a metric is not compared."""


def obstacle(sums: xr.Dataset, name: str) -> str | None:
    """Why a metric of these sums, of two models, cannot be compared, of ``OBSTACLES``; None if it can."""
    if not has_series(sums, name):
        return _ADDED_UP if set(metric(name).statistics) & set(added_up_in(sums)) else _SERIES
    if metric(name).direction == "none":
        return _UNDECIDED
    return _CURVE if set(axes_of(sums, name)) & set(CURVES) else None


def left_out(why: Mapping[str, str]) -> list[str]:
    """Notes on metrics that are not compared, by the reason."""
    return [
        f"not compared, as {words}: {', '.join(names)}"
        for words in OBSTACLES if (names := [name for name, own in why.items() if own == words])
    ]  # fmt: skip
