"""What a cyclone is here: centres, one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from evaluation.tracks.sphere import KM_PER_DEGREE, distance

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Centre:
    """A cyclone at one time: degrees north, degrees east (0..360), and what is known of it there, else NaN.

    ``pressure`` is the lowest at mean sea level (Pa), ``wind`` the strongest at 10 m nearby (m s-1), ``vorticity`` the
    largest cyclonic one at 850 hPa nearby (s-1, positive in both hemispheres; where a criterion
    asks for it), ``height`` that of the ground (m).
    """

    time: np.datetime64
    latitude: float
    longitude: float
    pressure: float = np.nan
    wind: float = np.nan
    vorticity: float = np.nan
    height: float = np.nan


@dataclass(frozen=True)
class Track:
    """The centres of a cyclone in order of time; of a forecast with its initial time and member."""

    name: str
    centres: tuple[Centre, ...]
    initial_time: np.datetime64 | None = None
    member: int | None = None

    @cached_property
    def at(self) -> dict[np.datetime64, Centre]:
        """The centre at each time that has one."""
        return {centre.time: centre for centre in self.centres}

    @property
    def times(self) -> NDArray[np.datetime64]:
        """Of its centres, ascending."""
        return np.array([centre.time for centre in self.centres], dtype="datetime64[ns]")

    @property
    def hours(self) -> float:
        """From the first centre to the last."""
        return float((self.centres[-1].time - self.centres[0].time) / np.timedelta64(1, "h"))

    @property
    def travel_km(self) -> float:
        """Great-circle distance from the first centre to the last."""
        first, last = self.centres[0], self.centres[-1]
        return float(distance(first.latitude, first.longitude, last.latitude, last.longitude)) * KM_PER_DEGREE
