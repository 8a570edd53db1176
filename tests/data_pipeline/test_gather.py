"""What a config gathers from its sources, before anything is written, and every refusal."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from data_pipeline.errors import DataError
from data_pipeline.gather import open_sources
from data_pipeline.grid import Grid
from data_pipeline.regrid import Regridder
from tests.mock_world import climate_data_store_layout, mock_states, mock_static, mock_times

FINE = Grid.equiangular(17, 32, poles=True)
TARGET = Grid.equiangular(8, 16, poles=False)


def files(tmp_path, **datasets: xr.Dataset) -> list[dict[str, str]]:
    for name, dataset in datasets.items():
        dataset.to_netcdf(tmp_path / f"{name}.nc")
    return [{"kind": "files", "path": str(tmp_path / f"{name}.nc")} for name in datasets]


def world(grid: Grid = FINE, start: str = "2001-01-01", count: int = 20, hours: int = 6, **variables) -> xr.Dataset:
    return mock_states(
        grid, mock_times(start, count, hours), variables or {"temperature": [500, 850], "2m_temperature": None}
    )


def test_channels_come_in_the_order_of_the_config_on_its_grid(config) -> None:
    fields, static = open_sources(config())
    assert fields.dims == ("time", "channel", "latitude", "longitude")
    assert fields.chunks is not None
    assert (Grid.of(fields), Grid.of(static)) == (TARGET, TARGET)
    expected = Regridder(FINE, TARGET)(world())
    np.testing.assert_allclose(fields[:, 0], expected["temperature"].sel(level=850), rtol=1e-6)
    np.testing.assert_allclose(fields[:, 1], expected["temperature"].sel(level=500), rtol=1e-6)
    np.testing.assert_allclose(fields[:, 2], expected["2m_temperature"], rtol=1e-6)
    expected = Regridder(FINE, TARGET)(mock_static(FINE))
    np.testing.assert_allclose(static["land_sea_mask"], expected["land_sea_mask"], rtol=1e-6)
    assert list(static.data_vars) == ["geopotential_at_surface", "land_sea_mask"]


def test_sources_may_differ_in_grid_and_levels(tmp_path, config) -> None:
    coarse = Grid.gaussian(12, 24)
    sources = files(
        tmp_path, low=world(temperature=[850]), high=world(coarse, temperature=[500]),
        ground=world(TARGET, **{"2m_temperature": None}),
    )  # fmt: skip
    fields, _ = open_sources(config(sources=sources, static=[]))
    np.testing.assert_allclose(fields[:, 0], Regridder(FINE, TARGET)(world())["temperature"].sel(level=850), rtol=1e-6)
    high = Regridder(coarse, TARGET)(world(coarse))["temperature"].sel(level=500)
    np.testing.assert_allclose(fields[:, 1], high, rtol=1e-6)
    np.testing.assert_array_equal(fields[:, 2], world(TARGET)["2m_temperature"])


def test_the_order_of_files_does_not_matter(tmp_path, config) -> None:
    half = [climate_data_store_layout(world().isel(time=part)) for part in (slice(0, 9), slice(9, 20))]
    files(tmp_path, b=half[0], a=half[1])
    sources = [{"kind": "files", "path": str(tmp_path / "[ab].nc")}]
    fields, _ = open_sources(config(sources=sources, static=[]))
    xr.testing.assert_equal(fields.compute(), open_sources(config())[0].compute())


def test_static_fields_with_a_time_axis(tmp_path, config) -> None:
    moving = mock_static(FINE).expand_dims(time=mock_times("1990-01-01", 2))
    sources = files(tmp_path, states2=world(), static2=moving)
    xr.testing.assert_equal(open_sources(config(sources=sources))[1], open_sources(config())[1])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"variables": {"temperature": [300, 850]}},
         r"the sources lack temperature_300; they have .*temperature_500.*; change 'variables' or 'sources'"),
        ({"variables": {"vorticity": [850]}}, "states.nc holds none of .*vorticity"),
        ({"period": {"start": "2002-01-01", "stop": "2002-01-02"}},
         r"the sources hold no time in 2002-01-01\.\.2002-01-02, they hold 20 times in 2001-01-01T00\.\.2001-01-05T18"),
        ({"period": {"start": "2000-12-31", "stop": "2001-01-05"}}, r"exceeds the sources' 20 times in 2001-01-01T00"),
        ({"period": {"start": "2001-01-01", "stop": "2001-01-06"}}, r"the period .* exceeds the sources' 20 times in"),
        ({"period": {"start": "2001-01-01", "stop": "2001-01-06T00"}}, r"exceeds the sources'"),
        ({"training_period": {"start": "2002-01-01", "stop": "2002-01-02"}},
         r"the training period 2002-01-01\.\.2002-01-02 holds no time of 2001-01-01\.\.2001-01-05; it must overlap"),
        ({"interval_hours": 12}, "times off the interval of 12 h: 2001-01-01T06"),
        ({"interval_hours": 3}, "19 of 39 times are missing at an interval of 3 h"),
    ],
)  # fmt: skip
def test_refusals(config, changes: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        open_sources(config(**changes))


def test_a_missing_time_outside_the_period_does_not_matter(tmp_path, config) -> None:
    sources = files(tmp_path, gap=world().isel(time=[0, *range(4, 20)]))
    period = {"start": "2001-01-02", "stop": "2001-01-05"}
    fields, _ = open_sources(config(sources=sources, static=[], period=period))
    assert fields.sizes["time"] == 16
    with pytest.raises(DataError, match="3 of 20 times are missing at an interval of 6 h: 2001-01-01T06"):
        open_sources(config(sources=sources, static=[]))


@pytest.mark.parametrize(
    ("order", "message"), [([0, 1, 1, 2], "times occur twice"), ([0, 2, 1, 3], "times do not ascend")]
)
def test_disordered_times(tmp_path, config, order: list[int], message: str) -> None:
    sources = files(tmp_path, odd=world().isel(time=order))
    period = {"start": "2001-01-01", "stop": "2001-01-01"}
    with pytest.raises(DataError, match=message):
        open_sources(config(sources=sources, static=[], period=period))


def test_a_channel_in_two_sources_is_refused(tmp_path, config) -> None:
    sources = files(tmp_path, one=world(), two=world(temperature=[850]))
    with pytest.raises(DataError, match="more than one source has temperature_850; name a source that lacks them"):
        open_sources(config(sources=sources, static=[]))


def test_sources_with_other_times_are_refused(tmp_path, config) -> None:
    shifted = world(start="2001-01-01T03", **{"2m_temperature": None})
    sources = files(tmp_path, one=world(temperature=[500, 850]), two=shifted)
    with pytest.raises(DataError, match=r"the sources' times differ: 20 times in 2001-01-01T00.* and 20 times in"):
        open_sources(config(sources=sources, static=[]))


def test_states_without_time_are_refused(tmp_path, config) -> None:
    sources = files(tmp_path, still=world().isel(time=0, drop=True))
    with pytest.raises(DataError, match="have no time axis; expected states in time"):
        open_sources(config(sources=sources, static=[]))


@pytest.mark.parametrize(
    ("value", "message"),
    [(np.nan, "land_sea_mask has [0-9]+ missing"), (7.0, "land_sea_mask spans 0.*expected within")],
)
def test_impossible_static_fields_are_refused(tmp_path, config, value: float, message: str) -> None:
    static = mock_static(FINE)
    static["land_sea_mask"][3:6, 4:8] = value
    sources = files(tmp_path, states2=world(), static2=static)
    with pytest.raises(DataError, match=f"bad values: {message}"):
        open_sources(config(sources=sources))


def test_a_cropped_source_is_refused(tmp_path, config) -> None:
    sources = files(tmp_path, crop=world().isel(latitude=slice(1, -1)))
    with pytest.raises(DataError, match="conservative regridding needs a global source grid, got the 15x32 grid"):
        open_sources(config(sources=sources, static=[]))


def test_real_winter(real_data, config) -> None:
    names = ("era5_msl_2p5deg_djf2025.zarr", "era5_vo850_2p5deg_djf2025.zarr")
    winter = {"start": "2025-12-01", "stop": "2026-02-28"}
    fields, static = open_sources(config(
        sources=[{"kind": "files", "path": str(real_data / name)} for name in names], static=[],
        variables={"vorticity": [850], "mean_sea_level_pressure": None}, period=winter, training_period=winter,
    ))  # fmt: skip
    assert dict(fields.sizes) == {"time": 360, "channel": 2, "latitude": 8, "longitude": 16}
    assert not static.data_vars
    pressure = float(np.average(fields[0, 1].mean("longitude"), weights=TARGET.area_weights()))
    assert 100800 < pressure < 101500
