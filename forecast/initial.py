"""The initial state of a forecast, taken from canonical data and checked."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import torch

from data_pipeline.errors import DataError, reading
from data_pipeline.grid import Grid
from data_pipeline.quality import check_values
from data_pipeline.times import shown, utc
from forecast.rollout import InitialState

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    from forecast.forecaster import Forecaster


def initial_state(forecaster: Forecaster, data: xr.Dataset, time: np.datetime64) -> InitialState:
    """The states at ``time`` and one step before it, in the forecaster's channels.

    Raises
    ------
    DataError
        If a time, variable or level is absent, the grid is another, or values are missing or impossible.
    """
    grid = Grid.of(data)
    if not grid.matches(forecaster.grid):
        raise DataError(f"the checkpoint is for the {forecaster.grid}, the data are on the {grid}; regrid them first")
    times = np.array([time - forecaster.step_length, time])
    _require_times(times, times_of(data))
    fields = forecaster.channels.stack(forecaster.channels.select(data).sel(time=times))
    with reading(data.encoding.get("source", "the data")):
        fields = fields.load()
    check_values(fields, forecaster.channels)
    previous, current = torch.from_numpy(np.ascontiguousarray(fields.values, dtype=np.float32))
    return InitialState(previous, current, time)


def first_time(forecaster: Forecaster, data: xr.Dataset) -> np.datetime64:
    """The first time of the data from which a forecast can start (it has the state one step before)."""
    times = times_of(data)
    possible = times[np.isin(times - forecaster.step_length, times)]
    if possible.size == 0:
        raise DataError(f"no two states {forecaster.model.step_hours} h apart in the data; give a longer period")
    return np.datetime64(possible[0], "ns")


def times_of(data: xr.Dataset) -> NDArray[np.datetime64]:
    """The times of the states, each once, or a DataError."""
    times: NDArray[np.datetime64] = np.atleast_1d(data["time"].values) if "time" in data.coords else np.array([])
    if times.size == 0 or np.unique(times).size < times.size:
        found = "no times" if times.size == 0 else "some times twice"
        raise DataError(f"the data hold {found}, expected states each at its own time; give other data")
    return times


def _require_times(wanted: NDArray[np.datetime64], held: NDArray[np.datetime64]) -> None:
    missing = [shown(time) for time in wanted if time not in held]
    if missing:
        raise DataError(
            f"the data have no state at {', '.join(missing)}; they hold {held.size} times in {shown(held[0])}.."
            f"{shown(held[-1])}. A forecast needs its initial time and the time one step before; choose another --init"
        )


def parse_time(text: str) -> np.datetime64:
    """An ISO date or time in UTC, e.g. ``2001-01-05T00`` or ``2001-01-05``."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise DataError(f"cannot read the time {text!r}; expected UTC as in 2001-01-05T00") from None
    return np.datetime64(utc(time), "ns")
