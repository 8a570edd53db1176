"""What a config gathers from its sources, before anything is written, and every refusal."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr

from data_pipeline.building import gather
from data_pipeline.building.gather import open_sources
from data_pipeline.errors import DataError
from data_pipeline.grid import Grid
from data_pipeline.quality import Report
from data_pipeline.regrid import Regridder
from tests.mock_world import climate_data_store_layout, mock_states, mock_static, mock_times

if TYPE_CHECKING:
    from data_pipeline.config import DataConfig

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


def gathered(config: DataConfig) -> np.ndarray:
    """All states (time, channel, latitude, longitude)."""
    return np.stack(list(open_sources(config).states(config.times)))


def test_channels_come_in_the_order_of_the_config_on_its_grid(config) -> None:
    fields, static = gathered(config()), open_sources(config()).static
    assert fields.dtype == np.float32
    expected = Regridder(FINE, TARGET)(world())
    np.testing.assert_allclose(fields[:, 0], expected["temperature"].sel(level=850), rtol=1e-6)
    np.testing.assert_allclose(fields[:, 1], expected["temperature"].sel(level=500), rtol=1e-6)
    np.testing.assert_allclose(fields[:, 2], expected["2m_temperature"], rtol=1e-6)
    assert Grid.of(static) == TARGET
    expected = Regridder(FINE, TARGET)(mock_static(FINE))
    np.testing.assert_allclose(static["land_sea_mask"], expected["land_sea_mask"], rtol=1e-6)
    assert list(static.data_vars) == ["geopotential_at_surface", "land_sea_mask"]


def test_how_many_times_are_read_at_once_changes_nothing(config, monkeypatch) -> None:
    whole = gathered(config())
    assert open_sources(config()).times_at_once == 65
    monkeypatch.setattr(gather, "BLOCK_BYTES", 3 * 2 * 17 * 32 * 4)
    assert open_sources(config()).times_at_once == 3
    np.testing.assert_array_equal(gathered(config()), whole)


def test_it_can_be_sent_to_another_process(config) -> None:
    sent = pickle.loads(pickle.dumps(open_sources(config())))
    np.testing.assert_array_equal(np.stack(list(sent.states(config().times))), gathered(config()))


def test_sources_may_differ_in_grid_and_levels(tmp_path, config) -> None:
    coarse = Grid.gaussian(12, 24)
    sources = files(
        tmp_path, low=world(temperature=[850]), high=world(coarse, temperature=[500]),
        ground=world(TARGET, **{"2m_temperature": None}),
    )  # fmt: skip
    fields = gathered(config(sources=sources, static=[]))
    low = Regridder(FINE, TARGET)(world())["temperature"].sel(level=850)
    np.testing.assert_allclose(fields[:, 0], low, rtol=1e-6)
    high = Regridder(coarse, TARGET)(world(coarse))["temperature"].sel(level=500)
    np.testing.assert_allclose(fields[:, 1], high, rtol=1e-6)
    np.testing.assert_array_equal(fields[:, 2], world(TARGET)["2m_temperature"])


def test_bilinear(config) -> None:
    fields = gathered(config(regridding="bilinear"))
    expected = Regridder(FINE, TARGET, method="bilinear")(world())
    np.testing.assert_allclose(fields[:, 2], expected["2m_temperature"], rtol=1e-6)
    assert not np.allclose(fields, gathered(config()), rtol=1e-6)


def test_the_order_of_files_does_not_matter(tmp_path, config) -> None:
    half = [climate_data_store_layout(world().isel(time=part)) for part in (slice(0, 9), slice(9, 20))]
    files(tmp_path, b=half[0], a=half[1])
    sources = [{"kind": "files", "path": str(tmp_path / "[ab].nc")}]
    np.testing.assert_array_equal(gathered(config(sources=sources, static=[])), gathered(config()))


def test_static_fields_with_a_time_axis(tmp_path, config) -> None:
    moving = mock_static(FINE).expand_dims(time=mock_times("1990-01-01", 2))
    sources = files(tmp_path, states2=world(), static2=moving)
    xr.testing.assert_equal(open_sources(config(sources=sources)).static, open_sources(config()).static)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"variables": {"temperature": [300, 850]}},
         r"the sources lack temperature_300; they have .*temperature_500.*; change 'variables' or 'sources'"),
        ({"variables": {"vorticity": [850]}}, "states.nc holds none of .*vorticity"),
        ({"period": {"start": "2000-12-31", "stop": "2001-01-05"}},
         r"4 of 24 times are missing at an interval of 6 h: 2000-12-31T00, .*; .* holds .* or choose a period"),
        ({"period": {"start": "2001-01-01", "stop": "2001-01-06"}}, "4 of 24 times are missing"),
        ({"period": {"start": "2001-01-01", "stop": "2001-01-06T00"}}, "1 of 21 times are missing"),
        ({"interval_hours": 3}, "20 of 40 times are missing at an interval of 3 h"),
    ],
)  # fmt: skip
def test_refusals(config, changes: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        open_sources(config(**changes))


def test_a_period_outside_the_source(config) -> None:
    later = {"start": "2002-01-01", "stop": "2002-01-02"}
    with pytest.raises(DataError, match=r"states.nc has no times in 2001-12-31T18 .. 2002-01-02T18; it has 2001-01"):
        open_sources(config(period=later, training_period=later))


def test_a_finer_source_is_thinned_to_the_interval(config) -> None:
    np.testing.assert_array_equal(gathered(config(interval_hours=12)), gathered(config())[::2])


def test_a_missing_time_outside_the_period_does_not_matter(tmp_path, config) -> None:
    sources = files(tmp_path, gap=world().isel(time=[0, *range(4, 20)]))
    period = {"start": "2001-01-02", "stop": "2001-01-05"}
    assert len(gathered(config(sources=sources, static=[], period=period))) == 16
    with pytest.raises(DataError, match="3 of 20 times are missing at an interval of 6 h: 2001-01-01T06"):
        open_sources(config(sources=sources, static=[]))


def test_times_that_occur_twice(tmp_path, config) -> None:
    sources = files(tmp_path, odd=world().isel(time=[0, 1, 1, 2, 3]))
    period = {"start": "2001-01-01", "stop": "2001-01-01"}
    with pytest.raises(DataError, match="times occur twice: 2001-01-01T06; remove the copies"):
        open_sources(config(sources=sources, static=[], period=period))


def test_times_out_of_order_are_sorted(tmp_path, config) -> None:
    sources = files(tmp_path, odd=world().isel(time=np.roll(np.arange(20), 7)))
    np.testing.assert_array_equal(gathered(config(sources=sources, static=[])), gathered(config()))


def rain(tmp_path, config, *, hours: int, interval: int, start: str = "2000-12-31T12", **attributes) -> np.ndarray:
    fine = world(TARGET, start, 160, hours, total_precipitation=None)
    fine["total_precipitation"].attrs.update(attributes)
    sources = files(tmp_path, rain=fine)
    days = {"start": "2001-01-01", "stop": "2001-01-02"}
    made = config(
        sources=sources, static=[], variables={"total_precipitation": None}, interval_hours=interval, period=days,
        training_period=days,
    )  # fmt: skip
    return gathered(made)[:, 0]


@pytest.mark.parametrize(("hours", "interval"), [(1, 6), (1, 24), (3, 12), (6, 6)])
def test_accumulations_are_summed_to_the_interval(tmp_path, config, hours: int, interval: int) -> None:
    got = rain(tmp_path, config, hours=hours, interval=interval, start="2000-12-31T00")
    steps = mock_times("2000-12-31T00", 160, hours)
    fine = mock_states(TARGET, steps, {"total_precipitation": None})["total_precipitation"].values.astype(np.float64)
    for position, end in enumerate(mock_times("2001-01-01", len(got), interval)):
        inside = (steps > end - np.timedelta64(interval, "h")) & (steps <= end)
        np.testing.assert_allclose(got[position], fine[inside].sum(axis=0), rtol=1e-6)


@pytest.mark.parametrize(("hours", "said"), [(3, True), (1, False)])
def test_a_length_of_sums_that_is_only_assumed_is_said(tmp_path, config, hours: int, said: bool) -> None:
    sources = files(tmp_path, rain=world(TARGET, "2000-12-31", 100, hours, total_precipitation=None))
    day = {"start": "2001-01-01", "stop": "2001-01-01"}
    made = config(sources=sources, static=[], variables={"total_precipitation": None}, period=day, training_period=day)
    open_sources(made, report := Report())
    assert ("accumulation-assumed" in report.codes) == said
    declared = {**sources[0], "accumulation_hours": hours}
    open_sources(made.model_validate({**made.model_dump(), "sources": [declared]}), declared_report := Report())
    assert "accumulation-assumed" not in declared_report.codes


def test_the_first_accumulation_needs_the_interval_before(tmp_path, config) -> None:
    with pytest.raises(DataError, match="5 of 48 times are missing at an interval of 6 h: 2000-12-31T19"):
        rain(tmp_path, config, hours=1, interval=6, start="2001-01-01T00")


def test_an_accumulation_that_does_not_fit_the_interval(tmp_path, config) -> None:
    with pytest.raises(
        DataError,
        match="total_precipitation is accumulated over 12 h, the store's interval is 6 h; expected a multiple",
    ):
        rain(tmp_path, config, hours=12, interval=6)


def test_a_channel_in_two_sources_is_refused(tmp_path, config) -> None:
    sources = files(tmp_path, one=world(), two=world(temperature=[850]))
    with pytest.raises(DataError, match="more than one source has temperature_850; name a source that lacks them"):
        open_sources(config(sources=sources, static=[]))


def test_every_source_must_have_the_times(tmp_path, config) -> None:
    shifted = world(start="2001-01-01T03", **{"2m_temperature": None})
    sources = files(tmp_path, one=world(temperature=[500, 850]), two=shifted)
    with pytest.raises(
        DataError,
        match=r"no time of 20 times in .* at 00, 06, 12, 18 UTC; it holds .*-01-01T03\.\..* at 03, 09, 15, 21 UTC",
    ):
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
    gathering = open_sources(config(
        sources=[{"kind": "files", "path": str(real_data / name)} for name in names], static=[],
        variables={"vorticity": [850], "mean_sea_level_pressure": None}, period=winter, training_period=winter,
    ))  # fmt: skip
    fields = np.stack(list(gathering.states(gathering.times)))
    assert fields.shape == (360, 2, 8, 16)
    assert not gathering.static.data_vars
    pressure = float(np.average(fields[0, 1].mean(axis=-1), weights=TARGET.area_weights()))
    assert 100800 < pressure < 101500
