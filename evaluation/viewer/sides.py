"""The forecast, what it is compared with, and their difference: each gives the ensemble of one field at one time."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Protocol

import numpy as np

from data_pipeline.errors import DataError, EmptyError, UnreadableError
from data_pipeline.grid import Grid
from data_pipeline.times import HOUR, shown
from evaluation.plots.fields import select, stored
from evaluation.plots.grids import onto, shared_grid
from evaluation.plots.reference import ANALYSIS, at_time, opened
from evaluation.viewer.catalogue import member_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import xarray as xr
    from numpy.typing import NDArray

    from evaluation.plots.fields import EnsembleField
    from evaluation.plots.reference import Against

    Moments = Sequence[np.datetime64]

READING = Lock()
"""One thread reads at a time: the libraries under NetCDF crash the process otherwise."""


class Side(Protocol):
    """What is shown on one side of the page."""

    @property
    def grid(self) -> Grid:
        """Of all fields."""
        ...

    def moment(self, lead: int) -> xr.Dataset:
        """A run of that lead alone; a DataError if there is none."""
        ...

    def ensemble(self, variable: str, level: int | None, lead: int, member: int | None = None) -> EnsembleField:
        """The members of one field, or one of them by position; a DataError if it is not there."""
        ...


@dataclass(frozen=True, eq=False)
class ForecastSide:
    """A forecast. ``lead`` counts the chosen leads; ``times`` are when they are valid."""

    name: str
    run: xr.Dataset
    leads: tuple[int, ...]

    @property
    def times(self) -> list[np.datetime64]:
        """Valid times of the leads."""
        return [self.run["initial_time"].values + self.run["lead_time"].values[lead] for lead in self.leads]

    @property
    def grid(self) -> Grid:
        """Of all fields."""
        return Grid.of(self.run)

    @property
    def example(self) -> xr.Dataset:
        """The first moment."""
        return self.moment(0)

    def moment(self, lead: int) -> xr.Dataset:
        """The run, cut to one lead."""
        return self.run.isel(lead_time=[self.leads[lead]])

    def ensemble(self, variable: str, level: int | None, lead: int, member: int | None = None) -> EnsembleField:
        """As ``Side``."""
        return _selected(self.moment(lead), variable, level, member)


@dataclass(frozen=True, eq=False)
class OtherSide:
    """A forecast or an analysis at the valid times of another one."""

    name: str
    found: Sequence[xr.Dataset]
    times: Moments
    start: int

    @classmethod
    def of(cls, against: Against, beside: ForecastSide) -> OtherSide:
        """What is at a path; a DataError if it is no forecast and no analysis, or shares no valid time."""
        name = Path(against).name if isinstance(against, str | Path) else "the other"
        side = cls(name, opened(against), beside.times, beside.run["initial_time"].values.item())
        if not any(side.has):
            raise DataError(
                f"{against} has no field valid at any lead time of the forecast, {shown(beside.times[0])} to "
                f"{shown(beside.times[-1])}; give another --against, or another --init"
            )
        return side

    @cached_property
    def has(self) -> list[bool]:
        """Whether there is anything at each of the times."""
        return [self._has(lead) for lead in range(len(self.times))]

    def _has(self, lead: int) -> bool:
        try:
            self.moment(lead)
        except DataError:
            return False
        return True

    @property
    def example(self) -> xr.Dataset:
        """The first moment that there is."""
        return self.moment(self.has.index(True))

    @property
    def is_analysis(self) -> bool:
        """Whether these are states and no forecast."""
        return ANALYSIS in self.example.attrs

    @cached_property
    def grid(self) -> Grid:
        """Of its fields."""
        return Grid.of(self.example)

    def moment(self, lead: int) -> xr.Dataset:
        """A run of the single lead that is valid then."""
        return at_time(self.found, self.times[lead], self.start, self.name)

    def ensemble(self, variable: str, level: int | None, lead: int, member: int | None = None) -> EnsembleField:
        """As ``Side``."""
        found = _selected(self.moment(lead), variable, level, member)
        if found.grid != self.grid:
            raise DataError(f"{self.name} has several grids, expected one; give one forecast alone")
        return found


@dataclass(frozen=True, eq=False)
class DifferenceSide:
    """Mean of one side minus the mean of the other, on the grid that they share."""

    one: ForecastSide
    other: OtherSide

    @cached_property
    def grid(self) -> Grid:
        """Of both means."""
        return shared_grid(self.one.grid, self.other.grid)

    def moment(self, lead: int) -> xr.Dataset:
        """As ``Side``: the forecast's own."""
        return self.one.moment(lead)

    def ensemble(self, variable: str, level: int | None, lead: int, member: int | None = None) -> EnsembleField:
        """As ``Side``; a single field, whatever ``member`` is."""
        ours, theirs = (
            _selected(onto(side.moment(lead), self.grid), variable, level, None) for side in (self.one, self.other)
        )
        difference = (ours.mean() - theirs.mean())[None]
        return replace(ours, values=difference, members=("0",), size=1)


@contextmanager
def naming(one: ForecastSide, name: str, level: int | None, lead: int) -> Iterator[None]:
    """Errors of damaged files say which field it was."""
    try:
        yield
    except UnreadableError as error:
        words = "" if level is None else f" on {level} hPa"
        hours = one.run["lead_time"].values[one.leads[lead]] / HOUR
        raise UnreadableError(f"{name}{words} at T+{hours:g} h: {error}") from error


def members_of(side: Side, name: str, level: int | None, lead: int) -> NDArray[np.float64]:
    """All members (member, latitude, longitude) of a variable of the file, in its units; NaN of those that ended.

    Raises
    ------
    DataError
        If it is not there, or has no value at all.
    """
    moment = side.moment(lead)
    if name not in moment.data_vars or Grid.of(moment) != side.grid:
        raise DataError(f"there is no {name} on this grid at this lead time; choose another field or forecast")
    with READING:
        values = stored(moment.isel(lead_time=0), name, level)
    if not np.isfinite(values).any():
        raise EmptyError(f"{name} has no value at this lead time; choose another field")
    return values


def _selected(moment: xr.Dataset, variable: str, level: int | None, member: int | None) -> EnsembleField:
    size = len(member_names(moment))
    if member is not None and not 0 <= member < size:
        raise DataError(f"no member at position {member}; there are {size}")
    if member is not None and "realization" in moment.dims:
        moment = moment.isel(realization=[member])
    with READING:
        return replace(select(moment, variable, level, None), size=size)
