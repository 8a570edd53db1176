"""What lies under the maps: interpolation over the poles and the date line, classes and colours."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_rgb

from data_pipeline.grid import Grid
from evaluation.plots.mesh import Mesh
from evaluation.plots.palettes import difference_palette, efi_palette
from evaluation.plots.projections import view_of
from evaluation.plots.style import (
    COLOURS,
    STYLES,
    field_palette,
    line_levels,
    nice_edges,
    probability_palette,
    spread_palette,
    style_of,
)

GRIDS = [
    Grid.equiangular(19, 36, poles=True),
    Grid.equiangular(18, 36, poles=False),
    Grid.gaussian(24, 48),
    Grid.equiangular(16, 33, poles=False),
]
ROBINSON = view_of("robinson")


def on_grid(grid, function):
    longitude, latitude = np.meshgrid(np.deg2rad(grid.longitude), np.deg2rad(grid.latitude))
    return function(longitude, latitude)


def on_mesh(mesh, function):
    rows, columns = mesh.x.shape
    longitude, latitude = np.meshgrid(np.linspace(-np.pi, np.pi, columns), np.linspace(-np.pi / 2, np.pi / 2, rows))
    return function(longitude, latitude)


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_a_smooth_field_is_followed_to_the_poles_and_round_the_date_line(grid):
    def plane_wave(longitude, latitude):
        return np.cos(latitude) * np.cos(longitude - 0.7) + np.sin(latitude)

    mesh = Mesh.of(grid, ROBINSON, spacing=2.0)
    sampled = mesh.sample(on_grid(grid, plane_wave))
    assert not np.ma.getmaskarray(sampled).any()
    # An odd number of columns has no exact antipode: the row beyond the pole is then half a column off.
    tolerance = 0.02 if grid.shape[1] % 2 else 0.01
    np.testing.assert_allclose(sampled, on_mesh(mesh, plane_wave), atol=tolerance)


@pytest.mark.parametrize("grid", GRIDS[:3], ids=str)
def test_a_wind_component_turns_round_beyond_the_pole(grid):
    def rotation_about_the_equator(longitude, latitude):
        return np.sin(latitude) * np.cos(longitude)

    mesh = Mesh.of(grid, ROBINSON, spacing=2.0)
    expected = on_mesh(mesh, rotation_about_the_equator)
    right = mesh.sample(on_grid(grid, rotation_about_the_equator), sign=-1)
    np.testing.assert_allclose(right, expected, atol=0.02)
    if grid is not GRIDS[0]:
        wrong = mesh.sample(on_grid(grid, rotation_about_the_equator), sign=1)
        assert np.abs(wrong - expected)[-1].max() > 0.3


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_the_first_and_last_columns_close_the_circle(grid):
    values = np.random.default_rng(0).normal(size=grid.shape)
    mesh = Mesh.of(grid, ROBINSON, spacing=3.0)
    sampled = mesh.sample(values)
    np.testing.assert_array_equal(sampled[:, 0], sampled[:, -1])
    assert mesh.x[30, 0] == pytest.approx(-mesh.x[30, -1])
    widest = ROBINSON.crs.x_limits[1]
    assert mesh.x.max() == pytest.approx(widest, rel=1e-6)


def test_grid_points_keep_their_values():
    grid = Grid.equiangular(19, 36, poles=True)
    values = np.random.default_rng(1).normal(size=grid.shape)
    sampled = Mesh.of(grid, view_of("plate_carree"), spacing=10.0).sample(values)
    np.testing.assert_allclose(sampled[:, :-1], np.roll(values[::-1], 18, axis=1), atol=1e-12)


@given(seed=st.integers(0, 2**32 - 1), missing=st.floats(0.0, 0.9))
@settings(max_examples=20, deadline=None)
def test_interpolation_never_leaves_the_range_of_the_field(seed, missing):
    generator = np.random.default_rng(seed)
    values = generator.exponential(size=(16, 32)) ** 3
    values[generator.random(values.shape) < missing] = np.nan
    values[0, 0] = 1.0
    sampled = Mesh.of(Grid.equiangular(16, 32, poles=False), ROBINSON, spacing=7.0).sample(values).compressed()
    assert np.nanmin(values) <= sampled.min()
    assert sampled.max() <= np.nanmax(values)


def test_missing_values_stay_missing_and_do_not_spread():
    grid = Grid.equiangular(18, 36, poles=False)
    values = np.ones(grid.shape)
    values[4:8, 10:16] = np.nan
    masked = np.ma.getmaskarray(Mesh.of(grid, view_of("plate_carree"), spacing=1.0).sample(values))
    # 4 rows by 6 columns of 10 degrees, out of 180 by 360.
    assert masked.mean() == pytest.approx(24 / (18 * 36), rel=0.1)


def test_a_region_across_greenwich_is_one_piece():
    grid = Grid(tuple(range(70, 29, -5)), (*range(0, 41, 5), *range(330, 360, 5)))
    values = np.broadcast_to(np.cos(np.deg2rad(grid.longitude)), grid.shape)
    mesh = Mesh.of(grid, view_of("plate_carree"), spacing=1.0)
    sampled = mesh.sample(values)
    shown = ~np.ma.getmaskarray(sampled)
    assert shown[:, np.r_[0:150, 221:361]].sum() == 0
    assert shown[120:161, 150:221].all()
    assert shown[:120].sum() == 0
    np.testing.assert_allclose(sampled[140, 150:221], np.cos(np.deg2rad(np.arange(-30, 41))), atol=5e-3)


def test_a_tropical_band_closes_the_circle_but_not_the_poles():
    grid = Grid(tuple(np.arange(30.0, -31.0, -5.0)), tuple(np.arange(0.0, 360.0, 10.0)))
    sampled = Mesh.of(grid, view_of("plate_carree"), spacing=1.0).sample(np.ones(grid.shape))
    shown = ~np.ma.getmaskarray(sampled)
    assert shown[60:121].all()
    assert not shown[:60].any()


@pytest.mark.parametrize(
    ("name", "stored", "shown", "units"),
    [
        ("geopotential", 9.80665 * 5520.0, 552.0, "dam"),
        ("mean_sea_level_pressure", 101325.0, 1013.25, "hPa"),
        ("2m_temperature", 273.15, 0.0, "°C"),
        ("temperature", 263.15, -10.0, "°C"),
        ("wind_speed", 20.0, 20.0, "m/s"),
        ("specific_humidity", 0.008, 8.0, "g/kg"),
        ("vorticity", 1e-4, 10.0, "10⁻⁵ s⁻¹"),
        ("total_precipitation", 0.025, 25.0, "mm"),
    ],
)
def test_display_units_are_those_people_use(name, stored, shown, units):
    style = style_of(name, "")
    assert style.units == units
    assert style.display(np.array(stored)) == pytest.approx(shown)


def test_a_variable_without_a_style_keeps_its_units_and_takes_its_classes_from_the_data():
    style = style_of("sea_ice_cover", "1")
    assert (style.title, style.units) == ("sea ice cover", "1")
    edges = field_palette(style, None, np.linspace(0.0, 1.0, 50)).edges
    assert edges[0] <= 0.01
    assert edges[-1] >= 0.99


@pytest.mark.parametrize("name", STYLES)
@pytest.mark.parametrize("level", [None, 500, 333])
@pytest.mark.parametrize("values", [np.linspace(-5.0, 30.0, 9), np.zeros(4), np.full(4, 1e5)], ids=["ramp", "0", "1e5"])
def test_every_style_has_ascending_edges_and_a_colour_for_each_class(name, level, values):
    palette = field_palette(STYLES[name], level, values)
    assert np.all(np.diff(palette.edges) > 0)
    outside = {"both": 2, "max": 1, "neither": 0}[palette.extend]
    assert len(palette.colours) == len(palette.edges) - 1 + outside


@pytest.mark.parametrize("name", [name for name, style in STYLES.items() if style.centre is not None])
def test_diverging_colours_are_palest_at_their_centre(name):
    style = STYLES[name]
    palette = field_palette(style, None, np.linspace(-30.0, 30.0, 9) + style.centre)
    brightness = [sum(to_rgb(colour)) for colour in palette.colours]
    position = int(np.searchsorted(palette.edges, style.centre))
    assert max(brightness) in (brightness[position], brightness[min(position + 1, len(brightness) - 1)])
    assert np.all(np.diff(brightness[: position + 1]) > 0)


@pytest.mark.parametrize("name", ["height", "spread", "amount", "probability"])
def test_sequential_colours_change_lightness_in_one_direction_only(name):
    lightness = COLOURS[name](np.linspace(0, 1, 40))[:, :3] @ [0.2126, 0.7152, 0.0722]
    steps = np.diff(lightness)
    assert np.all(steps > -1e-3) or np.all(steps < 1e-3)


def test_500_hpa_heights_have_the_customary_six_decametres_and_temperature_its_zero():
    heights = field_palette(STYLES["geopotential"], 500, np.zeros(1))
    assert set(np.diff(heights.edges)) == {6.0}
    assert 552.0 in line_levels(STYLES["geopotential"], heights)
    assert line_levels(STYLES["temperature"], heights) == (0.0,)
    assert line_levels(STYLES["wind_speed"], heights) == ()


def test_probability_classes_run_from_white_to_certain():
    palette = probability_palette()
    assert palette.edges[0] == 0.0
    assert palette.edges[-1] == 100.0
    assert palette.colours[0] == "#ffffff"
    assert len(set(palette.colours)) == 12


def test_spread_starts_at_nought_even_where_there_is_none():
    assert spread_palette(np.zeros(9)).edges[0] == 0.0
    assert spread_palette(np.array([0.0, 7.3])).edges[-1] >= 7.2


def test_edges_of_a_single_value_are_still_ascending():
    assert np.all(np.diff(nice_edges(5.0, 5.0, 10)) > 0)
    assert np.all(np.diff(nice_edges(0.0, 0.0, 10)) > 0)


@pytest.mark.parametrize("name", ["geopotential", "total_precipitation"])
def test_differences_are_white_about_nought_and_differ_in_colour_on_either_side(name):
    palette = difference_palette(STYLES[name], np.array([-7.0, 0.0, 3.0]))
    middle = len(palette.colours) // 2
    assert palette.colours[middle] == "#ffffff"
    assert np.allclose(palette.edges, -np.array(palette.edges[::-1]))
    assert 0.0 not in palette.edges
    (red, _, blue), (red_below, _, blue_below) = (to_rgb(palette.colours[middle + step]) for step in (2, -2))
    assert (red - blue) * (red_below - blue_below) < 0
    assert difference_palette(STYLES[name], np.zeros(3)).edges[-1] > 0


def test_the_index_is_white_where_it_says_nothing():
    palette = efi_palette()
    assert palette.colours[palette.edges.index(-0.5)] == "#ffffff"
    assert palette.colours.count("#ffffff") == 1
    assert (palette.edges[0], palette.edges[-1]) == (-1.0, 1.0)


def test_far_outside_the_frame_there_is_no_value_to_choose_colours_by():
    view = view_of(region="europe")
    grid = Grid.equiangular(19, 36, poles=True)
    mesh = Mesh.of(grid, view, spacing=2.0)
    field = mesh.sample(on_grid(grid, lambda longitude, latitude: np.rad2deg(latitude) + 0 * longitude))
    x0, x1, y0, y1 = view.limits
    inside = (mesh.x >= x0) & (mesh.x <= x1) & (mesh.y >= y0) & (mesh.y <= y1)
    assert not np.ma.getmaskarray(field)[inside].any()
    assert field.min() > 20
