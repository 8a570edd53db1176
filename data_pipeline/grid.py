"""Latitude-longitude grids of the sphere: validation, cell bounds and exact area weights (only here)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.errors import DataError

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

COORDINATE_TOLERANCE = 1e-3
"""Degrees within which two coordinates are the same: float32 files must match float64 ones."""

COORDINATE_DECIMALS = 6
"""Coordinates are kept to a millionth of a degree, a tenth of a metre, everywhere: equal grids are equal exactly."""

POLE, CIRCLE = 90.0, 360.0
_FEWEST_POINTS = 2
_POLAR_CAP = 0.9
"""Spacings between the last row and the pole: 0 on the pole, 0.5 half a cell off, 0.78 on Gaussian grids; a grid
whose polar row was cut off has 1 or more."""


MOST_POINTS = 2**28
"""Of a target: 1 GiB a field, a grid of 1/64 degree. Beyond them weights and coordinates alone would fill a memory."""
MOST_GAUSSIAN_LATITUDES = 4096
"""Finding their roots takes the cube of their number in time and its square in memory."""


@dataclass(frozen=True)
class Grid:
    """A rectangular grid of the sphere: latitudes north to south, longitudes 0 to 360 ascending, in degrees.

    >>> Grid.equiangular(3, 4, poles=True).latitude
    (90.0, 0.0, -90.0)
    """

    latitude: tuple[float, ...]
    longitude: tuple[float, ...]

    def __post_init__(self) -> None:
        latitude, longitude = np.asarray(self.latitude), np.asarray(self.longitude)
        if min(latitude.size, longitude.size) < _FEWEST_POINTS:
            raise DataError(f"a grid needs at least 2 latitudes and 2 longitudes, got {latitude.size}x{longitude.size}")
        if not (np.all(np.diff(latitude) < 0) and np.all(np.abs(latitude) <= POLE)):  # NaN fails every comparison
            raise DataError(f"latitude must run from north to south within +-90, got {_ends(latitude)}; sort it first")
        if not (np.all(np.diff(longitude) > 0) and np.all((longitude >= 0) & (longitude < CIRCLE))):
            raise DataError(f"longitude must ascend within 0 <= longitude < 360, got {_ends(longitude)}; roll it first")

    @classmethod
    def of(cls, data: xr.Dataset | xr.DataArray) -> Grid:
        """The grid of canonical data, from its ``latitude`` and ``longitude`` coordinates."""
        return cls(_degrees(data["latitude"].values), _degrees(data["longitude"].values))

    @classmethod
    def equiangular(cls, n_latitude: int, n_longitude: int, *, poles: bool) -> Grid:
        """Evenly spaced latitudes, the first and last on the poles or half a cell off them."""
        if poles:
            return cls(_degrees(np.linspace(POLE, -POLE, n_latitude)), _even_longitudes(n_longitude))
        edges = np.linspace(POLE, -POLE, n_latitude + 1)
        return cls(_degrees((edges[:-1] + edges[1:]) / 2), _even_longitudes(n_longitude))

    @classmethod
    def gaussian(cls, n_latitude: int, n_longitude: int) -> Grid:
        """Latitudes whose sines are the roots of the Legendre polynomial of degree ``n_latitude``."""
        sines = np.polynomial.legendre.leggauss(n_latitude)[0]
        return cls(_degrees(np.rad2deg(np.arcsin(sines[::-1]))), _even_longitudes(n_longitude))

    @property
    def shape(self) -> tuple[int, int]:
        """(number of latitudes, number of longitudes)."""
        return len(self.latitude), len(self.longitude)

    @property
    def coordinates(self) -> dict[str, list[float]]:
        """Both axes, as a dataset takes them."""
        return {"latitude": list(self.latitude), "longitude": list(self.longitude)}

    @property
    def reaches_poles(self) -> bool:
        """Whether the first row is the one next to the north pole (or on it), and the last the south pole's."""
        return all(self._reached)

    @property
    def _reached(self) -> tuple[bool, bool]:
        """(north pole, south pole)."""
        first, second, *_ = self.latitude
        *_, last_but_one, last = self.latitude
        north = POLE - first < _POLAR_CAP * (first - second)
        return north, last + POLE < _POLAR_CAP * (last_but_one - last)

    @property
    def is_global(self) -> bool:
        """Whether the cells cover the whole sphere, without a gap at the poles or at the date line."""
        return self.reaches_poles and self.is_periodic

    @property
    def is_periodic(self) -> bool:
        """Whether the columns go all the way round, without a gap where the last meets the first."""
        gaps = np.diff([*self.longitude, self.longitude[0] + CIRCLE])
        return bool(gaps.max() < 1.5 * gaps.min())

    def latitude_bounds(self) -> Floats:
        """Cell edges in degrees, north to south, shape (n_latitude + 1,).

        Edges lie midway between rows (for Gaussian grids too). The outer edge is the pole where the grid
        reaches it; a cropped grid ends half a spacing beyond its last row and is never stretched to a pole.
        """
        latitude = np.asarray(self.latitude)
        middle = (latitude[:-1] + latitude[1:]) / 2
        cropped = 2 * latitude[[0, -1]] - middle[[0, -1]]
        north, south = np.where(self._reached, (POLE, -POLE), cropped)
        return np.asarray(np.concatenate([[north], middle, [south]]), dtype=np.float64)

    def longitude_bounds(self) -> Floats:
        """Cell edges in degrees, west to east, shape (n_longitude + 1,), midway between columns."""
        longitude = np.asarray(self.longitude)
        if self.is_periodic:
            longitude = np.concatenate([[longitude[-1] - CIRCLE], longitude, [longitude[0] + CIRCLE]])
        else:
            longitude = np.concatenate(
                [[2 * longitude[0] - longitude[1]], longitude, [2 * longitude[-1] - longitude[-2]]]
            )
        return np.asarray((longitude[:-1] + longitude[1:]) / 2, dtype=np.float64)

    def area_weights(self) -> Floats:
        """Area of the cells of each row over the mean area, shape (n_latitude,): differences of sines, mean 1.

        >>> float(Grid.equiangular(2, 4, poles=False).area_weights().mean())
        1.0
        """
        sines = np.sin(np.deg2rad(self.latitude_bounds()))
        areas = sines[:-1] - sines[1:]
        return np.asarray(areas / areas.mean(), dtype=np.float64)

    def matches(self, other: Grid) -> bool:
        """Whether both grids have the same points, within ``COORDINATE_TOLERANCE``."""
        return self.shape == other.shape and all(
            np.allclose(mine, theirs, rtol=0, atol=COORDINATE_TOLERANCE)
            for mine, theirs in ((self.latitude, other.latitude), (self.longitude, other.longitude))
        )

    def __str__(self) -> str:
        latitude, longitude = np.asarray(self.latitude), np.asarray(self.longitude)
        return f"{self.shape[0]}x{self.shape[1]} grid (latitude {_ends(latitude)}, longitude {_ends(longitude)})"


def _degrees(values: ArrayLike) -> tuple[float, ...]:
    return tuple(float(value) for value in np.round(np.asarray(values, dtype=np.float64), COORDINATE_DECIMALS))


def _even_longitudes(count: int) -> tuple[float, ...]:
    return _degrees(np.arange(count) * (CIRCLE / max(count, 1)))


def _ends(values: NDArray[np.floating]) -> str:
    return f"{values[0]:g}..{values[-1]:g}"
