"""Sums of statistics, of which scores are made: one dataset for each variable, in memory and in files.

Each holds ``total_<statistic>`` (model, initial_time, lead_time, [level], region, *axes) and ``weight_<statistic>``
without the axes; where there was no field both are zero. Sums of different initial times stand side by side, so that
any split of the work gives the same bits. Statistics with long axes of their own, such as histograms of many levels,
would take too much room: these are added up over initial times, within groups, and have a dimension ``group`` instead.
They are added up exactly (``evaluation.exact``), for the same reason: what the sum in float64 lacks is in
``rest1_total_<statistic>``, and so on.

Most statistics have the same weights, of which memory and files hold one array: the attribute ``weights`` of a total
names it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from data_pipeline.errors import ScoreError
from data_pipeline.times import HOUR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

Sums = dict[str, xr.Dataset]
"""By variable."""

EVERYTHING = "all"
"""The one group where nothing is grouped."""
MOST_REGIONS = 1000
"""With more of them, no sums are kept by initial time."""
MOST_NUMBERS = 8192
"""Of a statistic with axes of its own at one initial time: with more of them it is not kept by initial time."""
_SEASONS = ("DJF", "MAM", "JJA", "SON")
SHARED = ("model", "initial_time", "lead_time", "level", "region")
"""Dims that all statistics can have, in their order."""


def statistics_of(sums: xr.Dataset) -> list[str]:
    """Names of the statistics in the sums of a variable."""
    return [str(name).removeprefix("total_") for name in sums.data_vars if str(name).startswith("total_")]


def weights_of(sums: xr.Dataset, statistic: str) -> str:
    """Name of the array that has the weights of a statistic, its own or, if that is there, another's that are equal."""
    named = str(sums[f"total_{statistic}"].attrs.get("weights"))
    return named if named in sums else f"weight_{statistic}"


def with_shared_weights(sums: xr.Dataset) -> xr.Dataset:
    """With the weights that several statistics share under the name of each, without a copy."""
    absent = [statistic for statistic in statistics_of(sums) if f"weight_{statistic}" not in sums]
    return sums.assign({f"weight_{statistic}": sums.variables[weights_of(sums, statistic)] for statistic in absent})


def without_shared_weights(sums: xr.Dataset) -> xr.Dataset:
    """With each weights once, under the name that totals give."""
    named = {weights_of(sums, statistic) for statistic in statistics_of(sums)}
    return sums.drop_vars([f"weight_{name}" for name in statistics_of(sums) if f"weight_{name}" not in named])


def has_own_axes(total: xr.DataArray) -> bool:
    """Whether a statistic has axes of its own, such as the ranks of a histogram."""
    return not set(total.dims) <= {"group", *SHARED}


def membership(sums: xr.Dataset, by: str | None) -> xr.DataArray:
    """Which times are in which group that ``by`` says, (group, initial_time, lead_time); without it all are in one."""
    labels = _labels(sums["initial_time"].values, sums["lead_time"].values, by)
    groups = [label for label in _order(by) if (labels == label).any()] if by else [EVERYTHING]
    return xr.DataArray(
        [labels == group for group in groups],
        dims=("group", "initial_time", "lead_time"),
        coords={"group": groups, "initial_time": sums["initial_time"], "lead_time": sums["lead_time"]},
    )


def group_sums(sums: xr.Dataset, by: str | None) -> xr.Dataset:
    """Added up over initial times within the groups that ``by`` says; without it, within one."""
    if by is None:
        return sums.sum("initial_time", skipna=False).expand_dims(group=[EVERYTHING])
    inside = membership(sums, by)
    parts: list[xr.Dataset] = [
        sums.where(inside.sel(group=group), 0.0)
        .sum("initial_time", skipna=False)
        .expand_dims("group")
        .assign_coords(group=[group])
        for group in inside["group"].values.tolist()
    ]
    return xr.concat(parts, "group", data_vars="all")


def time_by_time(field: xr.DataArray, by: str | None) -> Iterator[xr.DataArray]:
    """Of each initial time, in the groups that it is in, (group, ...), zero at leads that are in another."""
    if by is None:
        field = field.expand_dims(group=[EVERYTHING])
        yield from (field.isel(initial_time=place, drop=True) for place in range(field.sizes["initial_time"]))
        return
    inside = membership(field.to_dataset(name="field"), by)
    for place in range(field.sizes["initial_time"]):
        own, there = (array.isel(initial_time=place, drop=True) for array in (field, inside))
        yield own.where(there.isel(group=there.any("lead_time").values), 0.0)


def in_order(groups: Iterable[str], by: str | None) -> list[str]:
    """Groups as they are shown: seasons from winter, months and hours from the first."""
    return sorted(groups, key=_order(by).index) if by else list(groups)


BY: dict[str, Callable[[NDArray[np.datetime64], NDArray[np.datetime64]], NDArray[np.str_]]] = {
    "season": lambda _, valid: np.asarray(_SEASONS)[_month(valid) % 12 // 3],
    "month": lambda _, valid: np.char.zfill(_month(valid).astype(str), 2),
    "hour": lambda initial, _: np.char.zfill(((initial - initial.astype("datetime64[D]")) // HOUR).astype(str), 2),
}
"""Labels of groups from initial and valid times: season and month of the valid time, hour of the initial time."""


def _order(by: str | None) -> list[str]:
    months = [f"{number:02d}" for number in range(24)]
    return list(_SEASONS) if by == "season" else months


def _labels(initial: NDArray[np.datetime64], lead_hours: NDArray[np.float64], by: str | None) -> NDArray[np.str_]:
    """Of each initial and lead time."""
    valid = initial[:, None] + (lead_hours * 3600).astype("timedelta64[s]").astype("timedelta64[ns]")
    if by is None:
        return np.full(valid.shape, EVERYTHING)
    if by not in BY:
        raise ScoreError(f"got --by {by!r}, expected one of {', '.join(BY)}")
    return BY[by](np.broadcast_to(initial[:, None], valid.shape), valid)


def _month(times: NDArray[np.datetime64]) -> NDArray[np.int64]:
    """1 to 12."""
    return np.asarray(times.astype("datetime64[M]").astype(np.int64) % 12 + 1)
