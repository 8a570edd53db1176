"""Climatologies in the layout of WeatherBench2's store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr

from data_pipeline.canonical import check
from data_pipeline.channels import Channels
from data_pipeline.day_of_year import DayOfYearClimatology
from data_pipeline.errors import DataError
from tests.data_pipeline.day_of_year_cases import CHANNELS, GRID

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def weatherbench2() -> xr.Dataset:
    """The layout of WeatherBench2's store, latitude south to north."""
    rng = np.random.default_rng(5)
    coords = {
        "hour": [0, 6, 12, 18], "dayofyear": np.arange(1, 367), "level": [500, 850],
        "longitude": list(GRID.longitude), "latitude": list(GRID.latitude)[::-1],
    }  # fmt: skip
    levels, surface = (
        ("hour", "dayofyear", "level", "longitude", "latitude"),
        ("hour", "dayofyear", "longitude", "latitude"),
    )

    def field(dims: tuple[str, ...]) -> tuple[tuple[str, ...], np.ndarray]:
        return dims, rng.uniform(1, 2, [len(coords[name]) for name in dims]).astype(np.float32)

    names = {"temperature": levels, "sea_surface_temperature": surface, "10m_wind_speed": surface}
    return xr.Dataset(
        {f"{name}{suffix}": field(dims) for name, dims in names.items() for suffix in ("", "_std")}, coords
    )


def test_a_climatology_of_weatherbench2_is_read(weatherbench2: xr.Dataset) -> None:
    climatology = DayOfYearClimatology.from_weatherbench2(weatherbench2)
    assert (climatology.channels, climatology.grid, climatology.hours) == (CHANNELS, GRID, (0, 6, 12, 18))
    times = np.array(["2020-03-01T06", "2021-03-01T18"], "datetime64[ns]")
    mean, std = climatology.at(times)
    for dataset, suffix in ((mean, ""), (std, "_std")):
        check(dataset)
        for index, (hour, day) in enumerate([(6, 61), (18, 60)]):
            theirs = weatherbench2[f"temperature{suffix}"].sel(hour=hour, dayofyear=day, level=850)
            mine = dataset["temperature"].sel(level=850).isel(time=index)
            np.testing.assert_array_equal(mine, theirs.transpose("latitude", "longitude")[::-1])
    one = DayOfYearClimatology.from_weatherbench2(weatherbench2, Channels.of({"temperature": [850]}))
    xr.testing.assert_equal(one.at(times)[0]["temperature"].isel(level=0), mean["temperature"].isel(level=1))
    xr.testing.assert_identical(climatology.select({"temperature"}).at(times)[0], mean[["temperature"]])


def test_what_weatherbench2_lacks_is_told(weatherbench2: xr.Dataset) -> None:
    read = DayOfYearClimatology.from_weatherbench2
    with pytest.raises(DataError, match="the data lack temperature_1000"):
        read(weatherbench2, Channels.of({"temperature": [1000]}))
    with pytest.raises(DataError, match="the climatology lacks temperature_std; choose other variables"):
        read(weatherbench2.drop_vars("temperature_std"))
    with pytest.raises(DataError, match="the dataset lacks hour, dayofyear; expected a climatology by hour and"):
        read(weatherbench2.isel(hour=0, dayofyear=0, drop=True))
    with pytest.raises(DataError, match="WeatherBench2's climatology has no quantiles, asked for day 1 at 06 UTC"):
        read(weatherbench2).quantiles_at(np.array(["2001-01-01T06"], "datetime64[ns]"))


def test_units_that_are_stated_must_be_the_tables(weatherbench2: xr.Dataset) -> None:
    for name, units in (("temperature", "degC"), ("temperature_std", "degF")):
        labelled = weatherbench2.copy()
        labelled[name] = labelled[name].assign_attrs(units=units)
        with pytest.raises(DataError, match=f"the climatology has {name} in '{units}', expected 'K'; convert it"):
            DayOfYearClimatology.from_weatherbench2(labelled)
    labelled["temperature_std"].attrs["units"] = "kelvin"
    assert DayOfYearClimatology.from_weatherbench2(labelled).channels == CHANNELS


def test_a_day_that_is_not_there_is_refused(weatherbench2: xr.Dataset) -> None:
    short = DayOfYearClimatology.from_weatherbench2(weatherbench2.isel(dayofyear=slice(0, 365)))
    with pytest.raises(DataError, match="has no day 366 of the year, its first and last are 1, 365; take one of 366"):
        short.at(np.array(["2020-12-31T06"], "datetime64[ns]"))


def test_a_store_of_weatherbench2_is_read_from_disk_chunk_by_chunk(weatherbench2: xr.Dataset, tmp_path: Path) -> None:
    path = tmp_path / "climatology.zarr"
    chunks = {
        name: tuple(1 if axis in ("hour", "dayofyear") else size for axis, size in data.sizes.items())
        for name, data in weatherbench2.items()
    }
    small = weatherbench2.isel(dayofyear=slice(0, 3))
    small.to_zarr(path, encoding={name: {"chunks": size} for name, size in chunks.items()}, zarr_format=2)
    for chunk in path.glob("temperature/*.0.0.0"):
        if not chunk.name.startswith("1.2."):
            chunk.write_bytes(b"not to be read")
    climatology = DayOfYearClimatology.from_weatherbench2(xr.open_zarr(path), Channels.of({"temperature": [850]}))
    mean, _ = climatology.at(np.array(["2001-01-03T06"], "datetime64[ns]"))
    assert mean["temperature"].shape == (1, 1, *GRID.shape)
    with pytest.raises(DataError, match="a file is damaged"):
        climatology.at(np.array(["2001-01-02T06"], "datetime64[ns]"))
