"""The fields of a forecast file, one variable, level and lead time of all its members at a time."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from data_pipeline.errors import DAMAGES, DataError, reading
from forecast.products.source import CONTROL, Source

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from forecast.products.source import Floats, Read

_DIMS = {"realization", "time", "latitude", "longitude"}


@contextmanager
def open_forecast(path: Path) -> Iterator[xr.Dataset]:
    """A forecast of ours, NetCDF or Zarr in WeatherBench2's layout, lazily, with dims (realization, time, ...).

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
    with dataset:
        lacking = sorted({"realization", "time", "forecast_reference_time"} - set(map(str, dataset.variables)))
        if lacking or not _fields(dataset):
            has = ", ".join(map(str, dataset.variables)) or "nothing"
            raise DataError(
                f"{path} has no {', '.join(lacking) or 'fields of members on a grid'}, expected an ensemble forecast "
                f"of sphercast; it has {has[:200]}"
            )
        yield dataset


def source_of(dataset: xr.Dataset, path: Path) -> Source:
    """What an open forecast holds."""
    control = dataset.attrs.get(CONTROL)
    reference = dataset["forecast_reference_time"].values.astype("datetime64[ns]")
    return Source(
        path=str(path),
        members=tuple(int(number) for number in dataset["realization"].values),
        control=None if control is None else int(control),
        initial_time=np.datetime64(int(reference.astype(np.int64)), "ns"),
        times=dataset["time"].values.astype("datetime64[ns]"),
        places={name: dataset[name].values.tolist() for name in ("latitude", "longitude")},
        levels={name: _levels(dataset, name) for name in _fields(dataset)},
        attributes={str(name): str(value) for name, value in dataset.attrs.items()},
        sum_of=_sum_of(dataset),
    )


def reader(dataset: xr.Dataset, path: Path, lead: int, rows: Sequence[int]) -> Read:
    """Reads values (member, latitude, longitude) of the members at ``rows`` at the lead's position."""

    def read(name: str, level: int | None) -> Floats:
        field = dataset[name].isel(time=lead, realization=list(rows))
        with reading(f"{name} of {path}"):
            return np.asarray((field if level is None else field.sel(level=level)).values, dtype=np.float32)

    return read


def _sum_of(dataset: xr.Dataset) -> np.timedelta64 | None:
    """The bounds of its times say it; a zarr store in WeatherBench2's layout has none."""
    if "time_bnds" not in dataset.variables:
        return None
    first, last = dataset["time_bnds"].values[0]
    return np.timedelta64(last - first)


def _fields(dataset: xr.Dataset) -> list[str]:
    return [str(name) for name, field in dataset.data_vars.items() if set(field.dims) >= _DIMS]


def _levels(dataset: xr.Dataset, name: str) -> tuple[int | None, ...]:
    """Pressure levels on which a variable has values, as ``channels`` lists them; (None,) for one without levels."""
    if "level" not in dataset[name].dims:
        return (None,)
    ends = [text.removeprefix(f"{name}_") for text in str(dataset.attrs.get("channels", "")).split()]
    listed = [int(end) for end in ends if end.isdigit()]
    return tuple(int(level) for level in dataset["level"].values if not listed or int(level) in listed)


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
