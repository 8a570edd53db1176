"""Winds on maps: their directions, also at the poles, and how they are drawn."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.quiver import Barbs, Quiver

from data_pipeline.grid import Grid
from evaluation.plots.canvas import Sheet
from evaluation.plots.projections import view_of
from evaluation.plots.vectors import DRAWN, KNOTS, turned, winds
from forecast.cli_plot import Arrows
from tests.evaluation.mock_maps import figure_of, mock_forecast, panels, words

GRID = Grid.equiangular(19, 36, poles=True)


@pytest.fixture(scope="module")
def forecast():
    return mock_forecast(members=2)


def test_the_command_line_knows_every_style():
    assert [style.value for style in Arrows] == list(DRAWN)


@pytest.mark.parametrize("projection", ["robinson", "plate_carree", "north_pole", "orthographic"])
def test_north_is_along_the_meridian_and_speeds_are_kept(projection):
    view = view_of(projection)
    longitude, latitude = np.array([-60.0, 0.0, 45.0]), np.array([50.0, 40.0, 60.0])
    across, up = turned(view, longitude, latitude, np.zeros(3), np.full(3, 7.0))
    np.testing.assert_allclose(np.hypot(across, up), 7.0)
    (x0, y0), (x1, y1) = (view.project(longitude, latitude + step) for step in (-0.01, 0.01))
    length = np.hypot(x1 - x0, y1 - y0)
    np.testing.assert_allclose(across, 7.0 * (x1 - x0) / length, atol=0.01)
    np.testing.assert_allclose(up, 7.0 * (y1 - y0) / length, atol=0.01)


@pytest.mark.parametrize("projection", ["north_pole", "south_pole"])
def test_air_that_crosses_a_pole_is_straight_on_the_map(projection):
    sheet = Sheet.of(view_of(projection), GRID, 1)
    longitude, latitude = np.meshgrid(np.deg2rad(GRID.longitude), np.deg2rad(GRID.latitude))
    hemisphere = np.where(latitude >= 0, 1.0, -1.0)
    found = winds(sheet, GRID, hemisphere * 10.0 * np.sin(longitude), 10.0 * np.cos(longitude), 40.0)
    x0, x1, *_ = sheet.view.limits
    near = np.hypot(found.x, found.y) < 0.3 * (x1 - x0) / 2
    assert near.sum() > 20
    np.testing.assert_allclose(found.across[near], 0.0, atol=0.3)
    np.testing.assert_allclose(found.up[near], 10.0, atol=0.3)


def test_points_are_evenly_spaced_on_the_map_and_none_is_off_the_globe(forecast):
    sheet = Sheet.of(view_of("robinson"), GRID, 1)
    found = winds(sheet, GRID, np.full(GRID.shape, 5.0), np.zeros(GRID.shape), 40.0)
    assert np.ptp(np.diff(found.x[0])) < 1.0
    shown = np.isfinite(found.across)
    assert 0.7 < shown.mean() < 0.9  # of the rectangle round the globe
    np.testing.assert_allclose(found.across[shown], 5.0, atol=0.01)
    assert not shown[0, 0]
    assert (found.south == (found.y < 0))[shown].all()


def test_barbs_are_in_knots_and_turn_their_feathers_in_the_south(forecast):
    figure = figure_of(forecast, "wind", "wind_speed")
    (barbs,) = (own for own in panels(figure)[0].collections if isinstance(own, Barbs))
    np.testing.assert_allclose(np.hypot(barbs.u, barbs.v), 5.0 * KNOTS, rtol=1e-3)
    assert np.asarray(barbs.flip).any()
    assert not np.asarray(barbs.flip).all()
    assert words(figure)[2] == "Barbs: wind in knots (half 5, full 10, pennant 50)"


def test_quiver_says_how_long_its_arrows_are(forecast):
    figure = figure_of(forecast, "wind", "2m_temperature", style="quiver")
    assert [own for own in panels(figure)[0].collections if isinstance(own, Quiver)]
    (key,) = (own for own in panels(figure)[0].artists if hasattr(own, "label"))
    assert key.label == "5 m/s"


def test_streamlines_are_lines(forecast):
    figure = figure_of(forecast, "wind", "wind_speed", style="streamlines", level=250)
    assert [own for own in panels(figure)[0].collections if isinstance(own, LineCollection)]


def test_the_wind_is_the_mean_vector_of_the_members(forecast):
    opposed = forecast.assign(
        {
            f"{axis}_component_of_wind": forecast[f"{axis}_component_of_wind"] * (1 - 2 * forecast["realization"])
            for axis in "uv"
        }
    )
    mean, member = (figure_of(opposed, "wind", "wind_speed", member=name) for name in (None, "1"))
    speeds = []
    for figure in (mean, member):
        (barbs,) = (own for own in panels(figure)[0].collections if isinstance(own, Barbs))
        speeds.append(np.hypot(barbs.u, barbs.v).max())
    assert speeds == pytest.approx([0.0, 5.0 * KNOTS], abs=0.02)
    assert words(member)[0] == "500 hPa wind: member 1"
