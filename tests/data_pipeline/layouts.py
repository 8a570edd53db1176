"""The mock world in the exact layouts of public archives: names, dims, directions, types, chunks, attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
import zarr

from data_pipeline.grid import Grid
from data_pipeline.variables import variable
from tests.mock_world import mock_states, mock_static

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Times = NDArray[np.datetime64]

WB2_LEVELS = (50, 100, 150, 200, 250, 300, 400, 500, 600, 700, 850, 925, 1000)
ARCO_LEVELS = (
    1, 2, 3, 5, 7, 10, 20, 30, 50, 70, 100, 125, 150, 175, 200, 225, 250, 300, 350, 400, 450, 500, 550, 600, 650, 700,
    750, 775, 800, 825, 850, 875, 900, 925, 950, 975, 1000,
)  # fmt: skip
ARCO_TIME = {"units": "hours since 1900-01-01 00:00:00", "calendar": "proleptic_gregorian"}
_UNITS = {"m2 s-2": "m**2 s**-2", "m s-1": "m s**-1", "kg kg-1": "kg kg**-1", "1": "(0 - 1)", "J m-2": "J m**-2"}

GRIDS = {
    "64x32": Grid.equiangular(32, 64, poles=False),
    "240x121": Grid.equiangular(121, 240, poles=True),
    "1440x721": Grid.equiangular(721, 1440, poles=True),
}


def weatherbench2(
    path: Path, size: str, times: Times, variables: Mapping[str, Sequence[int] | None],
    static: Sequence[str] = ("geopotential_at_surface", "land_sea_mask"), rain_hours: Sequence[int] = (6,),
) -> xr.Dataset:  # fmt: skip
    """Write a WeatherBench2 ERA5 store of that grid; the canonical data that it stands for.

    Sums of precipitation over ``rain_hours`` are the mock world's precipitation times the hours.
    """
    world = mock_states(GRIDS[size], times, variables)
    if static:
        world = world.merge(mock_static(GRIDS[size], static))
    raw = _with_sums(_google_attributes(world), rain_hours)
    if size == "1440x721":
        raw = raw.assign_coords({name: raw[name].astype(np.float32) for name in ("latitude", "longitude")})
    else:
        raw = raw.isel(latitude=slice(None, None, -1))
        raw = raw.transpose("time", "level", "longitude", "latitude", missing_dims="ignore")
    _write(raw, path, times_per_chunk=1 if size == "1440x721" else 100)
    return world


def arco_era5(
    path: Path, grid: Grid, times: Times, variables: Mapping[str, Sequence[int] | None],
    attributes: Mapping[str, str], static: Sequence[str] = ("geopotential_at_surface",),
) -> xr.Dataset:  # fmt: skip
    """Write an ARCO-ERA5 store with data at ``times`` only; the canonical data that it stands for.

    Its axis is the public one's: every hour of 1900 to 2050; all other chunks are missing.
    """
    world = mock_states(grid, times, variables)
    if static:
        world = world.merge(mock_static(grid, static))
    raw = _google_attributes(world)
    group = zarr.create_group(path, zarr_format=2, attributes=dict(attributes), overwrite=True)
    hours = np.arange(np.datetime64("1900-01-01T00"), np.datetime64("2051-01-01T00")) - np.datetime64("1900-01-01T00")
    _array(group, "time", hours.astype(np.int64), ARCO_TIME)
    for name in ("latitude", "longitude"):
        _array(group, name, raw[name].values.astype(np.float32), {})
    if "level" in raw:
        _array(group, "level", raw["level"].values.astype(np.int64), {})
    positions = (times - np.datetime64("1900-01-01", "ns")) // np.timedelta64(1, "h")
    for name, field in raw.data_vars.items():
        _sparse(group, str(name), field, hours.size, positions)
    zarr.consolidate_metadata(path, zarr_format=2)
    return world


def _sparse(group: zarr.Group, name: str, field: xr.DataArray, length: int, positions: NDArray[np.int64]) -> None:
    changing = "time" in field.dims
    shape = (length, *field.shape[1:]) if changing else field.shape
    array = group.create_array(
        name, shape=shape, chunks=(1, *shape[1:]) if changing else shape, dtype=np.float32, fill_value=np.nan,
        attributes={**field.attrs, "_ARRAY_DIMENSIONS": list(map(str, field.dims))},
    )  # fmt: skip
    if not changing:
        array[...] = field.values
        return
    for position, values in zip(positions.tolist(), field.values, strict=True):
        array[position] = values


def _array(group: zarr.Group, name: str, values: NDArray[np.generic], attributes: Mapping[str, str]) -> None:
    array = group.create_array(
        name, shape=values.shape, chunks=values.shape, dtype=values.dtype, fill_value=None,
        attributes={**attributes, "_ARRAY_DIMENSIONS": [name]},
    )  # fmt: skip
    array[...] = values


def _google_attributes(world: xr.Dataset) -> xr.Dataset:
    """Long and short name and the units as ECMWF spells them; the axes say nothing, levels are int64."""
    raw = world.copy()
    for name, field in raw.data_vars.items():
        entry = variable(str(name))
        field.attrs = {
            "long_name": entry.long_name.capitalize(), "short_name": entry.short_names[0],
            "units": _UNITS.get(entry.units, entry.units),
        }  # fmt: skip
    if "level" in raw:
        raw = raw.assign_coords(level=raw["level"].astype(np.int64))
    for axis in raw.coords.values():
        axis.attrs = {}
    return raw


def _with_sums(raw: xr.Dataset, rain_hours: Sequence[int]) -> xr.Dataset:
    if "total_precipitation" not in raw:
        return raw
    rain = raw["total_precipitation"]
    sums = {
        f"total_precipitation_{hours}hr": (rain * np.float32(hours)).assign_attrs(rain.attrs) for hours in rain_hours
    }
    return raw.drop_vars("total_precipitation").assign(sums)


def _write(raw: xr.Dataset, path: Path, times_per_chunk: int) -> None:
    """Zarr format 2, consolidated, whole fields per chunk, NaN for what is missing, hours since 1959."""
    encoding: dict[str, dict[str, object]] = {
        str(name): {
            "chunks": tuple(times_per_chunk if dim == "time" else raw.sizes[dim] for dim in field.dims),
            "_FillValue": np.float32(np.nan),
        }
        for name, field in raw.data_vars.items()
    }
    encoding["time"] = {"dtype": "int64", "units": "hours since 1959-01-01", "calendar": "proleptic_gregorian"}
    raw.to_zarr(path, zarr_format=2, consolidated=True, encoding=encoding)


def with_expver_dimension(raw: xr.Dataset, preliminary_from: int) -> xr.Dataset:
    """As the older Climate Data Store gave recent months: ``expver`` 1 and 5, each NaN where the other has values."""
    final, preliminary = raw.copy(), raw.copy()
    time = "valid_time" if "valid_time" in raw.dims else "time"
    is_final = xr.DataArray(np.arange(raw.sizes[time]) < preliminary_from, dims=time)
    both = [final.where(is_final), preliminary.where(~is_final)]
    return xr.concat(both, xr.DataArray(np.array([1, 5], dtype=np.int32), dims="expver", name="expver")).transpose(
        time, "expver", ...
    )


def packed(raw: xr.Dataset) -> tuple[xr.Dataset, dict[str, dict[str, object]]]:
    """Names, axes and packing of older NetCDF files: ``time`` in hours since 1900, int16 with scale and offset.

    Returns the dataset, with longitudes -180..180, and the encoding to write it with; each file has its own packing.
    """
    old = raw.assign_coords(longitude=(raw["longitude"] + 180) % 360 - 180).sortby("longitude")
    encoding: dict[str, dict[str, object]] = {
        "time": {"units": "hours since 1900-01-01 00:00:00.0", "dtype": "int32", "calendar": "gregorian"}
    }
    for name, field in old.data_vars.items():
        low, high = float(field.min()), float(field.max())
        encoding[str(name)] = {
            "dtype": "int16", "scale_factor": (high - low) / 65000, "add_offset": (high + low) / 2,
            "_FillValue": np.int16(-32767),
        }  # fmt: skip
    return old, encoding
