"""Initial states for a forecaster: fetched, checked as they are on their own grid, and regridded onto the model's."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from data_pipeline.building.share import VALID_FRACTION
from data_pipeline.channels import Channels
from data_pipeline.errors import DataError, reading
from data_pipeline.grid import Grid
from data_pipeline.quality import Report
from data_pipeline.quality.values import ValueChecker
from data_pipeline.regrid import Regridder
from data_pipeline.variables import variable

if TYPE_CHECKING:
    from pathlib import Path

    from data_pipeline.realtime.request import RealtimeSource, Request

_LOG = logging.getLogger(__name__)


def initial_states(source: RealtimeSource, request: Request, grid: Grid, folder: Path) -> xr.Dataset:
    """Canonical states on ``grid``, in memory: exactly the times, variables and levels of the request.

    Every value is checked before regridding could average a defect away; regridding is conservative, as in training
    stores. A variable is read, checked and regridded after the other, so that one at a time is in memory.

    Raises
    ------
    TemporaryError
        If something is not there yet; what was fetched stays in ``folder``, and the same call goes on.
    DataError
        If values are missing or impossible (it names the member and each variable), or the source never has what is
        asked for.
    """
    states = source.fetch(request, folder)
    report = Report()
    fields = {
        name: _on_grid(states[name].sel(level=sorted(levels)) if levels else states[name], grid, report)
        for name, levels in request.channels.variables.items()
    }
    _judge(report, "" if request.member is None else f"member {request.member}: ")
    return xr.Dataset(fields)


def _judge(report: Report, of: str) -> None:
    for finding in report.warnings:
        _LOG.warning("%s%s", of, finding)
    try:
        report.raise_errors()
    except DataError as error:
        raise DataError(f"{of}{error}") from error


def _on_grid(field: xr.DataArray, grid: Grid, report: Report) -> xr.DataArray:
    """One variable, checked and regridded."""
    with reading(f"what was fetched of {field.name}"):
        field = field.load()
    source = Grid.of(field)
    _check(field, source, report)
    regridder = Regridder(source, grid, min_valid_fraction=VALID_FRACTION[variable(str(field.name)).defined_over])
    return regridder(field.to_dataset())[field.name]


def _check(field: xr.DataArray, grid: Grid, report: Report) -> None:
    levels = field["level"].values.tolist() if "level" in field.dims else None
    times = field["time"].values if "time" in field.dims else np.array(["NaT"], "M8[ns]")
    channels = Channels.of({str(field.name): levels})
    values = field.values.reshape(len(times), len(channels), *grid.shape)
    ValueChecker(channels, grid).update(times, values, report)
