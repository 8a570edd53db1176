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
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from data_pipeline.channels import Channel
    from evaluation.aggregate import Sum

Axes = dict[str, "NDArray[np.generic]"]
Sums = dict[str, xr.Dataset]
"""By variable."""

EVERYTHING = "all"
"""The one group where nothing is grouped."""
MOST_REGIONS = 1000
"""With more of them, no sums are kept by initial time."""
_SEASONS = ("DJF", "MAM", "JJA", "SON")


@dataclass
class RunSums:
    """Takes in the sums of one run, field by field."""

    initial_time: np.datetime64
    models: Sequence[str]
    lead_hours: Sequence[float]
    levels: Mapping[str, Sequence[int] | None]
    regions: Sequence[str]
    _entries: dict[tuple[str, str], list[tuple[tuple[int, ...], Sum, Axes]]] = field(default_factory=dict)

    def put(self, model: str, channel: Channel, lead_hours: float, statistic: str, total: Sum, axes: Axes) -> None:
        """Enter the sum of one field; ``axes`` may be longer for one model than for another."""
        levels = self.levels[channel.variable_name]
        level = () if levels is None or channel.level is None else (levels.index(channel.level),)
        place = (self.models.index(model), 0, self.lead_hours.index(lead_hours), *level)
        self._entries.setdefault((channel.variable_name, statistic), []).append((place, total, axes))

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
        for (variable, statistic), entries in self._entries.items():
            coords, axes = self._coords(variable), _all_labels([axes for _, _, axes in entries])
            totals, weights = _scattered(entries, tuple(map(len, coords.values())), axes)
            arrays = xr.Dataset(
                {
                    f"total_{statistic}": ([*coords, *axes], totals),
                    f"weight_{statistic}": ([*coords], weights),
                },
                coords={**coords, **axes},
            )
            found[variable] = (
                found[variable].merge(arrays, join="outer", fill_value=0.0) if variable in found else arrays
            )
        return found


def _all_labels(parts: Sequence[Axes]) -> Axes:
    """The labels of each axis in any of the parts: of numbers ascending."""
    axes = dict(parts[0])
    for part in parts[1:]:
        for name, labels in part.items():
            if not np.array_equal(labels, axes[name]):
                every = np.concatenate([axes[name], labels])
                axes[name] = np.unique(every) if every.dtype.kind in "iuf" else np.array(list(dict.fromkeys(every)))
    return axes


def _scattered(
    entries: Sequence[tuple[tuple[int, ...], Sum, Axes]], shape: tuple[int, ...], axes: Axes
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Totals (*shape, *axes) and weights (*shape), zero where nothing was entered."""
    totals, weights = np.zeros((*shape, *map(len, axes.values()))), np.zeros(shape)
    for place, own, labels in entries:
        weights[place] = own.weight
        if all(np.array_equal(labels[name], axes[name]) for name in axes):
            totals[place] = own.total
            continue
        positions = [[list(axes[name]).index(label) for label in labels[name]] for name in axes]
        totals[place][np.ix_(range(shape[-1]), *positions)] = own.total
    return totals, weights


def statistics_of(sums: xr.Dataset) -> list[str]:
    """Names of the statistics in the sums of a variable."""
    return [str(name).removeprefix("total_") for name in sums.data_vars if str(name).startswith("total_")]


def combine(parts: Iterable[Sums], by: str | None = None) -> Sums:
    """The sums of all parts, in order of initial time; one part is looked at after the other.

    Raises
    ------
    ScoreError
        If there are none, two have the same initial time, or they are of different regions, models or units.
    """
    piles: dict[str, _Pile] = {}
    for part in parts:
        for variable, own in part.items():
            piles.setdefault(variable, _Pile(by)).add(own)
    if not piles:
        raise ScoreError("no sums were given, expected at least one; score something first")
    return {variable: pile.whole() for variable, pile in piles.items()}


@dataclass
class _Pile:
    """Parts of the sums of one variable: those with an initial time side by side, others added up."""

    by: str | None
    _series: list[xr.Dataset] = field(default_factory=list)
    _added: xr.Dataset | None = None

    def add(self, part: xr.Dataset) -> None:
        if self._series:
            self._require_fits(part)
        part = _without_long_axes(part, self.by)
        timeless = [name for name in part.data_vars if "initial_time" not in part[name].dims]
        self._series.append(part.drop_vars(timeless))
        added = part[timeless]
        if self._added is not None:
            ours, theirs = xr.align(self._added, added, join="outer", fill_value=0.0)
            added = ours + theirs
        self._added = added

    def _require_fits(self, part: xr.Dataset) -> None:
        first = self._series[0]
        for dim in ("region", "model"):
            ours, theirs = (data[dim].values.tolist() for data in (first, part))
            if ours != theirs:  # a mean over fewer times than its neighbour's would be no fair comparison
                raise ScoreError(f"the parts are of different {dim}s, {_few(ours)} and {_few(theirs)}; score alike")
        units, other = (data.attrs.get("units") for data in (first, part))
        if units != other:
            raise ScoreError(f"the parts are in different units, {units!r} and {other!r}; convert one, and score alike")
        known = np.concatenate([own["initial_time"].values for own in self._series])
        twice = np.intersect1d(known, part["initial_time"].values)
        if twice.size:
            raise ScoreError(
                f"several parts hold the initial time {np.datetime_as_string(twice[0], unit='m')}; give each part once"
            )

    def whole(self) -> xr.Dataset:
        whole = xr.concat(self._series, "initial_time", join="outer", fill_value=0.0, data_vars="all")
        added = xr.Dataset() if self._added is None else self._added
        return whole.sortby("initial_time").merge(added.drop_vars("initial_time", errors="ignore"))


def _few(labels: list[str]) -> str:
    return f"{len(labels)} of them" if len(labels) > MOST_REGIONS else str(labels)


def _without_long_axes(part: xr.Dataset, by: str | None) -> xr.Dataset:
    """With statistics that have axes of their own, or every point for a region, added up within groups."""
    plain = {"model", "initial_time", "lead_time", "level", "region"}
    if part.sizes["region"] > MOST_REGIONS:
        plain -= {"region"}
    own = {name: set(part[f"total_{name}"].dims) for name in statistics_of(part)}
    long = [name for name, dims in own.items() if "initial_time" in dims and not dims <= plain]
    names = [f"{kind}_{statistic}" for statistic in long for kind in ("total", "weight")]
    if not names:
        return part
    return part.drop_vars(names).assign_coords(initial_time=part["initial_time"]).merge(group_sums(part[names], by))


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
