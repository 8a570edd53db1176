"""Hovmoeller diagrams: what is averaged, where the axes begin, which way time runs."""

from __future__ import annotations

import numpy as np
import pytest

from data_pipeline.errors import DataError
from evaluation.plots.boxes import box_called
from evaluation.plots.hovmoller import hovmoller, strip_of
from tests.evaluation.mock_maps import GRID, LEADS, mock_forecast, words


def strip(run, region, variable="2m_temperature", member=None):
    return strip_of(run, variable, None, box_called(region), member)


def test_the_mean_over_a_band_is_weighted_by_area():
    run = mock_forecast()
    latitude = run["latitude"] + 0 * run["2m_temperature"]
    run = run.assign({"2m_temperature": (273.15 + latitude**2).transpose(*run["2m_temperature"].dims)})
    found = strip(run, "band:30,60")
    rows = [row for row, own in enumerate(GRID.latitude) if 30 <= own <= 60]
    north, south = np.sin(np.deg2rad(GRID.latitude_bounds()))[[rows, [row + 1 for row in rows]]]
    expected = np.average(np.square(GRID.latitude)[rows], weights=north - south)
    np.testing.assert_allclose(found.values, expected, rtol=1e-9)
    assert found.leads.tolist() == list(LEADS)


def test_longitudes_run_from_the_west_of_the_region_and_close_the_circle():
    run = mock_forecast()
    run = run.assign({"2m_temperature": 273.15 + run["longitude"] + 0 * run["2m_temperature"]})
    found = strip(run, "band:30,60")
    assert (found.longitude[0], found.longitude[-1]) == (-180.0, 180.0)
    np.testing.assert_allclose(found.values[0, 0], found.longitude % 360, rtol=1e-6)
    pacific = strip(run, "north-pacific")
    assert (pacific.longitude[0], pacific.longitude[-1]) == (146.25, 225.0)
    atlantic = strip(run, "box:30,60,350,20")
    assert atlantic.longitude.tolist() == [360.0, 371.25]
    np.testing.assert_allclose(atlantic.values[0, 0], [0.0, 11.25], atol=1e-6)


def test_speed_is_made_before_the_mean():
    run = mock_forecast()
    wind = run["10m_u_component_of_wind"]
    turning = run.assign({"10m_u_component_of_wind": wind * np.sign(run["latitude"] - 45)})
    np.testing.assert_allclose(strip(turning, "band:30,60", "10m_wind_speed").values, 5.0, rtol=1e-6)


def test_missing_values_are_left_out_of_a_mean_and_nothing_is_made_of_none():
    run = mock_forecast()
    run["2m_temperature"].values[..., 0] = np.nan
    run["2m_temperature"].values[..., 3, 5] = np.nan
    found = strip(run, "band:30,60")
    longitude = np.asarray(GRID.longitude)[[0, 5]]
    first, fifth = (found.values[..., found.longitude % 360 == own] for own in longitude)
    assert np.isnan(first).all()
    np.testing.assert_allclose(fifth, 10.0, atol=1e-4)


def test_members_that_were_stopped_are_left_out():
    run = mock_forecast()
    run["2m_temperature"].values[1, 1:] = np.nan
    assert len(strip(run, "band:30,60").values) == 2
    assert "2 of 3 members" in words(hovmoller(run, "2m_temperature"))[1]
    run["2m_temperature"].values[[0, 2], 0] = np.nan
    with pytest.raises(DataError, match="no member of 2m_temperature has values at every lead time"):
        strip(run, "band:30,60")


def test_mean_and_spread_beside_each_other():
    run = mock_forecast()
    figure = hovmoller(run, "geopotential", level=250)
    mean, spread = figure.axes[:2]
    assert [axes.get_title(loc="left") for axes in (mean, spread)] == ["Ensemble mean", "Ensemble spread"]
    bottom, top = mean.get_ylim()
    assert bottom - top == pytest.approx((LEADS[-1] - LEADS[0]) / 24)
    assert [label.get_text() for label in mean.get_yticklabels()] == ["Sat 6 Jan 00", "Mon 8 Jan 00", "Wed 10 Jan 00"]
    assert [label.get_text() for label in mean.get_xticklabels()][:3] == ["180°", "120° W", "60° W"]
    first, second = words(figure)
    assert first == "250 hPa geopotential height: Hovmöller diagram"
    assert second == (
        "Init 2001-01-05 00 UTC   to T+120 h   3 members\nMean over latitudes 35° N to 60° N, weighted by area"
    )
    levels = spread.collections[0].levels
    assert levels[0] == 0.0
    values = strip_of(run, "geopotential", 250, box_called("band:35,60"), None)
    assert levels[-1] >= values.spread.max() > levels[-1] / 2


def test_one_member():
    figure = hovmoller(mock_forecast(), "2m_temperature", member="2", region="tropics")
    assert figure.axes[0].get_title(loc="left") == "Member 2"
    assert "   member 2\n" in words(figure)[1]
    single = hovmoller(mock_forecast(1), "2m_temperature")
    assert single.axes[0].get_title(loc="left") == "Forecast"
    single.canvas.draw()


def test_a_band_without_points():
    with pytest.raises(
        DataError, match=r"no points of the 16x32 grid .* lie within latitudes 0 to 1 and longitudes -180"
    ):
        hovmoller(mock_forecast(), "2m_temperature", region="band:0,1")
    with pytest.raises(DataError, match="no map of the region 'mars'"):
        hovmoller(mock_forecast(), "2m_temperature", region="mars")


def test_a_single_lead():
    with pytest.raises(DataError, match="needs at least 2 lead times, the forecast has 1; draw a map"):
        hovmoller(mock_forecast().isel(lead_time=[0]), "2m_temperature")
