"""What one source gives to a store: some of the channels, at the store's times, on the store's grid."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

from data_pipeline.channels import Channel
from data_pipeline.errors import DataError
from data_pipeline.quality.places import listed_times
from data_pipeline.regrid import Regridder
from data_pipeline.times import HOUR, shown
from data_pipeline.variables import variable

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    from data_pipeline.building.inspection import Inspection
    from data_pipeline.channels import Channels
    from data_pipeline.grid import Grid
    from data_pipeline.quality import Report
    from data_pipeline.sources.protocol import Source

    Times = NDArray[np.datetime64]

VALID_FRACTION = {"everywhere": 1.0, "sea": 0.5}
"""Share of a target cell that must be valid: a hole in the source shall be seen, not averaged away, but a coast is
no hole."""


@dataclass(frozen=True)
class Share:
    """Channels of one source and where they go along the channel axis.

    ``summed`` gives for each accumulated variable the hours that one of its fields covers.
    """

    source: Source
    channels: Channels
    positions: tuple[int, ...]
    grid: Grid
    target: Grid
    method: Literal["conservative", "bilinear"]
    summed: dict[str, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What messages call the source."""
        return name_of(self.source)

    def bytes_per_time(self, interval: np.timedelta64) -> int:
        """Bytes that are read for one time of the largest variable, on the source's grid."""
        terms = {name: int(interval / HOUR) // hours for name, hours in self.summed.items()}
        fields = max(len(levels or [0]) * terms.get(name, 1) for name, levels in self.channels.variables.items())
        return 4 * fields * self.grid.shape[0] * self.grid.shape[1]

    @cached_property
    def regridders(self) -> dict[str, Regridder]:
        """By where a variable is defined."""
        return {
            domain: Regridder(self.grid, self.target, min_valid_fraction=fraction, method=self.method)
            for domain, fraction in VALID_FRACTION.items()
        }

    def read_into(
        self, times: Times, interval: np.timedelta64, block: NDArray[np.float32], inspection: Inspection | None
    ) -> None:
        """Read, show, regrid and put this share of ``block`` (time, channel, latitude, longitude) in its place."""
        window = (times[0] - self._reach(interval), times[-1])
        opened = self.source.open(self.channels.variables, window)
        for name, levels in self.channels.variables.items():
            chosen = opened[name] if levels is None else opened[name].sel(level=levels)
            values = self._at(chosen, times, interval)
            if inspection is not None:
                inspection.look(name, levels, self.grid, times, values)
            places = [self._position(name, level) for level in levels or (None,)]
            block[:, places] = self._regridded(name, values).reshape(len(times), len(places), *self.target.shape)

    def _regridded(self, name: str, values: NDArray[np.float32]) -> NDArray[np.float32]:
        if self.grid.matches(self.target):
            return values
        entry = variable(name)
        regridder = self.regridders[entry.defined_over]
        return regridder.regrid_array(values, vector=entry.crosses_pole_with_sign == -1)

    def _at(self, chosen: xr.DataArray, times: Times, interval: np.timedelta64) -> NDArray[np.float32]:
        """Instantaneous fields at ``times``; accumulated ones summed over the interval that ends there."""
        hours = self.summed.get(str(chosen.name))
        if hours is None:
            return _load(chosen.sel(time=times))
        parts = _load(chosen.sel(time=_ends(times, interval, hours)))
        sums = parts.reshape(len(times), -1, *parts.shape[1:]).sum(axis=1, dtype=np.float64)
        return np.asarray(sums, dtype=np.float32)

    def _reach(self, interval: np.timedelta64) -> np.timedelta64:
        """How long before a time the oldest field that it needs ends."""
        return max((interval - hours * HOUR for hours in self.summed.values()), default=0 * HOUR)

    def _position(self, name: str, level: int | None) -> int:
        return self.positions[self.channels.index(Channel(name, level).name)]


def _load(field: xr.DataArray) -> NDArray[np.float32]:
    """By threads of this process, also where a task of a dask.distributed cluster asks."""
    return np.asarray(field.compute(scheduler="threads").values)


def hours_accumulated(field: xr.DataArray, interval: np.timedelta64, report: Report) -> int:
    """Hours that one field of an accumulated variable covers: as its source says, else its own interval.

    That the interval was taken for want of better is reported, unless it is an hour.

    Raises
    ------
    DataError
        If the store's interval is no multiple of them, so that no sum of fields covers it.
    """
    own = int(np.diff(field["time"].values).min() / HOUR) if field.sizes["time"] > 1 else int(interval / HOUR)
    hours = int(field.attrs.get("accumulation_hours", own))
    if "accumulation_hours" not in field.attrs and own > 1:
        message = f"taken as sums over {own} h, the interval of the data; if they are not, set 'accumulation_hours'"
        report.add("accumulation-assumed", message, variable=str(field.name))
    if interval % (hours * HOUR):
        raise DataError(
            f"{field.name} is accumulated over {hours} h, the store's interval is {int(interval / HOUR)} h; "
            "expected a multiple: change interval_hours, or leave the variable out"
        )
    return hours


def name_of(source: Source) -> str:
    """What messages call a source."""
    return str(getattr(source, "path", source.kind))


def require_unique(held: Times) -> None:
    """Raise a DataError that names the times which occur twice, if there are any."""
    unique, counts = np.unique(held, return_counts=True)
    if np.any(counts > 1):
        raise DataError(f"times occur twice: {listed_times(unique[counts > 1])}; remove the copies")


def require_times(name: str, held: Times, times: Times, interval: np.timedelta64, summed: dict[str, int]) -> None:
    """Raise a DataError unless a source has the store's ``times`` and what sums need before them.

    It names the first missing ones. ``name`` is what it calls the source, ``held`` the times that this holds.
    """
    needed = np.unique(np.concatenate([times, *(_ends(times, interval, hours) for hours in summed.values())]))
    missing = np.setdiff1d(needed, held)
    if missing.size == needed.size:
        asked, have = (f"{_span(some)}{_hours_of_day(some)}" for some in (times, held))
        raise DataError(f"{name} holds no time of {asked}; it holds {have}; change 'period'")
    if missing.size:
        raise DataError(
            f"{missing.size} of {needed.size} times are missing at an interval of {interval / HOUR:g} h: "
            f"{listed_times(missing)}; {name} holds {_span(held)}; complete it, or choose a period without the gap"
        )


def _ends(times: Times, interval: np.timedelta64, hours: int) -> Times:
    """The ends of the accumulations that fill the intervals before ``times``, in order."""
    before = np.arange(int(interval / HOUR) - hours, -1, -hours) * HOUR
    return np.asarray((times[:, None] - before).ravel())


def _hours_of_day(times: Times) -> str:
    hours = np.unique((times - times.astype("datetime64[D]")) // HOUR)
    return f" at {', '.join(f'{int(hour):02d}' for hour in hours)} UTC" if hours.size else ""


def _span(times: Times) -> str:
    if times.size == 0:
        return "no times"
    return f"{times.size} times in {shown(times.min())}..{shown(times.max())}"
