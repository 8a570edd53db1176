"""Read a finished forecast back: every axis as planned, every field there, finite where it must be."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import netCDF4
import numpy as np
import zarr

from data_pipeline.errors import DataError, reading
from data_pipeline.times import HOUR
from forecast.output.attributes import hours_since_epoch, lead_hours
from forecast.output.sink import planned
from forecast.output.structure import STEPS, steps_completed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from forecast.guards import Stop
    from forecast.output.config import OutputConfig
    from forecast.output.layout import EnsembleLayout, Selection


def verify(outputs: Sequence[OutputConfig], layout: EnsembleLayout, folder: Path, stopped: Mapping[int, Stop]) -> None:
    """Read the finished files of ``outputs`` in ``folder`` back, field by field.

    Raises
    ------
    DataError
        If a file cannot be read, an axis is not as planned, or a field is missing, not finite, or there although its
        member had stopped.
    """
    for name, config, selection in planned(outputs, layout):
        path = folder / name
        with reading(path), _opened(path, is_zarr=config.is_zarr) as arrays:
            _check_axes(arrays, _zarr_axes(selection) if config.is_zarr else _netcdf_axes(selection), path)
            _check_axes(arrays, {STEPS: steps_completed(selection, stopped)}, path)
            _check_values(arrays, selection, stopped, path, is_zarr=config.is_zarr)


@contextmanager
def _opened(path: Path, *, is_zarr: bool) -> Iterator[Mapping[str, Any]]:
    """The arrays of a file by name."""
    if is_zarr:
        group: Any = zarr.open_consolidated(str(path), zarr_format=2, mode="r")
        yield group
        return
    with netCDF4.Dataset(path) as file:
        file.set_auto_mask(False)
        yield file.variables


def _netcdf_axes(selection: Selection) -> dict[str, NDArray[Any]]:
    return {
        **_axes(selection),
        "time": hours_since_epoch(selection.times),
        "forecast_reference_time": hours_since_epoch(selection.initial_time),
    }


def _zarr_axes(selection: Selection) -> dict[str, NDArray[Any]]:
    start = hours_since_epoch(selection.initial_time)[None]
    return {**_axes(selection), "time": start, "prediction_timedelta": lead_hours(selection)}


def _axes(selection: Selection) -> dict[str, NDArray[Any]]:
    members = selection.members[0] if selection.one_member else selection.members
    levels = {"level": selection.levels} if selection.levels else {}
    return {
        name: np.asarray(values)
        for name, values in {"realization": members, **levels, **selection.space.places}.items()
    }


def _check_axes(arrays: Mapping[str, Any], expected: Mapping[str, NDArray[Any]], path: Path) -> None:
    for name, values in expected.items():
        held = np.asarray(arrays[name][...])
        if not np.array_equal(held, values):
            raise DataError(f"{path}: read back, {name} is {held.tolist()}, expected {values.tolist()}; run it again")


def _check_values(
    arrays: Mapping[str, Any], selection: Selection, stopped: Mapping[int, Stop], path: Path, *, is_zarr: bool
) -> None:
    for row, member in enumerate(selection.members):
        last = stopped[member].step - 1 if member in stopped else len(selection.layout.times)
        for column, step in enumerate(selection.steps):
            of_netcdf = (column,) if selection.one_member else (row, column)
            index = (0, column, row) if is_zarr else of_netcdf
            where = f"{path}: member {member}, {_lead(selection, column)}"
            _check_step(arrays, index, selection, where, is_there=step <= last)


def _check_step(
    arrays: Mapping[str, Any], index: tuple[int, ...], selection: Selection, where: str, *, is_there: bool
) -> None:
    fields = {name: np.asarray(arrays[name][index]) for name in selection.channels.variables}
    for channel in selection.channels:
        whole = fields[channel.variable_name]
        field = whole if channel.level is None else whole[selection.levels.index(channel.level)]
        finite = np.isfinite(field)
        if not is_there and finite.any():
            raise DataError(
                f"{where}: {channel.name} has values, expected none, as the member had stopped; run it again"
            )
        if is_there and channel.variable.defined_over == "everywhere" and not finite.all():
            raise DataError(
                f"{where}: {channel.name} read back is missing or not finite at {np.count_nonzero(~finite)} of "
                f"{finite.size} points, expected all; run it again"
            )


def _lead(selection: Selection, column: int) -> str:
    return f"+{(selection.times[column] - selection.initial_time) / HOUR:g} h"
