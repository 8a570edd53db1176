"""Pieces of runs: what one file holds of a forecast from one start."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
import xarray as xr

from data_pipeline.channels import Channel
from data_pipeline.times import HOUR
from data_pipeline.variables import COORDINATE_ATTRIBUTES, VARIABLES, variable
from evaluation.padding import without_padding
from evaluation.readers.fields import Place

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from data_pipeline.grid import Grid
    from evaluation.readers.fields import Source

DIMENSIONS = ("initial_time", "lead_time", "realization", "level", "latitude", "longitude")


class Slot(NamedTuple):
    """Which field of a run: the member is None where a file has no members."""

    lead_time: np.timedelta64
    member: int | None
    channel: Channel

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.channel.name} at +{self.lead_time / HOUR:g} h"


class Piece(Protocol):
    """Fields of one run that are in one file."""

    @property
    def path(self) -> str:
        """Of the file."""
        ...

    @property
    def grid(self) -> Grid:
        """Of all fields."""
        ...

    @property
    def initial_time(self) -> np.datetime64:
        """When the forecast starts."""
        ...

    @property
    def unread(self) -> tuple[str, ...]:
        """Names of what the file has and nobody can read."""
        ...

    def sources(self) -> dict[Slot, Source]:
        """Every field that it has."""
        ...

    def units(self, name: str) -> str | None:
        """Of a variable, None if it does not have it."""
        ...

    def as_run(self) -> xr.Dataset | None:
        """The piece as a whole run, where it is laid out as one."""
        ...


@dataclass(frozen=True, eq=False)
class DatasetPiece:
    """Variables whose dims are of ``labels`` and (latitude, longitude), last; ``labels`` has their coordinates.

    The level of a channel is that of a variable's name; None where it has an axis of levels, or none. The
    attribute ``channels`` says which are there; others on a shared axis of levels are padding.
    """

    path: str
    variables: Mapping[Channel, xr.Variable]
    labels: xr.Dataset
    grid: Grid
    attributes: Mapping[str, object]
    unread: tuple[str, ...] = ()

    def by_start(self) -> list[DatasetPiece]:
        """Piece by piece, each with a scalar ``initial_time``."""
        if "initial_time" not in self.labels.dims:
            return [self]
        return [self._of_start(index) for index in range(self.labels.sizes["initial_time"])]

    def _of_start(self, index: int) -> DatasetPiece:
        cut = {
            channel: field.isel(initial_time=index) if "initial_time" in field.dims else field
            for channel, field in self.variables.items()
        }
        return replace(self, variables=cut, labels=self.labels.isel(initial_time=index))

    @property
    def initial_time(self) -> np.datetime64:
        """When the forecast starts."""
        return np.datetime64(self.labels["initial_time"].item(), "ns")

    def units(self, name: str) -> str | None:
        """Of a variable, None if it does not have it."""
        held = [field for channel, field in self.variables.items() if channel.variable_name == name]
        return str(held[0].attrs.get("units", "")) if held else None

    def as_run(self) -> xr.Dataset | None:
        """The piece as a run, unless its lead time is a scalar or levels are in names."""
        one_level = "level" in self.labels.coords and self.labels["level"].ndim == 0
        if "lead_time" not in self.labels.dims or one_level or any(channel.level for channel in self.variables):
            return None
        labels = self.labels.drop_vars("realization") if self._member_is_scalar else self.labels
        fields = {channel.variable_name: field for channel, field in self.variables.items()}
        run = xr.Dataset(fields, {**labels.coords, **self.grid.coordinates})
        about = {"path": self.path, "files": (self.path,), "members": tuple(self._members())}
        return labelled(run).assign_attrs({**self.attributes, **about})

    @property
    def _member_is_scalar(self) -> bool:
        return "realization" in self.labels.coords and self.labels["realization"].ndim == 0

    def sources(self) -> dict[Slot, Source]:
        """Every field that it has."""
        found: dict[Slot, Source] = {}
        axes = [list(enumerate(labels)) for labels in (np.atleast_1d(self.labels["lead_time"].values), self._members())]
        for field, level_index, channel in self._channels():
            for (lead_index, lead), (member_index, member) in product(*axes):
                at = {"lead_time": lead_index, "realization": member_index, "level": level_index}
                found[Slot(lead, member, channel)] = Place(self.path, field, at)
        return found

    def _channels(self) -> Iterator[tuple[xr.Variable, int, Channel]]:
        """Every variable, position along its levels, and channel there, without padding."""
        every = [
            (field, index, Channel(named.variable_name, level))
            for named, field in self.variables.items()
            for index, level in enumerate(self._levels(named, field))
        ]
        kept = set(without_padding([channel for *_, channel in every], self.attributes))
        return (own for own in every if own[-1] in kept)

    def _members(self) -> list[int | None]:
        if "realization" in self.labels.coords:
            return [int(label) for label in np.atleast_1d(self.labels["realization"].values)]
        count = next((v.sizes["realization"] for v in self.variables.values() if "realization" in v.dims), None)
        return [None] if count is None else list(range(count))

    def _levels(self, channel: Channel, field: xr.Variable) -> list[int | None]:
        if "level" in field.dims:
            return [int(level) for level in self.labels["level"].values]
        if channel.level is None and "level" in self.labels.coords and self.labels["level"].ndim == 0:
            name = channel.variable_name
            return [int(self.labels["level"])] if name in VARIABLES and variable(name).on_levels else [None]
        return [channel.level]


def labelled(run: xr.Dataset) -> xr.Dataset:
    """With what coordinates say of themselves."""
    for name, attributes in COORDINATE_ATTRIBUTES.items():
        if name in run.coords:
            run[name].attrs.update(attributes)
    return run
