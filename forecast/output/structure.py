"""What a forecast's NetCDF file has before it has fields: dimensions, coordinates and attributes (CF-1.11)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.variables import COORDINATE_ATTRIBUTES
from forecast.output.attributes import coordinates, field_attributes, global_attributes, heights
from forecast.output.netcdf_parts import (
    define_axis,
    define_coordinate,
    define_field,
    define_heights,
    define_times,
    write_parts,
)
from forecast.output.region import Region
from forecast.output.rounding import CONTAINER, container_attributes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import netCDF4
    from numpy.typing import NDArray

    from forecast.guards import Stop
    from forecast.output.config import OutputConfig
    from forecast.output.layout import Selection
    from forecast.output.points import Stations

STEPS, STOPPED = "steps_completed", "stopped_members"
_MOST_IN_WORDS = 50
"""An attribute has room for 64 KiB."""
STEPS_ATTRIBUTES = {"long_name": "forecast steps that the member completed", "units": "1"}


def write_structure(path: Path, selection: Selection, config: OutputConfig, attributes: Mapping[str, str]) -> None:
    """A new file without fields; equal arguments make equal bytes.

    Raises
    ------
    DataError
        If times are not whole hours.
    OSError
        If the disk is full or fails.
    """
    write_parts(path, lambda file: _define(file, selection, config, attributes))


def _define(file: netCDF4.Dataset, selection: Selection, config: OutputConfig, attributes: Mapping[str, str]) -> None:
    file.setncatts(global_attributes(selection, attributes))
    _define_members(file, selection)
    sums = any(channel.variable.accumulated for channel in selection.channels)
    define_times(file, selection.times, selection.initial_time, selection.step_length if sums else None)
    if selection.levels:
        levels = np.asarray(selection.levels, np.int32)
        define_axis(file, "level", levels, **COORDINATE_ATTRIBUTES["level"], axis="Z")
    _define_space(file, selection.space)
    define_heights(file, heights(selection.channels.variables))
    if config.keep_bits is not None:
        file.createVariable(CONTAINER, "S1").setncatts(container_attributes())
    for name, levels_of in selection.channels.variables.items():
        _define_field(file, name, selection, config, with_level=levels_of is not None)


def steps_completed(selection: Selection, stopped: Mapping[int, Stop]) -> NDArray[np.int32]:
    """How many steps each member came, a scalar for a file of one member."""
    steps = len(selection.layout.times)
    completed = [stopped[member].step - 1 if member in stopped else steps for member in selection.members]
    return np.asarray(completed[0] if selection.one_member else completed, np.int32)


def stopped_in_words(members: Sequence[int], stopped: Mapping[int, Stop]) -> str:
    """Which of the ``members`` were stopped, when and why (the first of many); empty where none was."""
    words = [str(stopped[member]) for member in members if member in stopped]
    more = [f"and {len(words) - _MOST_IN_WORDS} more"] if len(words) > _MOST_IN_WORDS else []
    return "; ".join(words[:_MOST_IN_WORDS] + more)


def _define_members(file: netCDF4.Dataset, selection: Selection) -> None:
    about = {"standard_name": "realization", "units": "1", "long_name": "ensemble member"}
    members = np.asarray(selection.members, np.int32)
    if selection.one_member:
        define_coordinate(file, "realization", (), members[0], **about)
        file.createVariable(STEPS, "i4", ()).setncatts({**STEPS_ATTRIBUTES, "coordinates": "realization"})
    else:
        define_axis(file, "realization", members, **about)
        file.createVariable(STEPS, "i4", ("realization",)).setncatts(STEPS_ATTRIBUTES)


def _define_space(file: netCDF4.Dataset, space: Region | Stations) -> None:
    if isinstance(space, Region):
        for axis, (name, values) in zip("YX", space.places.items(), strict=True):
            define_axis(file, name, np.asarray(values), **COORDINATE_ATTRIBUTES[name], axis=axis)
        return
    file.createDimension("station", len(space.names))
    names = file.createVariable("station_name", str, ("station",))
    names[:] = np.array(space.names, object)
    names.setncattr("long_name", "name of the station")
    for name, values in space.places.items():
        define_coordinate(file, name, ("station",), np.asarray(values), **space.about[name])


def _define_field(
    file: netCDF4.Dataset, name: str, selection: Selection, config: OutputConfig, *, with_level: bool
) -> None:
    members = () if selection.one_member else ("realization",)
    dims = (*members, "time", *(["level"] if with_level else []), *selection.space.dims)
    plain = config.compression == 0 and selection.has_all_levels(name)
    field = define_field(file, name, dims, selection.space.dims, config.compression, plain=plain)
    field.setncatts(field_attributes(name, selection, config.keep_bits, over="time"))
    field.coordinates = " ".join(["forecast_period", "forecast_reference_time", *coordinates(name, selection)])
