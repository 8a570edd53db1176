"""Reading the climatology by hour and day of the year."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr
import zarr

from data_pipeline.canonical import check
from data_pipeline.channels import Channels
from data_pipeline.day_of_year import ClimatologyConfig, DayOfYearClimatology
from data_pipeline.day_of_year_fit import write_day_of_year
from data_pipeline.errors import DataError
from data_pipeline.grid import Grid
from tests.data_pipeline.day_of_year_cases import YEARS, fit, opened, weather
from tests.mock_world import mock_times

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def three_years() -> zarr.Group:
    return fit(weather(YEARS), quantiles=(0.25, 0.75))


def test_a_season_has_values_on_its_days_alone() -> None:
    record = weather(mock_times("2003-12-01", 2 * 91, 12))
    group = fit(record, quantiles=(0.5,))
    finite = np.isfinite(group["mean"][0, :, 0, 0, 0])
    assert finite.tolist() == [day <= 60 or day >= 335 for day in range(1, 366)] + [True]
    assert np.isfinite(group["std"][1]).any(axis=(1, 2, 3)).sum() == finite.sum()
    climatology = opened(group)
    climatology.at(np.array(["2010-02-28T12"], "datetime64[ns]"))
    climatology.quantiles_at(np.array(["2010-02-28T12"], "datetime64[ns]"))
    late = np.array(["2010-01-01", "2010-07-01"], "datetime64[ns]")
    expected = (
        r"no temperature_500, temperature_850, sea_surface_temperature at 00 UTC on day 182 of the year, which its"
    )
    for ask in (climatology.at, climatology.quantiles_at):
        with pytest.raises(DataError, match=expected):
            ask(late)


def test_what_it_gives_is_canonical_and_read_back(three_years: zarr.Group) -> None:
    group = three_years
    times = np.array(["2020-02-29T12", "2021-12-31", "2021-12-31"], "datetime64[ns]")
    mean, std = opened(group).at(times)
    for dataset, name in ((mean, "mean"), (std, "std")):
        check(dataset)
        assert dataset["temperature"].dims == ("time", "level", "latitude", "longitude")
        np.testing.assert_array_equal(dataset["temperature"].sel(level=850)[0], group[name][1, 59, 1])
        np.testing.assert_array_equal(dataset["sea_surface_temperature"][1], group[name][0, 364, 2])
        np.testing.assert_array_equal(dataset["sea_surface_temperature"][2], group[name][0, 364, 2])
    quantiles = opened(group).quantiles_at(times)
    assert quantiles["temperature"].dims == ("quantile", "time", "level", "latitude", "longitude")
    assert quantiles["quantile"].values.tolist() == [0.25, 0.75]
    np.testing.assert_array_equal(quantiles["temperature"][:, 0, 0], group["quantiles"][:, 1, 4, 0])  # day 61
    np.testing.assert_array_equal(quantiles["temperature"][:, 1, 0], group["quantiles"][:, 0, 0, 0])  # across new year


def test_one_of_some_variables_says_the_same_of_them(three_years: zarr.Group) -> None:
    times, whole = np.array(["2020-02-29T12", "2021-12-31"], "datetime64[ns]"), opened(three_years)
    warmth = whole.select({"temperature", "not_there"})
    assert warmth.channels.names == ["temperature_500", "temperature_850"]
    pairs = zip(
        (*warmth.at(times), warmth.quantiles_at(times)), (*whole.at(times), whole.quantiles_at(times)), strict=True
    )
    for own, all_of_them in pairs:
        xr.testing.assert_identical(own, all_of_them[["temperature"]])
    sea = whole.select({"temperature", "sea_surface_temperature"}).select({"sea_surface_temperature"})
    xr.testing.assert_identical(sea.at(times)[1], whole.at(times)[1][["sea_surface_temperature"]])
    assert whole.select({"not_there"}).channels == whole.channels


@pytest.mark.parametrize("time", ["2003-01-01T06", "2003-01-01T13"])
def test_an_hour_that_is_not_there_is_refused(time: str) -> None:
    with pytest.raises(DataError, match=f"has the hours 00, 12 UTC, got {time}; choose among its hours"):
        opened(fit(weather(YEARS[:4]))).at(np.array([time], "datetime64[ns]"))


def test_without_quantiles_asking_for_them_is_refused() -> None:
    with pytest.raises(DataError, match="has no quantiles; build it with 'quantiles' in its climatology"):
        opened(fit(weather(YEARS[:4]))).quantiles_at(YEARS[:1])


def test_another_group_is_refused() -> None:
    with pytest.raises(DataError, match="lacks hour, dayofyear, mean, std, so it is no climatology; build it again"):
        opened(zarr.group(zarr.storage.MemoryStore()))


def test_a_damaged_chunk_is_told(tmp_path: Path) -> None:
    record = weather(YEARS[:20])
    group = zarr.open_group(tmp_path / "climatology", mode="w")
    config = ClimatologyConfig(quantiles=(0.5,))
    write_day_of_year(group, record, record.times, np.arange(20), config, progress=False)
    for name in ("mean", "quantiles"):
        for chunk in (tmp_path / "climatology" / name / "c").rglob("*"):
            if chunk.is_file():
                content = bytearray(chunk.read_bytes())
                content[len(content) // 2] ^= 1
                chunk.write_bytes(bytes(content))
    with pytest.raises(DataError, match="a file is damaged: copy or build it again"):
        opened(group).at(YEARS[:1])
    with pytest.raises(DataError, match="a file is damaged: copy or build it again"):
        opened(group).quantiles_at(YEARS[:1])


def test_xarray_reads_it_with_labels(tmp_path: Path) -> None:
    record = weather(YEARS[:100])
    group = zarr.open_group(tmp_path / "climatology", mode="w")
    config = ClimatologyConfig(quantiles=(0.5,))
    write_day_of_year(group, record, record.times, np.arange(100), config, progress=False)
    dataset = xr.open_zarr(tmp_path / "climatology", consolidated=False)
    chosen = dataset["mean"].sel(hour=12, dayofyear=30).isel(channel=0)
    assert np.isfinite(chosen).any()
    np.testing.assert_array_equal(chosen, group["mean"][1, 29, 0])
    assert dataset["quantiles"].dims[:3] == ("quantile", "hour", "dayofyear_of_quantiles")
    assert dataset.attrs["window_days"] == 61


def test_real_pressure_of_a_winter(real_data: Path) -> None:
    raw = xr.open_zarr(real_data / "era5_msl_2p5deg_djf2025.zarr")
    times, fields = raw["valid_time"].values, raw["msl"].values[:, None]
    channels, grid = (
        Channels.of({"mean_sea_level_pressure": None}),
        Grid(tuple(raw.latitude.values), tuple(raw.longitude.values)),
    )
    group = zarr.group(zarr.storage.MemoryStore())
    config = ClimatologyConfig(quantiles=(0.1, 0.9))
    write_day_of_year(group, lambda at: fields[at], times, np.arange(len(times)), config, progress=False)
    climatology = DayOfYearClimatology.from_group(group, channels, grid)
    now = np.array(["2026-01-15T06"], "datetime64[ns]")
    mean, std = climatology.at(now)
    away = (times - now[0]) / np.timedelta64(1, "D")
    triangle = np.maximum(1 - np.abs(away - (away < -14)) / 30, 0) + 0.5 * (away == -15)  # 31 December twice
    weights = np.where(away % 1 == 0, triangle, 0)
    expected = np.average(fields[:, 0], weights=weights, axis=0)
    np.testing.assert_allclose(mean["mean_sea_level_pressure"][0], expected, rtol=1e-6)
    assert 300 < float(std["mean_sea_level_pressure"].mean()) < 1500
    low, high = climatology.quantiles_at(now)["mean_sea_level_pressure"].isel(time=0)
    assert float((high - low).min()) > 0
    with pytest.raises(DataError, match="no mean_sea_level_pressure at 06 UTC on day 182"):
        climatology.at(np.array(["2026-07-01T06"], "datetime64[ns]"))
