"""Sums of statistics, of which scores are made: one dataset for each variable, in memory and in files.

Each holds ``total_<statistic>`` (model, initial_time, lead_time, [level], region, *axes) and ``weight_<statistic>``
without the axes; where there was no field both are zero. Sums of different initial times are put side by side, so that
any split of the work gives the same bits. Statistics with axes of their own, such as histograms, would take too much
room: these are added up over initial times, within groups, and have a dimension ``group`` instead.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from data_pipeline.errors import ScoreError
from data_pipeline.times import HOUR

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from data_pipeline.channels import Channel
    from evaluation.aggregate import Sum

Axes = dict[str, "NDArray[np.generic]"]
Sums = dict[str, xr.Dataset]
"""By variable."""

EVERYTHING = "all"
"""The one group where nothing is grouped."""
_SEASONS = ("DJF", "MAM", "JJA", "SON")


@dataclass
class RunSums:
    """Takes in the sums of one run, field by field."""

    initial_time: np.datetime64
    models: Sequence[str]
    lead_hours: Sequence[float]
    levels: Mapping[str, Sequence[int] | None]
    regions: Sequence[str]
    _arrays: dict[tuple[str, str], tuple[NDArray[np.float64], NDArray[np.float64], Axes]] = field(default_factory=dict)

    def put(self, model: str, channel: Channel, lead_hours: float, statistic: str, total: Sum, axes: Axes) -> None:
        """Enter the sum of one field."""
        totals, weights, _ = self._room(channel.variable_name, statistic, axes)
        levels = self.levels[channel.variable_name]
        level = () if levels is None or channel.level is None else (levels.index(channel.level),)
        place = (self.models.index(model), 0, self.lead_hours.index(lead_hours), *level)
        totals[place], weights[place] = total

    def _room(self, variable: str, statistic: str, axes: Axes) -> tuple[NDArray[np.float64], NDArray[np.float64], Axes]:
        if (variable, statistic) not in self._arrays:
            shape = tuple(len(values) for values in self._coords(variable).values())
            room = np.zeros((*shape, *map(len, axes.values()))), np.zeros(shape), axes
            self._arrays[variable, statistic] = room
        return self._arrays[variable, statistic]

    def _coords(self, variable: str) -> dict[str, NDArray[np.generic]]:
        levels = self.levels[variable]
        return {
            "model": np.asarray(self.models),
            "initial_time": np.asarray([self.initial_time]),
            "lead_time": np.asarray(self.lead_hours, dtype=np.float64),
            **({} if levels is None else {"level": np.asarray(levels)}),
            "region": np.asarray(self.regions),
        }

    def sums(self) -> Sums:
        """All that was entered."""
        found: Sums = {}
        for (variable, statistic), (totals, weights, axes) in self._arrays.items():
            coords = self._coords(variable)
            arrays = xr.Dataset(
                {
                    f"total_{statistic}": ([*coords, *axes], totals),
                    f"weight_{statistic}": ([*coords], weights),
                },
                coords={**coords, **axes},
            )
            found[variable] = found[variable].merge(arrays) if variable in found else arrays
        return found


def statistics_of(sums: xr.Dataset) -> list[str]:
    """Names of the statistics in the sums of a variable."""
    return [str(name).removeprefix("total_") for name in sums.data_vars if str(name).startswith("total_")]


def combine(parts: Sequence[Sums], by: str | None = None) -> Sums:
    """The sums of all parts, in order of initial time.

    Raises
    ------
    ScoreError
        If there are none, two have the same initial time, or they are of different regions, leads or levels.
    """
    if not parts:
        raise ScoreError("no sums were given, expected at least one; score something first")
    _require_apart(parts)
    variables = dict.fromkeys(name for part in parts for name in part)
    return {name: _combined([part[name] for part in parts if name in part], by) for name in variables}


def _require_apart(parts: Sequence[Sums]) -> None:
    times = np.concatenate([next(iter(part.values()))["initial_time"].values for part in parts])
    unique, counts = np.unique(times, return_counts=True)
    if (counts > 1).any():
        raise ScoreError(
            f"several parts hold the initial time {np.datetime_as_string(unique[counts > 1][0], unit='m')}; give each "
            "part once"
        )


def _combined(parts: Sequence[xr.Dataset], by: str | None) -> xr.Dataset:
    regions = {tuple(part["region"].values.tolist()) for part in parts}
    if len(regions) > 1:
        raise ScoreError(f"the parts are of different regions, {' and '.join(map(str, sorted(regions)))}; score alike")
    grouped = [_without_long_axes(part, by) for part in parts]
    series = [part[[name for name in part if "initial_time" in part[name].dims]] for part in grouped]
    added = [part[[name for name in part if "initial_time" not in part[name].dims]] for part in grouped]
    whole = xr.concat(series, "initial_time", join="outer", fill_value=0.0, data_vars="all").sortby("initial_time")
    total = added[0]
    for other in added[1:]:
        ours, theirs = xr.align(total, other, join="outer", fill_value=0.0)
        total = ours + theirs
    return whole.merge(total)


def _without_long_axes(part: xr.Dataset, by: str | None) -> xr.Dataset:
    """With statistics that have axes of their own added up over initial times within groups."""
    plain = {"model", "initial_time", "lead_time", "level", "region"}
    long = [s for s in statistics_of(part) if "initial_time" in part[f"total_{s}"].dims
            and not set(part[f"total_{s}"].dims) <= plain]  # fmt: skip
    names = [f"{kind}_{statistic}" for statistic in long for kind in ("total", "weight")]
    if not names:
        return part
    return part.drop_vars(names).merge(group_sums(part[names], by))


def group_sums(sums: xr.Dataset, by: str | None) -> xr.Dataset:
    """Added up over initial times within the groups that ``by`` says; without it, within one."""
    labels = _labels(sums["initial_time"].values, sums["lead_time"].values, by)
    groups = [label for label in _order(by) if (labels == label).any()] if by else [EVERYTHING]
    inside = xr.DataArray(
        [labels == group for group in groups],
        dims=("group", "initial_time", "lead_time"),
        coords={"group": groups, "initial_time": sums["initial_time"], "lead_time": sums["lead_time"]},
    )
    parts: list[xr.Dataset] = [
        sums.where(inside.sel(group=group), 0.0)
        .sum("initial_time", skipna=False)
        .expand_dims("group")
        .assign_coords(group=[group])
        for group in groups
    ]
    return xr.concat(parts, "group", data_vars="all")


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
