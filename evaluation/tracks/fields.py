"""What centres are found in: the fields of one time, from any canonical dataset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.errors import DataError, ScoreError, reading
from data_pipeline.grid import Grid
from data_pipeline.times import shown
from data_pipeline.variables import GRAVITY
from evaluation.sphere import vorticity
from evaluation.tracks.settings import has_field

if TYPE_CHECKING:
    import xarray as xr

    from evaluation.tracks.settings import TrackSettings
    from evaluation.tracks.sphere import Floats

PRESSURE = "mean_sea_level_pressure"


@dataclass(frozen=True)
class Fields:
    """Fields (point) of one time, row by row from the north-west; None what is not there.

    Pressure at mean sea level in Pa, wind speed at 10 m in m s-1, relative vorticity at 850 hPa in s-1 (cyclonic
    positive in both hemispheres), thickness in m2 s-2, height of the ground in m.
    """

    time: np.datetime64
    pressure: Floats
    wind: Floats | None = None
    vorticity: Floats | None = None
    thickness: Floats | None = None
    ground: Floats | None = None


def require_fields(dataset: xr.Dataset, ground: xr.DataArray | None, settings: TrackSettings) -> None:
    """Raise a ScoreError unless the pressure is there, and every field that a criterion needs."""
    if PRESSURE not in dataset:
        raise ScoreError(f"tracks need {PRESSURE}; the data have {', '.join(map(str, dataset.data_vars))}")
    _, lacking = settings.without_missing(dataset, ground)
    if lacking:
        needs = settings.needs()
        wanted = sorted(
            {name if level is None else f"{name} at {level} hPa" for own in lacking for name, level in needs[own]}
        )
        raise ScoreError(
            f"{', '.join(lacking)} cannot be asked for, because the data lack {', '.join(wanted)}; give them, or "
            f"set {lacking[0]} to None"
        )


def fields_of(
    states: xr.Dataset, time: np.datetime64, grid: Grid, ground: Floats | None, settings: TrackSettings
) -> Fields:
    """The fields of a dataset of one time and one member, with dims ([level], latitude, longitude).

    Raises
    ------
    DataError
        If a field is damaged.
    ScoreError
        If a value is missing or infinite: a track through it would be an invention.
    """
    return Fields(
        time,
        pressure=_values(states, PRESSURE, None, time),
        wind=_wind(states, time),
        vorticity=None if settings.minimum_vorticity is None else _vorticity(states, time, grid),
        thickness=None if settings.warm_core is None else _thickness(states, time, settings),
        ground=ground,
    )


def ground_of(dataset: xr.Dataset, ground: xr.DataArray | None, grid: Grid) -> Floats | None:
    """Height of the ground (point) in m, from the surface geopotential that is given or in the dataset.

    Raises
    ------
    ScoreError
        If it is on another grid.
    """
    name = "geopotential_at_surface"
    given = ground if ground is not None else dataset.get(name)
    if given is None:
        return None
    if not Grid.of(given).matches(grid):
        raise ScoreError(f"the ground is on a {Grid.of(given)}, expected the {grid}; regrid it")
    moving = [dim for dim in given.dims if dim not in ("latitude", "longitude")]
    return _read(given.isel(dict.fromkeys(moving, 0)), dataset).ravel() / GRAVITY


def _values(states: xr.Dataset, name: str, level: int | None, time: np.datetime64) -> Floats:
    field = states[name] if level is None else states[name].sel(level=level)
    place = f"{name}{'' if level is None else f' at {level} hPa'} of {shown(time)}"
    try:
        values = _read(field, states).ravel()
    except DataError as error:
        raise DataError(f"{place}: {error}") from error
    if not np.isfinite(values).all():
        raise ScoreError(
            f"{place} has {int((~np.isfinite(values)).sum())} missing or infinite values, expected a whole field; "
            "leave out this time or member"
        )
    return values


def _read(field: xr.DataArray, dataset: xr.Dataset) -> Floats:
    """A field (latitude, longitude) of a dataset."""
    with reading(dataset.attrs.get("path", dataset.encoding.get("source", "the data"))):
        return np.asarray(field.transpose("latitude", "longitude").values, dtype=np.float64)


def _wind(states: xr.Dataset, time: np.datetime64) -> Floats | None:
    names = ("10m_u_component_of_wind", "10m_v_component_of_wind")
    if not all(name in states for name in names):
        return None
    return np.hypot(*(_values(states, name, None, time) for name in names))


def _thickness(states: xr.Dataset, time: np.datetime64, settings: TrackSettings) -> Floats:
    upper, lower = settings.thickness_levels
    return _values(states, "geopotential", upper, time) - _values(states, "geopotential", lower, time)


def _vorticity(states: xr.Dataset, time: np.datetime64, grid: Grid) -> Floats:
    if has_field(states, "vorticity", 850):
        found = _values(states, "vorticity", 850, time)
    else:
        u, v = (_values(states, f"{axis}_component_of_wind", 850, time).reshape(grid.shape) for axis in "uv")
        found = vorticity(u, v, grid).ravel()  # NaN on the edges of a grid that is no globe
    cyclonic = np.where(np.asarray(grid.latitude) >= 0, 1.0, -1.0)
    return np.asarray(found * np.repeat(cyclonic, grid.shape[1]))
