"""Small ensemble forecasts in our layout, made by hand, for tests of what reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from data_pipeline.grid import Grid
from data_pipeline.variables import COORDINATE_ATTRIBUTES, variable

if TYPE_CHECKING:
    from pathlib import Path

MEANS = {"temperature": 270, "u_component_of_wind": 5, "v_component_of_wind": 0, "2m_temperature": 285}
START = np.datetime64("2001-01-05T00", "ns")
GRID = Grid.equiangular(6, 12, poles=False)


def small_ensemble(members: int = 7, leads: int = 4, seed: int = 0) -> xr.Dataset:
    """Temperature and wind on 500 and 850 hPa and 2 m temperature, every 6 h; ``control_member`` is 0."""
    random = np.random.default_rng(seed)
    hours = 6 * np.arange(1, leads + 1)
    coordinates = {
        "realization": ("realization", np.arange(members), {"standard_name": "realization"}),
        "time": START + hours * np.timedelta64(1, "h"),
        "level": ("level", [500, 850], COORDINATE_ATTRIBUTES["level"]),
        **{name: (name, np.asarray(values)) for name, values in GRID.coordinates.items()},
        "forecast_period": ("time", hours.astype(float), {"units": "hours"}),
        "forecast_reference_time": START,
    }
    fields = {}
    for name, mean in {
        "temperature": 270,
        "u_component_of_wind": 5,
        "v_component_of_wind": 0,
        "2m_temperature": 285,
    }.items():
        dims = ("realization", "time", *(["level"] if variable(name).on_levels else []), "latitude", "longitude")
        shape = [len(coordinates[dim][1]) if dim != "time" else leads for dim in dims]
        values = (mean + 8 * random.standard_normal(shape)).astype(np.float32)
        fields[name] = (dims, values, variable(name).attributes)
    return xr.Dataset(fields, coordinates, {"control_member": "0", "seed": "3"})


def written(dataset: xr.Dataset, path: Path) -> Path:
    """``dataset`` as NetCDF, or as zarr in WeatherBench2's forecast layout if the path says so."""
    if path.suffix != ".zarr":
        dataset.to_netcdf(path, engine="netcdf4")
        return path
    leads = (dataset["time"].values - START).astype("timedelta64[ns]")
    store = dataset.drop_vars(["forecast_period", "forecast_reference_time"]).rename(time="prediction_timedelta")
    store = store.assign_coords(prediction_timedelta=leads).expand_dims(time=[START])
    store.to_zarr(path, consolidated=True, zarr_format=2)
    return path
