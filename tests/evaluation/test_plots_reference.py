"""What a forecast is drawn beside: another forecast, the analysis, a climatology; which run of a file is drawn."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from data_pipeline.errors import DataError
from data_pipeline.grid import Grid
from evaluation.plots.fields import select
from evaluation.plots.grids import onto, shared_grid
from evaluation.plots.reference import beside
from evaluation.plots.runs import open_at
from tests.evaluation.mock_maps import GRID, figure_of, mock_forecast, words

HOUR = np.timedelta64(3_600_000_000_000, "ns")
VALID = np.datetime64("2001-01-10", "ns")
COARSE = Grid.equiangular(8, 16, poles=False)


@pytest.fixture(scope="module")
def forecast():
    return mock_forecast()[["2m_temperature"]]


@pytest.fixture
def states(forecast):
    """An analysis twice a day, a kelvin warmer from time to time."""
    times = VALID + 12 * HOUR * np.arange(-3, 2)
    field = forecast["2m_temperature"].isel(realization=0, lead_time=0, drop=True).drop_vars("initial_time")
    warmer = xr.DataArray(np.arange(5.0), dims="time", coords={"time": times})
    return (field + warmer).to_dataset(name="2m_temperature").transpose("time", "latitude", "longitude")


def moved(run, hours, warmer=0.0):
    """As if it had started so many hours later."""
    return (run + warmer).assign_coords(initial_time=run["initial_time"] + hours * HOUR)


def mean_of(run):
    return float(select(run, "2m_temperature", None, None).mean().mean())


def test_the_analysis_is_that_of_the_valid_time(forecast, states):
    ours, theirs = beside(forecast, states, None)
    assert mean_of(theirs) - mean_of(ours) == pytest.approx(3.0)
    figure = figure_of(forecast, "difference", "2m_temperature", against=states)
    assert words(figure)[0] == "2 m temperature: ensemble mean minus the analysis"
    assert words(figure)[2] == "Subtracted: 2001-01-10 00 UTC"


def test_another_forecast_is_taken_at_the_same_valid_time(forecast):
    later = moved(forecast, 48, warmer=5.0)
    later = later.where(later["lead_time"] == 72 * HOUR)  # valid when the first one ends
    _, theirs = beside(forecast, later, None)
    assert theirs["lead_time"].values.tolist() == [72 * HOUR]
    assert mean_of(theirs) == pytest.approx(15.0)


def test_of_several_the_same_start_is_taken_else_the_newest(forecast, tmp_path):
    for name, hours, warmer in (("older", -48, 1.0), ("same", 0, 2.0), ("newer", 48, 3.0)):
        (tmp_path / "with" / name).parent.mkdir(exist_ok=True)
        saved(moved(forecast, hours, warmer), tmp_path / "with" / f"{name}.nc")
    _, theirs = beside(forecast, tmp_path / "with", None)
    assert mean_of(theirs) == pytest.approx(12.0)
    (tmp_path / "with" / "same.nc").unlink()
    _, theirs = beside(forecast, str(tmp_path / "with"), None)
    assert mean_of(theirs) == pytest.approx(13.0)
    figure = figure_of(forecast, "difference", "2m_temperature", against=tmp_path / "with" / "newer.nc")
    assert words(figure)[2].startswith("Subtracted: newer.nc, Init 2001-01-07 00 UTC   Valid 2001-01-10 00 UTC")


def saved(run, path):
    written = run.copy()
    written["2m_temperature"].attrs["units"] = "K"
    written.rename(initial_time="forecast_reference_time").to_netcdf(path, engine="netcdf4")
    return path


def test_what_has_no_such_time_says_which_it_has(forecast, states):
    with pytest.raises(
        DataError, match=r"the other has no field valid at 2001-01-10T00, only from .*01-08T12 to .*09T12"
    ):
        beside(forecast, states.isel(time=slice(3)), None)
    with pytest.raises(
        DataError, match=r"no field valid at 2001-01-06T00, only from 2001-02-01T00 .*choose another --lead"
    ):
        beside(forecast, moved(forecast, 24 * 26), 24.0)


def test_what_is_neither_forecast_nor_analysis_is_refused(forecast, tmp_path):
    (tmp_path / "bad.nc").write_bytes(b"nothing")
    for name in ("bad.nc", "absent.nc"):
        with pytest.raises(DataError, match=rf"{name} is neither a forecast nor an analysis to subtract: "):
            beside(forecast, tmp_path / name, None)


def test_states_are_read_from_a_file(forecast, states, tmp_path):
    states["2m_temperature"].attrs["units"] = "K"
    states.to_netcdf(tmp_path / "analysis.nc", engine="netcdf4")
    _, theirs = beside(forecast, tmp_path / "analysis.nc", None)
    assert mean_of(theirs) == pytest.approx(13.0)


def test_grids_that_differ_meet_on_the_coarser_one(forecast):
    coarse = onto(forecast, COARSE)
    for one, other in ((forecast, coarse), (coarse, forecast)):
        ours, theirs = beside(one, other, None)
        assert Grid.of(ours) == Grid.of(theirs) == COARSE
        assert mean_of(ours) == pytest.approx(mean_of(theirs), abs=1e-4)


def test_a_region_is_cut_out_of_the_other(forecast):
    region = forecast.isel(latitude=slice(3, 9), longitude=slice(2, 12))
    assert shared_grid(Grid.of(region), GRID) == shared_grid(GRID, Grid.of(region)) == Grid.of(region)
    ours, theirs = beside(region, forecast, None)
    xr.testing.assert_identical(ours["2m_temperature"], region["2m_temperature"])
    np.testing.assert_array_equal(theirs["2m_temperature"], ours["2m_temperature"].isel(lead_time=[-1]))


def test_a_region_that_is_no_part_of_the_other_is_refused(forecast):
    region = onto(forecast, COARSE).isel(latitude=slice(2, 5), longitude=slice(2, 5))
    with pytest.raises(
        DataError, match=r"cannot be brought on to a .* needs two grids of the whole globe; give both on"
    ):
        beside(region, forecast, None)


def test_the_newest_run_is_drawn_or_the_one_asked_for(forecast, tmp_path):
    for number, hours in enumerate((0, 24, 48)):
        saved(moved(forecast, hours), tmp_path / f"{number}.nc")
    assert open_at(tmp_path)["initial_time"].values == np.datetime64("2001-01-07")
    assert open_at(tmp_path, "2001-01-06T00Z")["initial_time"].values == np.datetime64("2001-01-06")
    with pytest.raises(
        DataError, match=r"has no forecast from 2001-01-06T12; it has: 2001-01-05T00, 2001-01-06T00, 2001"
    ):
        open_at(tmp_path, "2001-01-06T12")
    with pytest.raises(DataError, match="got initial time 'yesterday', expected a date and time such as 2001-01-05T00"):
        open_at(tmp_path, "yesterday")


def test_what_is_no_forecast_is_said_to_be_none(states, tmp_path):
    states["2m_temperature"].attrs["units"] = "K"
    states.to_netcdf(tmp_path / "analysis.nc", engine="netcdf4")
    for path in (tmp_path / "analysis.nc", "sample"):
        with pytest.raises(DataError, match=f"{path} holds states, as an analysis does, and no forecast; expected a"):
            open_at(path)
    (tmp_path / "bad.nc").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"bad.nc cannot be read .*; expected a whole NetCDF-4 file or Zarr store"):
        open_at(tmp_path / "bad.nc")
