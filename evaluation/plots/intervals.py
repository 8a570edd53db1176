"""Intervals of diagrams: of every rank, probability or bin by itself, over initial times."""

from __future__ import annotations

from typing import TYPE_CHECKING

import xarray as xr

from evaluation.estimates import estimate
from evaluation.metrics.event_tables import twin_of
from evaluation.metrics.registry import metric
from evaluation.significance import MINIMUM_TIMES, TESTS, spacing

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from evaluation.estimates import Trial

FEW = f"; none with fewer than {MINIMUM_TIMES} initial times"
NO_INTERVALS = f"no intervals: fewer than {MINIMUM_TIMES} initial times"


def diagram_intervals(sums: xr.Dataset, names: Sequence[str], trial: Trial) -> xr.Dataset:
    """Ends of intervals, and in the attribute ``words`` how they were found or why there are none.

    Parameters
    ----------
    sums
        Of one variable, one model, level, region and group: (model, initial_time, lead_time, [level], region, *axes).
    names
        Metrics; those whose sums are not kept for each initial time are left out.

    Returns
    -------
    xr.Dataset
        ``lower_<metric>`` and ``upper_<metric>`` (lead_time, *axes), NaN where an interval is not known.
    """
    kept = [name for name in names if _is_kept(sums, name)]
    single = [dim for dim in ("model", "region", "level") if dim in sums.dims]
    found = {name: estimate(sums, name, lambda score: score, trial).squeeze(single, drop=True) for name in kept}
    ends = {f"{end}_{name}": own[end] for name, own in found.items() for end in ("lower", "upper")}
    return xr.Dataset(ends, attrs={"words": _words(found, sums, trial)})


def _is_kept(sums: xr.Dataset, name: str) -> bool:
    """Whether there are series; one of several tables that can stand for each other is enough."""
    held = {own for own in metric(name).statistics if f"total_{own}" in sums}
    whole = all(own in held or twin_of(own) in held for own in metric(name).statistics)
    return whole and all("initial_time" in sums[f"total_{own}"].dims for own in held)


def band_words(trial: Trial, series: Sequence[NDArray[np.datetime64]]) -> str:
    """How intervals are found, and whether initial times of any series are uneven."""
    uneven = "" if all(spacing(times).even for times in series) else "; initial times unevenly spaced"
    return f"{trial.confidence:.0%}, {TESTS[trial.test]}{uneven}"


def _words(found: dict[str, xr.Dataset], sums: xr.Dataset, trial: Trial) -> str:
    if not found:
        return "no intervals: the sums of these scores were not kept for each initial time"
    if all(own["lower"].isnull().all() for own in found.values()):
        return NO_INTERVALS
    return f"intervals: {band_words(trial, [sums['initial_time'].values])}"
