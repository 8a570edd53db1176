"""A forecast at one place: its grid's nearest points, or a station of a file that was written for stations."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.errors import DataError, reading
from data_pipeline.grid import Grid
from data_pipeline.variables import VARIABLES
from evaluation.plots.places.neighbours import Neighbours
from evaluation.plots.places.place import place_at
from evaluation.plots.places.station_files import is_station_file, station_run
from evaluation.plots.runs import open_at

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    from evaluation.plots.places.neighbours import Method
    from evaluation.plots.places.place import Place

    Floats = NDArray[np.float64]

_AMOUNTS = "total_precipitation"
"""How names of precipitation begin that the table of variables does not know, as ``total_precipitation_6hr``."""


@dataclass(frozen=True)
class Local:
    """A run of a forecast, as ``evaluation.readers`` gives it, at a place.

    Of a forecast on a grid the fields of ``run`` are those at the ``neighbours``, not yet read; a station's have no
    latitude and longitude.
    """

    run: xr.Dataset
    place: Place
    neighbours: Neighbours | None

    @classmethod
    def of(cls, run: xr.Dataset, place: Place) -> Local:
        """A run on a grid; a DataError if the place is outside."""
        found = Neighbours.of(Grid.of(run), place)
        return cls(found.cut(run), place, found)

    def values(self, name: str, level: int | None, leads: slice = slice(None)) -> Floats:
        """A variable of the file, (member, lead), in the file's units; with a last axis of levels if ``level`` is None.

        Read lead by lead, so that no more than one field of all members is ever in memory.
        """
        field = self.run[name]
        if level is not None and "level" in field.dims:
            field = field.sel(level=level)
        field = field.isel(lead_time=leads)
        vector = name in VARIABLES and VARIABLES[name].crosses_pole_with_sign == -1
        each = [self._at(field.isel(lead_time=lead), vector) for lead in range(field.sizes["lead_time"])]
        return np.stack(each, axis=1)

    def _at(self, field: xr.DataArray, vector: bool) -> Floats:
        """One lead, (member) or (member, level)."""
        ordered = field.transpose("realization", "level", "latitude", "longitude", missing_dims="ignore")
        with reading(self.run.attrs.get("path", "the forecast")):
            values = np.asarray(ordered.values)
        if self.neighbours is not None:
            values = self.neighbours.value(values, method_of(str(field.name)), vector=vector)
        values = values.astype(np.float64)
        return values if "realization" in field.dims else values[None]


def method_of(variable: str) -> Method:
    """How a variable comes to a place: sums of rain are what a whole cell gets, all else varies smoothly.

    >>> method_of("2m_temperature"), method_of("total_precipitation")
    ('bilinear', 'cell')
    """
    summed = variable in VARIABLES and VARIABLES[variable].accumulated
    return "cell" if summed or variable.startswith(_AMOUNTS) else "bilinear"


def open_local(path: str | Path, at: str, *, stations: Path | None = None, init: str | None = None) -> Local:
    """The forecast at ``path`` from ``init`` (by default the newest) at the place ``at``.

    ``at`` is as in ``place_at``; of a file that was written for stations it is one of theirs.

    Raises
    ------
    DataError
        If nothing readable is there, it has no such run or station, or the place is outside of its grid.
    """
    if is_station_file(path):
        if stations is not None or init is not None:
            raise DataError(f"{path} has its own stations and one start; leave --stations and --init out")
        run, place = station_run(Path(path), at)
        return Local(run, place, None)
    return Local.of(open_at(path, init), place_at(at, stations))
