"""What tells levels apart: geopotential falls with pressure; air is warmer and moister below (300 hPa and more)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.quality.geography import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

RISES_DOWNWARD = ("temperature", "specific_humidity")
_TOP_HPA = 300
_REVERSED = -0.5
"""Rank correlation with pressure; right labels have +1, or a little less with inversions near the ground."""


def levels_exchanged(name: str, levels: Sequence[int], means: Floats) -> Verdict | None:
    """Whether global means on ``levels`` (hPa, ascending) of the variable contradict their order."""
    pressure = np.asarray(levels)
    if name == "geopotential":
        seen = _rise(pressure, means)
    elif name in RISES_DOWNWARD:
        trend = _rank_correlation(means[pressure >= _TOP_HPA])
        seen = f"its rank correlation with pressure is {trend:.2f}" if trend < _REVERSED else ""
    else:
        return None
    if not seen:
        return None
    return Verdict("levels-against-labels", f"levels look exchanged: {seen}; correct the level axis or the data")


def _rise(pressure: NDArray[np.int64], means: Floats) -> str:
    """Where means grow with pressure first, in words; empty if nowhere."""
    wrong = np.flatnonzero(np.diff(means) >= 0)
    if not wrong.size:
        return ""
    upper, lower = wrong[0], wrong[0] + 1
    return f"the mean is {means[upper]:.4g} at {pressure[upper]} hPa and {means[lower]:.4g} at {pressure[lower]} hPa"


def _rank_correlation(values: Floats) -> float:
    """Spearman's, with the order of the values as they are; 0 for fewer than two."""
    if values.size < 2:
        return 0.0
    ranks = np.argsort(np.argsort(values))
    return float(np.corrcoef(ranks, np.arange(values.size))[0, 1])
