"""Forecasts for a list of stations, interpolated from the grid."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.errors import DataError
from data_pipeline.regrid import Regridder
from data_pipeline.variables import COORDINATE_ATTRIBUTES, variable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from data_pipeline.channels import Channels
    from data_pipeline.grid import Grid
    from data_pipeline.regrid import Points

_ALTITUDE = {"standard_name": "altitude", "long_name": "altitude of the station", "units": "m", "positive": "up"}


@dataclass(frozen=True)
class Stations:
    """Stations with names, in degrees, and metres above mean sea level where they are known."""

    grid: Grid
    names: tuple[str, ...]
    points: Points
    altitude: tuple[float, ...] | None = field(default=None)

    dims = ("station",)

    @property
    def shape(self) -> tuple[int, ...]:
        """(number of stations,)."""
        return (len(self.names),)

    @property
    def places(self) -> dict[str, tuple[float, ...]]:
        """Coordinates along the dimension ``station``."""
        altitude = {} if self.altitude is None else {"altitude": self.altitude}
        return {"latitude": self.points.latitude, "longitude": self.points.longitude, **altitude}

    @property
    def about(self) -> dict[str, dict[str, str]]:
        """Attributes of the coordinates (CF)."""
        return {**COORDINATE_ATTRIBUTES, "altitude": _ALTITUDE}

    def __post_init__(self) -> None:
        inside = np.isfinite(self._regridder.regrid_array(np.zeros(self.grid.shape, np.float32)))
        if not inside.all():
            name = self.names[int(np.argmin(inside))]
            raise DataError(f"the station {name} is outside the {self.grid}; take it out of the list")

    def cut(self, states: NDArray[np.float32], channels: Channels) -> NDArray[np.float32]:
        """``states`` (member, channel, latitude, longitude) at the stations, bilinear: (member, channel, station)."""
        values = np.empty((*states.shape[:2], *self.shape), np.float32)
        for position, channel in enumerate(channels):
            vector = variable(channel.variable_name).crosses_pole_with_sign == -1
            values[:, position] = self._regridder.regrid_array(states[:, position], vector=vector)
        return values

    @cached_property
    def _regridder(self) -> Regridder:
        return Regridder(self.grid, self.points, method="bilinear")
