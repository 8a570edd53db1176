"""The fields of a forecast file, one variable, level and lead time of all its members at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from data_pipeline.errors import DAMAGES, DataError, reading
from data_pipeline.grid import Grid
from data_pipeline.times import HOUR
from data_pipeline.variables import VARIABLES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

DERIVED: dict[str, tuple[str, str]] = {
    "wind_speed": ("u_component_of_wind", "v_component_of_wind"),
    "10m_wind_speed": ("10m_u_component_of_wind", "10m_v_component_of_wind"),
    "100m_wind_speed": ("100m_u_component_of_wind", "100m_v_component_of_wind"),
}
"""Speeds of a member's own wind; the components that they are made of."""


def attributes_of(name: str) -> dict[str, str]:
    """CF attributes of a variable or of a wind speed.

    >>> attributes_of("10m_wind_speed")["long_name"]
    '10m wind speed'
    """
    if name not in DERIVED:
        return VARIABLES[name].attributes
    return {"standard_name": "wind_speed", "long_name": name.replace("_", " "), "units": "m s-1"}


@dataclass(frozen=True)
class ForecastFields:
    """An ensemble forecast of ours, open: ``leads`` in hours, ``members`` by number, ``control`` if one is named."""

    dataset: xr.Dataset
    path: str

    @property
    def members(self) -> list[int]:
        """Numbers of the members."""
        return [int(number) for number in self.dataset["realization"].values]

    @property
    def control(self) -> int | None:
        """The unperturbed member, where the file names one."""
        number = self.dataset.attrs.get("control_member")
        return None if number is None else int(number)

    @property
    def initial_time(self) -> np.datetime64:
        """When the forecast starts."""
        return np.datetime64(
            int(self.dataset["forecast_reference_time"].values.astype("datetime64[ns]").astype(np.int64)), "ns"
        )

    @property
    def times(self) -> NDArray[np.datetime64]:
        """Valid times."""
        return np.asarray(self.dataset["time"].values.astype("datetime64[ns]"))

    @property
    def leads(self) -> NDArray[np.float64]:
        """Lead times in hours."""
        return np.asarray((self.times - self.initial_time) / HOUR)

    @property
    def grid(self) -> Grid:
        """The grid of the fields, whole or a region."""
        return Grid.of(self.dataset)

    def variables(self) -> list[str]:
        """The fields that are there, then the wind speeds that can be made of them."""
        held = [
            str(name) for name, field in self.dataset.data_vars.items() if {"realization", "time"} < set(field.dims)
        ]
        return held + [name for name, parts in DERIVED.items() if set(parts) <= set(held)]

    def levels(self, name: str) -> list[int | None]:
        """Pressure levels on which the variable has values; [None] for one without levels."""
        first = self.dataset[DERIVED.get(name, (name,))[0]]
        if "level" not in first.dims:
            return [None]
        corner = first.isel(realization=0, time=0, latitude=0, longitude=0)
        named = self.dataset.attrs.get("channels", "").split()
        stem = str(first.name)
        listed = [int(text.removeprefix(f"{stem}_")) for text in named if text.removeprefix(f"{stem}_").isdigit()]
        return [int(level) for level in corner["level"].values if not listed or int(level) in listed]

    def read(self, name: str, level: int | None, lead: int, rows: Sequence[int]) -> Floats:
        """Values (member, latitude, longitude) of the members at positions ``rows`` at the lead's position."""
        if name in DERIVED:
            u, v = (self.read(part, level, lead, rows) for part in DERIVED[name])
            return np.asarray(np.hypot(u, v), dtype=np.float32)
        field = self.dataset[name].isel(time=lead, realization=list(rows))
        with reading(f"{name} of {self.path}"):
            return np.asarray((field if level is None else field.sel(level=level)).values, dtype=np.float32)


def open_fields(path: Path) -> ForecastFields:
    """Open a forecast of ours (NetCDF, or zarr in WeatherBench2's layout).

    Raises
    ------
    DataError
        If nothing is there, or it is no ensemble forecast of ours.
    """
    if not path.exists():
        raise DataError(f"no forecast at {path}; give a file that 'sphercast forecast' or 'sphercast run' wrote")
    try:
        dataset = _opened(path)
    except DAMAGES as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"{path} cannot be read ({reason}); it is no forecast, or damaged: make it again") from error
    lacking = sorted({"realization", "time", "forecast_reference_time"} - set(map(str, dataset.variables)))
    if lacking or not ForecastFields(dataset, str(path)).variables():
        has = ", ".join(map(str, dataset.variables)) or "nothing"
        dataset.close()
        raise DataError(
            f"{path} has no {', '.join(lacking) or 'fields of members'}, expected an ensemble forecast of sphercast; "
            f"it has {has[:200]}"
        )
    return ForecastFields(dataset, str(path))


def _opened(path: Path) -> xr.Dataset:
    if not path.is_dir():
        return xr.open_dataset(path, engine="netcdf4", chunks=None, cache=False, decode_timedelta=False)
    store = xr.open_dataset(path, engine="zarr", chunks=None, cache=False, decode_timedelta=True)
    if "prediction_timedelta" not in store.dims or store.sizes.get("time") != 1:
        return store
    start = store["time"].values[0]
    single = store.isel(time=0, drop=True).rename(prediction_timedelta="time")
    valid = start + store["prediction_timedelta"].values
    return single.assign_coords(time=valid, forecast_reference_time=start)
