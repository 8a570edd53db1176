"""A clean piece of the simulated planet, and everything that can be wrong with it: name, damage, expected code."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import xarray as xr

from data_pipeline.canonical import canonicalise
from data_pipeline.sources.opening import open_raw
from tests.mock_world import climate_data_store_layout

if TYPE_CHECKING:
    from collections.abc import Callable

TIMES, JULY = 16, 60
_POINT = (9, 4, 20)
"""Of a field with time: an ordinary state, row and column (the North Atlantic's latitude, in Asia)."""


class Defect(NamedTuple):
    """``damage`` makes a clean dataset bad; ``also`` are codes that follow from it."""

    code: str
    damage: Callable[[xr.Dataset], xr.Dataset]
    also: frozenset[str] = frozenset()


@cache
def planet() -> xr.Dataset:
    """Weeks of January and July, 12-hourly, canonical, with a sea surface (NaN over land) and rain made up."""
    states = canonicalise(open_raw(str(files("data_pipeline.sample") / "states.nc"))).load()
    states = states.drop_vars("v_component_of_wind").sel(level=[500, 850])
    warm = states["2m_temperature"].clip(272.0, 303.0).isel(time=0, drop=True)
    slowly = warm + xr.DataArray(np.linspace(0, 1, states.sizes["time"]), dims="time")
    rain = (states["specific_humidity"].sel(level=850, drop=True) * 0.1).clip(0)
    return states.assign(
        sea_surface_temperature=slowly.transpose("time", ...).where(states["land_sea_mask"] < 0.5)
        .astype(np.float32).assign_attrs(units="K"),
        total_precipitation=rain.astype(np.float32).assign_attrs(units="m"),
    )  # fmt: skip


def clean() -> xr.Dataset:
    """Eight days of January, canonical."""
    return planet().isel(time=slice(0, TIMES)).copy(deep=True)


def clean_download() -> xr.Dataset:
    """The same as the Climate Data Store labels it."""
    return climate_data_store_layout(clean())


def put(name: str, value: float, where: tuple[object, ...] = _POINT, *, level: int | None = None):
    """Write a value into a variable."""

    def damage(world: xr.Dataset) -> xr.Dataset:
        values = world[name].values if level is None else world[name].values[:, level]
        values[where] = value
        return world

    return damage


def scaled(name: str, scale: float, offset: float = 0.0, where: object = slice(None)):
    """Other units than the label says."""

    def damage(world: xr.Dataset) -> xr.Dataset:
        world[name].values[where] = world[name].values[where] * scale + offset
        return world

    return damage


def relabelled(name: str, units: str):
    return lambda world: world.assign({name: world[name].assign_attrs(units=units)})


def moved(names: list[str] | None, change: Callable[[np.ndarray], np.ndarray]):
    """Values of these variables (of all) moved along longitude or latitude; the labels stay."""

    def damage(world: xr.Dataset) -> xr.Dataset:
        for name in names or list(world.data_vars):
            world[name].values[:] = change(world[name].values).copy()
        return world

    return damage


def north_south(values: np.ndarray) -> np.ndarray:
    return values[..., ::-1, :]


def east_west(values: np.ndarray) -> np.ndarray:
    return np.roll(values[..., ::-1], 1, axis=-1)


def half_turn(values: np.ndarray) -> np.ndarray:
    return np.roll(values, values.shape[-1] // 2, axis=-1)


def times(change: Callable[[np.ndarray], np.ndarray]):
    return lambda world: world.assign_coords(time=change(world["time"].values.copy()))


def _late(values: np.ndarray) -> np.ndarray:
    values[5] += np.timedelta64(3, "h")
    return values


def _not_a_time(values: np.ndarray) -> np.ndarray:
    values[5] = np.datetime64("NaT")
    return values


def _calendar(name: str):
    def damage(world: xr.Dataset) -> xr.Dataset:
        dates = xr.date_range("2001-01-01", periods=TIMES, freq="12h", calendar=name, use_cftime=True)
        return world.assign_coords(time=dates)

    return damage


def _nan_latitude(world: xr.Dataset) -> xr.Dataset:
    latitude = world["latitude"].values.copy()
    latitude[3] = np.nan
    return world.assign_coords(latitude=latitude)


def _wobbling(world: xr.Dataset) -> xr.Dataset:
    longitude = world["longitude"].values.copy()
    longitude[::2] += 0.4
    return world.assign_coords(longitude=longitude)


def _closed(world: xr.Dataset) -> xr.Dataset:
    first = world.isel(longitude=[0]).assign_coords(longitude=[360.0])
    return xr.concat([world, first], "longitude", data_vars="minimal")


def _swapped_weeks(world: xr.Dataset) -> xr.Dataset:
    world["geopotential"].values[8] = planet()["geopotential"].values[JULY]
    return world


def _repeated(world: xr.Dataset) -> xr.Dataset:
    world["temperature"].values[6] = world["temperature"].values[5]
    return world


def _reversed_levels(world: xr.Dataset) -> xr.Dataset:
    world["geopotential"].values[:] = world["geopotential"].values[:, ::-1].copy()
    return world


def _preliminary(world: xr.Dataset) -> xr.Dataset:
    return world.assign_coords(expver=("time", np.where(np.arange(TIMES) > 10, "0005", "0001")))


def _more_land(world: xr.Dataset) -> xr.Dataset:
    world["sea_surface_temperature"].values[5:, 10:14, :20] = np.nan
    return world


def _nan_at_sea(world: xr.Dataset) -> xr.Dataset:
    world["sea_surface_temperature"].values[..., 10:22, :] = np.nan
    return world


_JUMPS = frozenset({"field-jump", "value-spike"})
_GLOBE = frozenset({"latitude-cropped", "longitude-gap"})

DEFECTS: dict[str, Defect] = {
    # repaired exactly
    "south first": Defect("latitude-flipped", lambda w: w.isel(latitude=slice(None, None, -1))),
    "180 west to 180 east": Defect("longitude-rolled", lambda w: w.assign_coords(
        longitude=(w["longitude"] + 180) % 360 - 180).sortby("longitude")),
    "circle closed": Defect("column-duplicate", _closed),
    "levels in Pa": Defect("levels-in-pascal", lambda w: w.assign_coords(
        level=("level", w["level"].values * 100, {"units": "Pa"}))),
    "levels upward": Defect("levels-sorted", lambda w: w.isel(level=[1, 0])),
    "longitude before latitude": Defect("dims-transposed", lambda w: w.transpose("longitude", ...)),
    "one member": Defect("dims-singleton", lambda w: w.expand_dims(number=[3])),
    "one time": Defect("dims-expanded", lambda w: w.isel(time=0)),
    "times not in order": Defect("time-sorted", lambda w: w.isel(time=[*range(8, TIMES), *range(8)])),
    "times of cftime": Defect("calendar-converted", _calendar("standard")),
    "Celsius, and says so": Defect("units-converted", lambda w: relabelled("2m_temperature", "degC")(
        scaled("2m_temperature", 1, -273.15)(w))),
    "short name": Defect("variables-renamed", lambda w: w.rename({"mean_sea_level_pressure": "msl"})),
    "a variable of its own": Defect("variables-unknown", lambda w: w.assign(ice_cream=w["2m_temperature"])),
    "ERA5T": Defect("preliminary", _preliminary),
    # layout
    "nothing known": Defect("variable-missing", lambda w: w[["temperature"]].rename(temperature="ice_cream")),
    "two names": Defect("variable-doubled", lambda w: w.assign(t2m=w["2m_temperature"])),
    "no latitude": Defect("axis-missing", lambda w: w.drop_vars("latitude")),
    "an ensemble": Defect("dims-unexpected", lambda w: w.expand_dims(number=[0, 1])),
    "unknown units": Defect("units-unknown", relabelled("2m_temperature", "furlong")),
    "pressure at the sea on levels": Defect("level-axis-wrong", lambda w: w.assign(
        mean_sea_level_pressure=w["mean_sea_level_pressure"].expand_dims(level=w["level"].values))),
    "model levels": Defect("levels-invalid", lambda w: w.assign_coords(level=[0.5, 1.5])),
    "Pa and hPa on one axis": Defect("levels-mixed-units", lambda w: w.assign_coords(level=[500, 85000])),
    "a level twice": Defect("levels-duplicate", lambda w: w.assign_coords(level=[500, 500])),
    "a level without values": Defect("level-empty", put("temperature", np.nan, (slice(None), 0))),
    # times
    "360 days": Defect("calendar-unsupported", _calendar("360_day")),
    "no leap years": Defect("calendar-unsupported", _calendar("noleap")),
    "numbers for times": Defect("time-invalid", lambda w: w.assign_coords(time=np.arange(TIMES))),
    "not a time": Defect("time-invalid", times(_not_a_time)),
    "a time missing": Defect("time-missing", lambda w: w.drop_isel(time=7)),
    "no times": Defect("time-missing", lambda w: w.isel(time=[])),
    "a time twice": Defect("time-duplicate", lambda w: w.isel(time=[0, 1, 1, *range(2, TIMES)])),
    "a time 3 h late": Defect("time-irregular", times(_late), frozenset({"time-missing"})),
    "half hours": Defect("time-not-whole-hours", times(lambda t: t + np.timedelta64(30, "m"))),
    # the globe
    "a latitude NaN": Defect("grid-invalid", _nan_latitude),
    "radians": Defect("grid-radians", lambda w: w.assign_coords(
        latitude=np.deg2rad(w["latitude"]), longitude=np.deg2rad(w["longitude"]))),
    "tropics only": Defect("latitude-cropped", lambda w: w.isel(latitude=slice(8, 24))),
    "a row missing": Defect("latitude-gap", lambda w: w.drop_isel(latitude=12)),
    "a column missing": Defect("longitude-gap", lambda w: w.drop_isel(longitude=30)),
    "columns not even": Defect("grid-irregular", _wobbling),
    # values
    "-9999": Defect("value-fill", put("2m_temperature", -9999.0)),
    "1e20": Defect("value-fill", put("temperature", 1e20, (3, slice(0, 5), slice(0, 9)), level=1)),
    "-999 among heights, where it is possible": Defect("value-fill", put("geopotential", -999.0, (2, 3, slice(9, 14)),
                                                                         level=1)),
    "fill of packed integers": Defect("value-fill", put("mean_sea_level_pressure", 42.5, (2, slice(0, 4), 7))),
    "a lost block read as 0": Defect("value-fill", put("temperature", 0.0, (4, slice(0, 9)), level=0)),
    "impossibly warm": Defect("value-range", put("2m_temperature", 400.0)),
    "infinite": Defect("value-infinite", put("temperature", np.inf, level=0)),
    "NaN at a point": Defect("nan-values", put("mean_sea_level_pressure", np.nan)),
    "NaN at every point": Defect("nan-field", put("mean_sea_level_pressure", np.nan, (9,))),
    "mask that grows": Defect("nan-mask-changed", _more_land),
    "NaN at sea": Defect("nan-mask-not-land", _nan_at_sea),
    "one value everywhere": Defect("field-constant", put("2m_temperature", 288.0, (9,))),
    "no land": Defect("static-constant", put("land_sea_mask", 0.0, (...,))),
    "stuck": Defect("field-repeated", _repeated),
    "a state of July": Defect("field-jump", _swapped_weeks),
    "a corrupt point": Defect("value-spike", put("2m_temperature", 349.0)),
    "negative rain": Defect("accumulation-negative", put("total_precipitation", -0.02)),
    # units
    "Celsius called K": Defect("units-contradicted", scaled("2m_temperature", 1, -273.15)),
    "K called Celsius": Defect("units-contradicted", relabelled("2m_temperature", "degC")),
    "hPa called Pa": Defect("units-contradicted", scaled("mean_sea_level_pressure", 0.01)),
    "metres called geopotential": Defect("units-contradicted", scaled("geopotential", 1 / 9.80665)),
    "decametres called geopotential": Defect("units-contradicted", scaled("geopotential", 1 / 98.0665)),
    "g/kg called kg/kg": Defect("units-contradicted", scaled("specific_humidity", 1000)),
    "mm called m": Defect("units-contradicted", scaled("total_precipitation", 1000)),
    "height called geopotential": Defect("units-contradicted", scaled("geopotential_at_surface", 1 / 9.80665)),
    "percent called 1": Defect("units-contradicted", scaled("land_sea_mask", 100)),
    "hPa from some time on": Defect("units-mixed", scaled("mean_sea_level_pressure", 0.01, 0.0, slice(9, None)),
                                    frozenset({"units-contradicted"})),
    # signatures
    "all upside down": Defect("latitude-against-labels", moved(None, north_south), frozenset({"nan-mask-not-land"})),
    "heat upside down": Defect("latitude-against-labels", moved(["2m_temperature"], north_south)),
    "pressure upside down": Defect("latitude-against-labels", moved(["mean_sea_level_pressure"], north_south)),
    "land upside down": Defect("latitude-against-labels", moved(["land_sea_mask"], north_south)),
    "land half a turn off": Defect("rolled-against-labels", moved(["land_sea_mask"], half_turn)),
    "sea half a turn off": Defect("rolled-against-labels", moved(["sea_surface_temperature"], half_turn),
                                  frozenset({"nan-mask-not-land"})),
    "orography half a turn off": Defect("rolled-against-labels", moved(["geopotential_at_surface"], half_turn)),
    "land mirrored": Defect("mirrored-against-labels", moved(["land_sea_mask"], east_west)),
    "weather mirrored": Defect("mirrored-against-labels", moved(["geopotential"], east_west)),
    "weather backwards": Defect("mirrored-against-labels", lambda w: w[["temperature"]].isel(
        time=slice(None, None, -1)).assign_coords(time=w["time"].values)),
    "sea called land": Defect("mask-inverted", scaled("land_sea_mask", -1, 1)),
    "levels exchanged": Defect("levels-against-labels", _reversed_levels, frozenset({"units-contradicted"})),
}  # fmt: skip
