"""The other side of a difference: a forecast or an analysis, at the same valid time and on the same grid."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.errors import DataError, SphercastError
from data_pipeline.grid import Grid
from data_pipeline.reading import SAMPLE, is_store_path, open_states
from data_pipeline.times import shown
from evaluation.plots.fields import valid_time_of
from evaluation.plots.grids import onto, shared_grid
from evaluation.readers import open_runs

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr

    Against = str | Path | xr.Dataset

ANALYSIS = "analysis"
"""The attribute of a run that is made of states, which are no forecast."""


def beside(run: xr.Dataset, against: Against, lead: float | None) -> tuple[xr.Dataset, xr.Dataset]:
    """A run, and the other's fields at the valid time of ``lead`` (hours), both on the grid that they share.

    Parameters
    ----------
    run
        As ``evaluation.readers`` gives it.
    against
        A path of forecasts or of states, or one of them open. Of several forecasts that which starts when ``run``
        does is taken, else the newest.

    Returns
    -------
    The run, and another one with a single lead time; that of an analysis is 0, and says so in its attribute
    ``analysis``.

    Raises
    ------
    DataError
        If nothing readable is there, it lacks the valid time, or the grids cannot be brought together.
    """
    time = valid_time_of(run, lead)
    name = str(against) if isinstance(against, str | Path) else "the other"
    found = at_time(opened(against), time, run["initial_time"].values.item(), name)
    grid = shared_grid(Grid.of(run), Grid.of(found))
    return onto(run, grid), onto(found, grid)


def opened(against: Against) -> Sequence[xr.Dataset]:
    """Runs, or the states alone; a DataError if it is neither."""
    if not isinstance(against, str | Path):
        return [against]
    if str(against) == SAMPLE or is_store_path(against):
        return [open_states(against)]
    try:
        return open_runs(against)
    except DataError:
        try:
            return [open_states(against)]
        except SphercastError as error:
            raise DataError(f"{against} is neither a forecast nor an analysis to subtract: {error}") from error


def at_time(found: Sequence[xr.Dataset], time: np.datetime64, start: int, name: str) -> xr.Dataset:
    """A run with the single lead that is valid at ``time``, of what ``opened`` found; a DataError if none is.

    Of several runs that which starts at ``start`` (nanoseconds since 1970), else the newest.
    """
    if "time" in found[0].dims:
        return _analysis(found[0], time, name)
    with_time = [own for own in found if (_valid(own) == time).any()]
    if not with_time:
        raise _no_common_time(np.concatenate([_valid(own) for own in found]), time, name)
    chosen = max(with_time, key=lambda own: (own["initial_time"].values.item() == start, own["initial_time"].values))
    return chosen.isel(lead_time=np.flatnonzero(_valid(chosen) == time)[:1])


def _valid(run: xr.Dataset) -> np.ndarray[tuple[int], np.dtype[np.datetime64]]:
    return np.atleast_1d(run["initial_time"].values + run["lead_time"].values)


def _analysis(states: xr.Dataset, time: np.datetime64, name: str) -> xr.Dataset:
    """States at one time as a run of one lead time, 0."""
    places = np.flatnonzero(states["time"].values == time)
    if not places.size:
        raise _no_common_time(states["time"].values, time, name)
    moment = states.isel(time=places[0]).drop_vars("time")
    moment = moment.expand_dims(lead_time=np.zeros(1, "m8[ns]")).assign_coords(initial_time=time)
    return moment.assign_attrs({**states.attrs, ANALYSIS: "yes"})


def _no_common_time(
    has: np.ndarray[tuple[int], np.dtype[np.datetime64]], time: np.datetime64, name: str
) -> DataError:  # fmt: skip
    return DataError(
        f"{name} has no field valid at {shown(time)}, only from {shown(has.min())} to {shown(has.max())}; choose "
        "another --lead, or another file"
    )
