"""Ensembles as CF-1.11 NetCDF4: one chunk per field, written member by member and step by step, then renamed."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import netCDF4
import numpy as np

from data_pipeline.publish import publishing
from data_pipeline.times import HOUR, whole_hours
from data_pipeline.variables import COORDINATE_ATTRIBUTES, variable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from data_pipeline.channels import Channels
    from data_pipeline.grid import Grid

_EPOCH = np.datetime64("1900-01-01T00", "ns")
_TIME = {"units": "hours since 1900-01-01 00:00:00", "calendar": "standard"}


@dataclass(frozen=True)
class EnsembleLayout:
    """The axes of a forecast file: members by number, valid times, channels and grid."""

    channels: Channels
    grid: Grid
    members: Sequence[int]
    initial_time: np.datetime64
    times: NDArray[np.datetime64]

    @property
    def levels(self) -> list[int]:
        """All pressure levels in hPa, ascending; a variable that lacks one is missing there."""
        return sorted({channel.level for channel in self.channels if channel.level is not None})


class EnsembleWriter:
    """An open forecast file; use ``writing_ensemble``."""

    def __init__(self, file: netCDF4.Dataset, layout: EnsembleLayout, attributes: Mapping[str, str]) -> None:
        self.file = file
        self.layout = layout
        self._row = {member: row for row, member in enumerate(layout.members)}
        self._column = {time: column for column, time in enumerate(layout.times)}
        self._layer = {level: layer for layer, level in enumerate(layout.levels)}
        file.setncatts(_global_attributes({"channels": " ".join(layout.channels.names), **attributes}))
        _define_axes(file, layout)
        for name, levels in layout.channels.variables.items():
            _define_field(file, name, layout, with_level=levels is not None)

    def write(self, members: Sequence[int], time: np.datetime64, states: NDArray[np.floating]) -> None:
        """Write ``states`` (member, channel, latitude, longitude) of ``members`` at one valid time."""
        rows = [self._row[member] for member in members]
        column = self._column[time]
        with _naming(self.file.filepath()):
            for position, channel in enumerate(self.layout.channels):
                layer = () if channel.level is None else (self._layer[channel.level],)
                self.file[channel.variable_name][(rows, column, *layer)] = states[:, position]


@contextmanager
def writing_ensemble(path: Path, layout: EnsembleLayout, attributes: Mapping[str, str]) -> Iterator[EnsembleWriter]:
    """A writer on a temporary file that takes its final name only when the block succeeds.

    ``attributes`` are global attributes beside the conventions: source, seed, checkpoint and the like.

    Raises
    ------
    OSError
        If the disk is full or fails.
    """
    with publishing(path) as aside:
        with _naming(str(path)):
            file = netCDF4.Dataset(aside, "w", format="NETCDF4")
        try:
            with _naming(str(path)):
                writer = EnsembleWriter(file, layout, attributes)
            yield writer
        finally:
            with _naming(str(path)):
                file.close()


@contextmanager
def _naming(path: str) -> Iterator[None]:
    """The netCDF library says of a full disk only 'HDF error' in a RuntimeError: raise an OSError with the path."""
    try:
        yield
    except RuntimeError as error:
        raise OSError(errno.EIO, f"cannot write ({error})", path) from error


def _global_attributes(attributes: Mapping[str, str]) -> dict[str, str]:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "Conventions": "CF-1.11",
        "title": "Ensemble weather forecast",
        "institution": "produced with sphercast",
        "history": f"{now} sphercast {version('sphercast')} forecast",
        "references": "https://cfconventions.org",
        **attributes,
    }


def _define_axes(file: netCDF4.Dataset, layout: EnsembleLayout) -> None:
    hours, reference = (
        whole_hours(np.asarray(times), _EPOCH).astype(np.int32) for times in (layout.times, layout.initial_time)
    )
    lead = (layout.times - layout.initial_time) / HOUR
    _axis(file, "realization", np.asarray(layout.members, np.int32), standard_name="realization", units="1",
          long_name="ensemble member")  # fmt: skip
    _axis(file, "time", hours, standard_name="time", long_name="valid time", axis="T", **_TIME)
    if layout.levels:
        _axis(file, "level", np.asarray(layout.levels, np.int32), **COORDINATE_ATTRIBUTES["level"], axis="Z")
    for axis, (name, values) in zip("YX", layout.grid.coordinates.items(), strict=True):
        _axis(file, name, np.asarray(values), **COORDINATE_ATTRIBUTES[name], axis=axis)
    _coordinate(file, "forecast_period", ("time",), lead, standard_name="forecast_period", units="hours",
                long_name="time since the initial time")  # fmt: skip
    _coordinate(file, "forecast_reference_time", (), reference, standard_name="forecast_reference_time",
                long_name="initial time", **_TIME)  # fmt: skip


def _axis(file: netCDF4.Dataset, name: str, values: NDArray[Any], **attributes: str) -> None:
    file.createDimension(name, len(values))
    _coordinate(file, name, (name,), values, **attributes)


def _coordinate(file: netCDF4.Dataset, name: str, dims: tuple[str, ...], values: Any, **attributes: str) -> None:
    coordinate = file.createVariable(name, np.asarray(values).dtype, dims)
    coordinate.setncatts(attributes)
    coordinate[...] = values


def _define_field(file: netCDF4.Dataset, name: str, layout: EnsembleLayout, *, with_level: bool) -> None:
    dims = ("realization", "time", *(["level"] if with_level else []), "latitude", "longitude")
    chunks = (*(1 for _ in dims[:-2]), *layout.grid.shape)
    field = file.createVariable(
        name, "f4", dims, zlib=True, complevel=4, shuffle=True, chunksizes=chunks, fill_value=np.float32(np.nan)
    )
    field.setncatts({**variable(name).attributes, "coordinates": "forecast_period forecast_reference_time"})
