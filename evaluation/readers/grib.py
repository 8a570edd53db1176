"""GRIB forecasts as pieces of runs: every message is a field of a start, lead time, member and channel.

The pipeline's index of the headers says where each message is and eccodes unpacks it when it is read; its GRIB source
itself gives states, of one member and one step.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from data_pipeline.channels import Channel
from data_pipeline.errors import DAMAGES, DataError, listed
from data_pipeline.sources.grib_index import GribIndex, Stamp, grib_files, index_files
from data_pipeline.sources.grib_message import Kind, Layout, decode, layout_of
from data_pipeline.sources.grib_selection import contents, held_variables, pressure
from data_pipeline.units import Conversion, conversions, plain_units
from data_pipeline.variables import variable
from evaluation.readers.fields import Scaled, upright
from evaluation.readers.names import is_static
from evaluation.readers.pieces import Slot

if TYPE_CHECKING:
    import xarray as xr

    from data_pipeline.grid import Grid
    from evaluation.readers.fields import Field, Source, Step

_REGULAR = {"regular_ll", "regular_gg"}
_SPELT = {
    "m of water equivalent": "m",
    "deg C": "degC",
    "~": "1",
    "Numeric": "1",
    "unknown": "",
    "(Code table 4.2)": "1",
}


@dataclass(frozen=True, eq=False)
class Message:
    """A message of a file, and what makes a canonical field of it."""

    file: Stamp
    offset: int
    length: int
    layout: Layout
    steps: tuple[Step, ...]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of its values."""
        return np.dtype(np.float32)

    def read(self) -> Field:
        """The field (latitude, longitude).

        Raises
        ------
        DataError
            If the message is damaged.
        """
        layout = self.layout
        field: Field = np.empty((layout.latitude.size, layout.longitude.size), np.float32)
        try:
            with open(self.file.path, "rb", buffering=0) as opened:
                content = os.pread(opened.fileno(), self.length, self.offset)
            decode(content, layout.in_scanning_order(field))
        except DAMAGES as error:
            raise DataError(
                f"{self.file.path}: the field at byte {self.offset} cannot be unpacked ({error}); copy it again"
            ) from error
        for step in self.steps:
            field = step(field)
        return field


@dataclass(frozen=True, eq=False)
class GridOfKind:
    """The grid that messages of a kind are on, and what brings them from north to south and from 0 to 360 degrees."""

    grid: Grid
    layout: Layout
    steps: tuple[Step, ...]


@dataclass(frozen=True, eq=False)
class GribPiece:
    """The messages of a file, folder or glob that start at one time."""

    path: str
    grid: Grid
    initial_time: np.datetime64
    messages: dict[Slot, Source]
    unread: tuple[str, ...] = ()

    def sources(self) -> dict[Slot, Source]:
        """Every field that it has."""
        return self.messages

    def units(self, name: str) -> str | None:
        """Canonical ones."""
        return variable(name).units if name in {slot.channel.variable_name for slot in self.messages} else None

    def as_run(self) -> xr.Dataset | None:
        """None: messages are put together one by one."""
        return None


def grib_pieces(path: str) -> list[GribPiece]:
    """What GRIB holds of known variables, by initial time; ``unread`` are the short names of the others.

    Raises
    ------
    DataError
        If it is damaged, holds no known variable, a field twice, or accumulations since the start of the forecast, or
        is on no regular grid.
    """
    index = index_files(grib_files(path))
    held = {name: kinds for name, kinds in held_variables(index.kinds).items() if not is_static(name)}
    if not held:
        raise DataError(
            f"{path} is no forecast: it has {contents(index.kinds)}; expected variables that sphercast knows"
        )
    grids = {kind: _grid(index, kind) for kinds in held.values() for kind in kinds}
    first, *others = (own.grid for own in grids.values())
    if not all(first.matches(grid) for grid in others):
        raise DataError(f"{path} has fields on different grids ({first}, {others[-1]}); split the files")
    runs: dict[np.datetime64, dict[Slot, Source]] = {}
    for name, kinds in held.items():
        _check_accumulation(path, name, [index.kinds[kind] for kind in kinds])
        for kind in kinds:
            _add(runs, name, index, kind, grids[kind], path)
    known = {kind for kinds in held_variables(index.kinds).values() for kind in kinds}
    unread = tuple(sorted({kind.short_name for number, kind in enumerate(index.kinds) if number not in known}))
    return [GribPiece(path, first, start, fields, unread) for start, fields in sorted(runs.items())]


def _add(
    runs: dict[np.datetime64, dict[Slot, Source]], name: str, index: GribIndex, number: int, grid: GridOfKind, path: str
) -> None:
    """The messages of a kind, each to the run of its start."""
    kind = index.kinds[number]
    lead = np.timedelta64(round(kind.step_hours * 3600), "s").astype("timedelta64[ns]")
    slot = Slot(lead, kind.member, Channel(name, int(pressure(kind)) or None))
    steps = (*grid.steps, *_conversion(name, kind, path))
    for message in index.messages[index.messages["kind"] == number]:
        run = runs.setdefault(message["time"].astype("datetime64[ns]") - lead, {})
        if slot in run:
            raise DataError(f"{path} has {slot.name}, member {slot.member}, more than once; remove the copies")
        file = index.files[message["file"]]
        run[slot] = Message(file, int(message["offset"]), int(message["length"]), grid.layout, steps)


def _check_accumulation(path: str, name: str, kinds: list[Kind]) -> None:
    hours = sorted({kind.accumulation_hours for kind in kinds})
    if len(hours) > 1:
        raise DataError(
            f"{path}: {name} is accumulated over {listed(f'{each:g}' for each in hours)} h, as sums since the start of "
            "a forecast are, expected one number of hours as in the truth; take differences of steps first"
        )


def _conversion(name: str, kind: Kind, path: str) -> tuple[Step, ...]:
    known = conversions(variable(name))
    units = plain_units(_SPELT.get(kind.units, kind.units)) or variable(name).units
    if units not in known:
        raise DataError(f"{path}: {name} is in {kind.units!r}, expected one of: {', '.join(known)}; convert it")
    how = known[units]
    return () if how == Conversion() else (Scaled(how.scale, how.offset),)


def _grid(index: GribIndex, number: int) -> GridOfKind:
    kind = index.kinds[number]
    message = index.messages[np.argmax(index.messages["kind"] == number)]
    file = index.files[message["file"]]
    if kind.grid_type not in _REGULAR:
        raise DataError(
            f"{file.path} is on a grid of type {kind.grid_type}, expected {' or '.join(sorted(_REGULAR))}; convert it "
            "with cdo (setgridtype,regular or sp2gpl), or request a regular grid"
        )
    return _grid_of(kind.grid, file, int(message["offset"]), int(message["length"]))


_GRIDS: dict[bytes, GridOfKind] = {}
"""By what headers say of the grid, which is the same in thousands of messages."""


def _grid_of(key: bytes, file: Stamp, offset: int, length: int) -> GridOfKind:
    if key not in _GRIDS:
        with open(file.path, "rb", buffering=0) as opened:
            content = os.pread(opened.fileno(), length, offset)
        try:
            layout = layout_of(content)
        except DAMAGES as error:
            raise DataError(f"{file.path}: the grid at byte {offset} is not read ({error}); regrid it") from error
        grid, steps = upright(layout.latitude, layout.longitude)
        _GRIDS[key] = GridOfKind(grid, layout, tuple(steps))
    return _GRIDS[key]
