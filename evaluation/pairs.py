"""Forecast and truth side by side: what matches by initial time, lead time, variable and level, and what does not."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.canonical import plain_units
from data_pipeline.channels import Channel
from data_pipeline.errors import DataError, ScoreError, reading
from data_pipeline.grid import Grid
from data_pipeline.times import HOUR
from data_pipeline.variables import VARIABLES
from evaluation.derived import DERIVED, DerivedChannel, derived_channels, has, parts
from evaluation.padding import without_padding

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    import xarray as xr
    from numpy.typing import NDArray

    Field = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Match:
    """A forecast field, all members, for which the truth has a partner."""

    run: xr.Dataset
    initial_time: np.datetime64
    lead_time: np.timedelta64
    channel: Channel

    @property
    def valid_time(self) -> np.datetime64:
        """The time that the field is a forecast of."""
        return self.initial_time + self.lead_time

    @property
    def lead_hours(self) -> float:
        """The lead time in hours."""
        return float(self.lead_time / HOUR)

    def members(self) -> Field:
        """The forecast ``(member, latitude, longitude)``, read now, or made of others that are."""
        if isinstance(self.channel, DerivedChannel):
            return self.channel.make(self._read, Grid.of(self.run))
        return self._read(self.channel)

    def _read(self, channel: Channel) -> Field:
        labels = {"lead_time": self.lead_time, "level": channel.level}
        field = self.run.variables[channel.variable_name]  # positions, not .sel: a tenth of the time per field
        field = field.isel({dim: self.run.indexes[dim].get_loc(labels[dim]) for dim in labels if dim in field.dims})
        ordered = field.transpose("realization", "latitude", "longitude", missing_dims="ignore")
        try:
            with reading(self.run.attrs["path"]):
                values: Field = ordered.values
        except DataError as error:
            place = f"{channel.name} of {minutes(self.initial_time)} at +{self.lead_hours:g} h"
            raise DataError(f"{place}: {error}") from error
        return values.reshape(-1, *values.shape[-2:])


class Snapshots:
    """Fields of a canonical dataset one by one; all levels of a variable are read together, the last are kept."""

    def __init__(self, dataset: xr.Dataset) -> None:
        self._dataset = dataset
        self._key: tuple[str, np.datetime64] | None = None
        self._fields: dict[int | None, Field] = {}
        self._parts: dict[str, Snapshots] = {}

    def __reduce__(self) -> tuple[type[Snapshots], tuple[xr.Dataset]]:
        return Snapshots, (self._dataset,)  # workers read for themselves

    def field(self, channel: Channel, time: np.datetime64) -> Field:
        """The field ``(latitude, longitude)`` of ``channel`` at ``time``, which the dataset must have or allow."""
        if isinstance(channel, DerivedChannel):
            return channel.make(lambda part: self._part(part, time), Grid.of(self._dataset))
        if self._key != (channel.variable_name, time):
            fields = self._dataset[channel.variable_name].sel(time=time).transpose(..., "latitude", "longitude")
            levels = fields["level"].values.tolist() if "level" in fields.dims else [None]
            source = self._dataset.encoding.get("source", "the truth")
            with reading(f"{channel.variable_name} of {minutes(time)} in {source}"):
                values = fields.values
            self._fields = dict(zip(levels, values.reshape(-1, *fields.shape[-2:]), strict=True))
            self._key = (channel.variable_name, time)
        return self._fields[channel.level]

    def _part(self, channel: Channel, time: np.datetime64) -> Field:
        """A field that a derived one is made of; the last of every such variable is kept."""
        return self._parts.setdefault(channel.variable_name, Snapshots(self._dataset)).field(channel, time)


def match(
    runs: Sequence[xr.Dataset], truth: xr.Dataset, variables: Sequence[str] | None = None
) -> tuple[list[Match], list[str]]:
    """Every forecast field that has a partner in the truth, in order of run, lead and channel, and what has none.

    Raises
    ------
    ScoreError
        If two runs start at the same time, or grids, units or labels do not permit a comparison.
    """
    _check_truth(truth)
    _check_runs(runs)
    in_truth, times = set(channels(truth, "time")), set(_times(truth["time"]))
    in_runs = [set(channels(run, "lead_time")) for run in runs]
    wanted = _wanted(runs, in_runs, in_truth, variables)
    for run in runs:
        _check_comparable(run, truth, wanted)
    lacking = [f"the truth lacks {name}" for name in _lacking(wanted, in_truth)]
    matches, unmatched_times = [], set()
    for run, own in zip(runs, in_runs, strict=True):
        lacking += [f"the run of {_start(run)} lacks {name}" for name in _lacking(wanted, own)]
        lacking += [f"the run of {_start(run)} lacks {name}" for name in _absent(run, wanted)]
        if variables is None and run.attrs.get("unread"):
            lacking.append(f"the run of {_start(run)} has unknown variables: {', '.join(run.attrs['unread'])}")
        for candidate in _candidates(run, [channel for channel in wanted if has(own & in_truth, channel)]):
            if candidate.valid_time in times:
                matches.append(candidate)
            else:
                unmatched_times.add(candidate.valid_time)
    if unmatched_times and not matches:
        return [], [*lacking, _no_common_time(unmatched_times, times)]
    return matches, lacking + [f"the truth lacks {minutes(time)}" for time in sorted(unmatched_times)]


def channels(dataset: xr.Dataset, time_dim: str) -> list[Channel]:
    """The fields that a dataset holds along ``time_dim``, level by level, without padding."""
    found: list[Channel] = []
    for name, field in dataset.data_vars.items():
        if {time_dim, "latitude", "longitude"} <= set(field.dims):
            levels = [int(level) for level in field["level"].values] if "level" in field.dims else [None]
            found += [Channel(str(name), level) for level in levels]
    return without_padding(found, dataset.attrs)


def minutes(time: np.datetime64) -> str:
    """A time as people write it, e.g. ``2020-01-31T06:00``."""
    return str(np.datetime_as_string(time, unit="m"))


def require_grid(data: xr.Dataset, expected: Grid, name: str) -> None:
    """A ScoreError that says both grids unless they match."""
    grid = Grid.of(data)
    if not grid.matches(expected):
        raise ScoreError(f"{name} is on a {grid}, the truth on a {expected}; regrid one of them")


def _candidates(run: xr.Dataset, wanted: Sequence[Channel]) -> Iterator[Match]:
    initial_time, absent = _start_time(run), set(run.attrs.get("absent", ()))
    for lead_time in run["lead_time"].values:
        for channel in wanted:
            if not absent or absent.isdisjoint(_at(part, lead_time) for part in parts(channel)):
                yield Match(run, initial_time, lead_time, channel)


def _absent(run: xr.Dataset, wanted: Sequence[Channel]) -> list[str]:
    """Fields that a run lacks at some of its lead times, as its reader found."""
    absent = set(run.attrs.get("absent", ()))
    every = dict.fromkeys(part for channel in wanted for part in parts(channel)) if absent else {}
    names = [_at(part, lead_time) for lead_time in run["lead_time"].values for part in every]
    return [name for name in names if name in absent]


def _at(channel: Channel, lead_time: np.timedelta64) -> str:
    return f"{channel.name} at +{lead_time / HOUR:g} h"


def _no_common_time(forecasts: Collection[np.datetime64], truth: Collection[np.datetime64]) -> str:
    ours, theirs = (
        f"{minutes(min(times))} to {minutes(max(times))}" if times else "none" for times in (forecasts, truth)
    )
    return f"no valid time is in both the forecasts ({ours}) and the truth ({theirs})"


def _wanted(
    runs: Sequence[xr.Dataset], in_runs: Sequence[set[Channel]], in_truth: set[Channel], variables: Sequence[str] | None
) -> list[Channel]:
    """What any forecast has of ``variables``; those that are made of others are made unless all sides have them."""
    every = list(dict.fromkeys(channel for run in runs for channel in channels(run, "lead_time")))
    names = {channel.variable_name for channel in every}
    everywhere = names.intersection(*({channel.variable_name for channel in held} for held in (*in_runs, in_truth)))
    made = [name for name in dict.fromkeys(variables or ()) if name in DERIVED and name not in everywhere]
    unknown = sorted(set(variables or ()) - names - set(made))
    if unknown:
        can = [name for name, entry in DERIVED.items() if any(entry.sources(own) for own in in_runs)]
        more = f"; of these can be made {', '.join(can)}" if can else ""
        raise ScoreError(f"no forecast has {', '.join(unknown)}; they have {', '.join(sorted(names))}{more}")
    plain = [channel for channel in every if variables is None or channel.variable_name in set(variables) - set(made)]
    return plain + [channel for name in made for channel in derived_channels(name, in_runs, in_truth)]


def _lacking(wanted: Sequence[Channel], held: set[Channel]) -> list[str]:
    """Names of what is not held, and of what therefore cannot be made."""
    return [
        channel.name if not isinstance(channel, DerivedChannel) else
        f"{', '.join(part.name for part in channel.sources if part not in held)}, of which {channel.name} is made"
        for channel in wanted if not has(held, channel)
    ]  # fmt: skip


def _check_truth(truth: xr.Dataset) -> None:
    if "time" not in truth.dims or not truth.indexes["time"].is_unique:
        raise ScoreError(
            f"the truth has dims {dict(truth.sizes)}; expected a canonical dataset in which each time stands once"
        )


def _check_runs(runs: Sequence[xr.Dataset]) -> None:
    if not runs:
        raise ScoreError("no forecasts were given; expected at least one file")
    twice = [time for time, count in Counter(_start(run) for run in runs).items() if count > 1]
    if twice:
        raise ScoreError(f"several runs start at {', '.join(twice)}; give each initial time once")


def _check_comparable(run: xr.Dataset, truth: xr.Dataset, wanted: Sequence[Channel]) -> None:
    require_grid(run, Grid.of(truth), f"the run of {_start(run)}")
    made_of = {
        part.variable_name for channel in wanted if isinstance(channel, DerivedChannel) for part in channel.sources
    }
    names = {part.variable_name for channel in wanted for part in parts(channel)}
    for name in sorted(names & set(truth.data_vars) & set(run.data_vars)):
        ours, theirs = (str(data[name].attrs.get("units", "")) for data in (run, truth))
        if ours and theirs and plain_units(ours) != plain_units(theirs):
            raise ScoreError(
                f"{name} is in {ours!r} in the run of {_start(run)}, in {theirs!r} in the truth; convert one"
            )
        if name in made_of and ours and plain_units(ours) != VARIABLES[name].units:
            raise ScoreError(
                f"{name} is in {ours!r}, expected {VARIABLES[name].units!r} to make other variables of it; convert it"
            )


def _start_time(run: xr.Dataset) -> np.datetime64:
    return np.datetime64(run["initial_time"].item(), "ns")


def _start(run: xr.Dataset) -> str:
    return minutes(_start_time(run))


def _times(times: xr.DataArray) -> list[np.datetime64]:
    return list(times.values.astype("datetime64[ns]"))
