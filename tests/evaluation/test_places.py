"""A forecast at one place: which points of the grid, which values, on which grids, of which files."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import xarray as xr

from data_pipeline.errors import DataError
from data_pipeline.grid import Grid
from data_pipeline.regrid import Points, Regridder
from evaluation.plots.places import Local, open_local
from evaluation.plots.places.members import along_leads, along_levels
from evaluation.plots.places.neighbours import Neighbours
from evaluation.plots.places.place import Place, place_at
from tests.evaluation import layouts
from tests.evaluation.mock_maps import GRID, LEADS, mock_forecast

GRIDS = {
    "half a cell off the poles": GRID,
    "with rows on the poles": Grid.equiangular(17, 32, poles=True),
    "gaussian": Grid.gaussian(16, 32),
}
PLACES = ((48.2, 16.4), (-18.1, 178.4), (-18.1, -178.4), (10.0, 359.9), (10.0, -5.6), (88.0, 33.0), (-90.0, 0.0))


@pytest.fixture
def stations(tmp_path):
    path = tmp_path / "stations.csv"
    path.write_text("name,latitude,longitude,altitude\nVienna,48.2,16.4,171\nSuva,-18.1,178.4,6\nsuva,0,0,0\n")
    return path


def a_run(grid, members=2):
    """Noise in every variable, lead and level."""
    rng, full = np.random.default_rng(3), mock_forecast(members)
    shape = lambda field: (*field.shape[:-2], *grid.shape)  # noqa: E731
    fields = {
        name: (field.dims, rng.normal(size=shape(field)).astype(np.float32)) for name, field in full.data_vars.items()
    }
    return full.drop_vars(list(full.data_vars)).drop_dims(["latitude", "longitude"]).assign_coords(
        grid.coordinates
    ).assign(fields)  # fmt: skip


@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("where", PLACES)
def test_a_value_is_that_of_the_whole_grid_regridded(name, where):
    grid = GRIDS[name]
    run = a_run(grid)
    local = Local.of(run, Place(*where))
    whole = Regridder(grid, Points(*((part,) for part in where)), method="bilinear")
    for variable, vector in (("2m_temperature", False), ("10m_u_component_of_wind", True)):
        expected = whole.regrid_array(run[variable].values, vector=vector)[..., 0]
        np.testing.assert_allclose(local.values(variable, None), expected, atol=1e-6)
    expected = whole.regrid_array(run["temperature"].values)[..., 0]
    np.testing.assert_allclose(local.values("temperature", None), expected, atol=1e-6)
    np.testing.assert_allclose(local.values("temperature", 500), expected[..., 1], atol=1e-6)


@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("where", PLACES)
def test_rain_is_that_of_the_cell_that_the_place_lies_in(name, where):
    grid = GRIDS[name]
    run = a_run(grid)
    north, west = grid.latitude_bounds(), grid.longitude_bounds()
    row = int(np.clip(np.searchsorted(-north, -where[0], side="right") - 1, 0, grid.shape[0] - 1))
    column = int(np.searchsorted(west, (where[1] - west[0]) % 360 + west[0], side="right") - 1)
    local = Local.of(run, Place(*where))
    np.testing.assert_array_equal(
        local.values("total_precipitation", None), run["total_precipitation"].values[..., row, column]
    )
    assert local.neighbours.nearest == (grid.latitude[row], grid.longitude[column])


def test_only_the_neighbours_are_read():
    local = Local.of(a_run(GRID), Place(48.2, -0.1))
    assert dict(local.run.sizes) == {**dict(mock_forecast(2).sizes), "latitude": 2, "longitude": 2}
    assert local.run["longitude"].values.tolist() == [348.75, 0.0]


def test_how_far_the_nearest_point_is():
    found = Neighbours.of(GRID, Place(0.0, 0.0))
    assert found.kilometres == pytest.approx(6371.229 * np.deg2rad(5.625), rel=1e-3)
    assert found.words.startswith("nearest grid point 5.62° N 0° E, 6")


def test_a_region_over_greenwich_and_what_is_outside_of_it():
    grid = Grid((60.0, 50.0, 40.0), (0.0, 5.0, 10.0, 350.0, 355.0))
    run = a_run(grid)
    values = Local.of(run, Place(50.0, -2.5)).values("2m_temperature", None)
    expected = run["2m_temperature"].sel(latitude=50.0, longitude=[355.0, 0.0]).mean("longitude")
    np.testing.assert_allclose(values, expected, atol=1e-6)
    corner = Local.of(run, Place(40.0, 10.0)).values("2m_temperature", None)
    np.testing.assert_array_equal(corner, run["2m_temperature"].sel(latitude=40.0, longitude=10.0))
    for where in ((50.0, 15.0), (61.0, 0.0), (39.9, 0.0)):
        with pytest.raises(DataError, match=r"is outside the forecast's 3x5 grid .* choose a place inside"):
            Local.of(run, Place(*where))


def test_speed_is_of_each_member_and_after_the_components_are_interpolated():
    run = a_run(GRID)
    local = Local.of(run, Place(48.2, 16.4))
    u, v = (local.values(f"10m_{axis}_component_of_wind", None) for axis in "uv")
    members = along_leads(local, "10m_wind_speed", None)
    np.testing.assert_allclose(members.values, np.hypot(u, v))
    np.testing.assert_allclose(members.wind, [u.mean(axis=0), v.mean(axis=0)])


def test_leads_levels_and_units():
    local = Local.of(mock_forecast(), Place(48.2, 16.4))
    warmth = along_leads(local, "2m_temperature", None)
    np.testing.assert_allclose(warmth.values, 10.0, atol=1e-4)
    assert warmth.axis.tolist() == list(LEADS)
    assert warmth.title == "2 m temperature"
    height = along_leads(local, "geopotential", 250)
    assert (height.title, height.style.units) == ("250 hPa geopotential height", "dam")
    profile = along_levels(local, "wind_speed", 72)
    np.testing.assert_allclose(profile.values, 5.0, rtol=1e-6)
    assert (profile.axis.tolist(), profile.lead) == ([250.0, 500.0], 72.0)


def test_members_that_were_stopped_are_left_out_of_what_comes_after():
    run = mock_forecast()
    run["2m_temperature"][0, 1:] = np.nan
    run["2m_temperature"][1, 2:] = 300.0
    members = along_leads(Local.of(run, Place(0, 0)), "2m_temperature", None)
    assert members.counts.tolist() == [3, 2, 2]
    np.testing.assert_allclose(members.mean(), [10.0, 10.0, (10 + 26.85) / 2], atol=1e-4)
    np.testing.assert_allclose(members.quantiles([0.5])[0], [10.0, 10.0, 18.425], atol=1e-4)


def test_leads_that_no_member_reached_are_missing():
    run = mock_forecast()
    run["2m_temperature"][:, 2:] = np.nan
    members = along_leads(Local.of(run, Place(0, 0)), "2m_temperature", None)
    np.testing.assert_array_equal(np.isnan(members.quantiles([0.0, 1.0])), [[False, False, True]] * 2)
    np.testing.assert_array_equal(np.isnan(members.mean()), [False, False, True])


def test_levels_that_a_variable_lacks_are_no_part_of_its_profile():
    run = mock_forecast()
    three = xr.concat([run, run.isel(level=[0]).assign_coords(level=[850])], "level", data_vars="minimal")
    three["temperature"] = three["temperature"].where(three["level"] < 850)
    three["geopotential"] = three["geopotential"].where(three["level"] > 500)
    local = Local.of(three, Place(0, 0))
    assert along_levels(local, "temperature", None).axis.tolist() == [250.0, 500.0]
    with pytest.raises(DataError, match=r"geopotential has values on 1 of its levels at .*, expected at least 2"):
        along_levels(local, "geopotential", None)


def test_what_a_forecast_lacks():
    local = Local.of(mock_forecast(), Place(0, 0))
    with pytest.raises(DataError, match="no variable 'visibility'; the forecast has geopotential, "):
        along_leads(local, "visibility", None)
    with pytest.raises(DataError, match=r"no level 850 for temperature; the forecast has \(hPa\): 250, 500"):
        along_leads(local, "temperature", 850)
    with pytest.raises(DataError, match="2m_temperature has no levels, expected one with a profile"):
        along_levels(local, "2m_temperature", None)
    with pytest.raises(DataError, match=r"no lead 30 h in this forecast; it has \(hours\): 24, 72, 120"):
        along_levels(local, "temperature", 30)
    missing = Local.of(mock_forecast().where(False), Place(0, 0))
    with pytest.raises(DataError, match="temperature on 500 hPa has no value at 0° N 0° E; choose another"):
        along_leads(missing, "temperature", 500)


def test_the_control_is_the_member_that_the_file_names():
    run = mock_forecast().assign_attrs(control_member="2")
    assert along_leads(Local.of(run, Place(0, 0)), "2m_temperature", None).control == 2
    other = run.assign_attrs(control_member="7")
    assert along_leads(Local.of(other, Place(0, 0)), "2m_temperature", None).control is None


def test_places_by_coordinates_and_by_name(stations):
    assert place_at("48.2, 16.4", None) == Place(48.2, 16.4)
    assert place_at("-18.1,181.6", stations) == Place(-18.1, 181.6)
    assert place_at("VIENNA", stations) == Place(48.2, 16.4, "Vienna", 171.0)
    assert place_at("suva", stations).latitude == 0.0
    assert str(place_at("Suva", stations)) == "Suva, 18.1° S 178.4° E"
    assert str(Place(0.0, 180.0)) == str(Place(0.0, -180.0)) == "0° N 180° E"


def test_places_that_are_none(stations):
    for text in ("91,0", "0,361", "nan,0"):
        with pytest.raises(DataError, match=r"got the place .*, expected latitude,longitude in degrees, within \+-90"):
            place_at(text, None)
    with pytest.raises(DataError, match=r"got --at Vienna, expected LATITUDE,LONGITUDE in degrees, as in 48\.2"):
        place_at("Vienna", None)
    for name in ("Graz", "SUVA"):
        with pytest.raises(DataError, match=f"has no station '{name}'; it has Vienna, Suva, suva"):
            place_at(name, stations)


def test_a_file_that_was_written_for_stations(tmp_path):
    """As ``sphercast forecast --points`` writes them, but in hPa."""
    leads = np.array([6, 12])
    start = np.datetime64("2001-01-05", "ns")
    values = 1000.0 + np.arange(2 * 2 * 2).reshape(2, 2, 2)
    written = xr.Dataset(
        {
            "mean_sea_level_pressure": (("realization", "time", "station"), values, {"units": "hPa"}),
            "steps_completed": ("realization", [2, 2]),
        },
        {
            "realization": [0, 1],
            "time": start + leads * np.timedelta64(1, "h"),
            "forecast_period": ("time", leads.astype(float), {"units": "hours"}),
            "forecast_reference_time": start,
            "station_name": ("station", ["Suva", "Vienna"]),
            "latitude": ("station", [-18.1, 48.2]),
            "longitude": ("station", [178.4, 16.4]),
            "altitude": ("station", [6.0, 171.0]),
        },
        {"control_member": "1"},
    )
    path = tmp_path / "stations.nc"
    written.to_netcdf(path, engine="netcdf4")
    local = open_local(path, "vienna")
    assert local.place == Place(48.2, 16.4, "Vienna", 171.0)
    members = along_leads(local, "mean_sea_level_pressure", None)
    np.testing.assert_allclose(members.values, values[..., 1])
    assert (members.axis.tolist(), members.control, members.style.units) == ([6.0, 12.0], 1, "hPa")
    with pytest.raises(DataError, match=r"has no station 'Graz'; it has Suva, Vienna"):
        open_local(path, "Graz")
    with pytest.raises(DataError, match="holds the stations Suva, Vienna; give the name of one: --at 'Suva'"):
        open_local(path, "48.2,16.4")
    with pytest.raises(DataError, match="has its own stations and one start; leave --stations and --init out"):
        open_local(path, "Suva", init="2001-01-05")


@pytest.mark.parametrize("layout", ["weatherbench2", "earth2studio", "anemoi", "cfgrib"])
def test_others_forecasts_at_a_place(ensemble, layout, tmp_path):
    run = ensemble()
    run.to_netcdf(tmp_path / "ours.nc", engine="netcdf4")
    folder = tmp_path / layout
    folder.mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of zarr, about their formats
        getattr(layouts, layout)([run], folder)
    ours, theirs = (open_local(path, "-51.3,-7.0") for path in (tmp_path / "ours.nc", folder))
    for variable, level in (("2m_temperature", None), ("geopotential", 850)):
        mine, others = (along_leads(local, variable, level).values for local in (ours, theirs))
        np.testing.assert_allclose(mine, others, rtol=1e-5)


def test_what_is_no_station_file_is_left_to_the_readers(tmp_path):
    (tmp_path / "forecast.nc").write_bytes(b"no such thing")
    with pytest.raises(DataError, match=r"forecast\.nc"):
        open_local(tmp_path / "forecast.nc", "0,0")
