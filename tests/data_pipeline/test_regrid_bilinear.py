"""Bilinear regridding against interpolation point by point, at the poles, round the circle and in regions."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline.errors import DataError
from data_pipeline.grid import Grid
from data_pipeline.regrid import HealpixGrid, Points, Regridder
from data_pipeline.regrid.poles import polar_rows
from tests.data_pipeline.regridding_cases import global_grids, on_grid
from tests.mock_world import mock_states, mock_times


def point_by_point(values: np.ndarray, source: Grid, target: Grid, min_valid: float, vector: bool) -> np.ndarray:
    """Numpy's own linear interpolation of the field with a row on each pole, one column more at each end."""
    poles = polar_rows(values[None], source, vector=vector)[0]
    latitude = [90.0001, *source.latitude, -90.0001]  # a row on the pole is no reason for two knots in one place
    longitude = [source.longitude[-1] - 360, *source.longitude, source.longitude[0] + 360]
    rows = np.concatenate([poles[:1], values, poles[1:]])
    wide = np.concatenate([rows[:, -1:], rows, rows[:, :1]], axis=1)

    def interpolate(field: np.ndarray) -> np.ndarray:
        along = np.stack([np.interp(target.longitude, longitude, row) for row in field])
        ascending = np.stack([np.interp(target.latitude[::-1], latitude[::-1], column[::-1]) for column in along.T])
        return ascending.T[::-1]

    valid = np.isfinite(wide)
    fraction, total = interpolate(valid.astype(float)), interpolate(np.where(valid, wide, 0))
    return np.divide(total, fraction, out=np.full_like(total, np.nan), where=fraction > max(min_valid - 1e-9, 1e-9))


@settings(max_examples=40)
@given(global_grids(), global_grids(), st.sampled_from([0.0, 0.5, 1.0]), st.sampled_from([0.0, 0.3]), st.booleans())
def test_equals_interpolation_point_by_point(
    source: Grid, target: Grid, min_valid: float, missing: float, vector: bool
) -> None:
    rng = np.random.default_rng(0)
    values = 280 + rng.standard_normal(source.shape)
    values[rng.random(source.shape) < missing] = np.nan
    fast = Regridder(source, target, min_valid, "bilinear").regrid_array(values, vector=vector)
    expected = point_by_point(values, source, target, min_valid, vector)
    near = np.abs(np.asarray(target.latitude)) < 89.999
    np.testing.assert_allclose(fast[near], expected[near], rtol=2e-5)


@given(global_grids(), global_grids(), st.sampled_from([0.0, 1.0, 273.15, 5.4e5, -1e-5]))
def test_constants_are_exact(source: Grid, target: Grid, constant: float) -> None:
    regridded = Regridder(source, target, method="bilinear").regrid_array(np.full(source.shape, constant))
    assert np.unique(regridded).tolist() == [np.float32(constant)]


@given(global_grids())
def test_points_of_the_source_keep_their_values(grid: Grid) -> None:
    values = np.random.default_rng(1).standard_normal(grid.shape).astype(np.float32)
    np.testing.assert_array_equal(Regridder(grid, grid, method="bilinear").regrid_array(values), values)


@given(global_grids(), global_grids())
def test_lists_of_points_agree_with_grids(source: Grid, target: Grid) -> None:
    values = np.random.default_rng(2).standard_normal((2, *source.shape))
    values[0, 1, 2] = np.nan
    latitude, longitude = np.meshgrid(target.latitude, target.longitude, indexing="ij")
    points = Points(tuple(latitude.ravel()), tuple(longitude.ravel() - 180))
    moved = Regridder(source, Points(points.latitude, tuple(longitude.ravel())), method="bilinear")
    gridded = Regridder(source, target, method="bilinear").regrid_with_fraction(values, vector=True)
    for listed, field in zip(moved.regrid_with_fraction(values, vector=True), gridded, strict=True):
        np.testing.assert_allclose(listed, field.reshape(2, -1), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("degree", "order"), [(1, 0), (1, 1), (2, 1), (5, 3), (8, 0)])
def test_harmonics_to_the_analytic_error(degree: int, order: int) -> None:
    """Linear interpolation is off by at most h**2 / 8 times the second derivative, along each axis.

    Second derivatives along great circles are below l**2 sqrt(2 l + 1), those along longitude below m**2 of that.
    """
    source, target = Grid.equiangular(91, 180, poles=True), Grid.gaussian(32, 64)
    regridded = Regridder(source, target, method="bilinear").regrid_array(on_grid(degree, order, source))
    error = np.abs(regridded - on_grid(degree, order, target)).max()
    bound = np.deg2rad(2) ** 2 / 8 * (degree**2 + order**2) * np.sqrt(2 * degree + 1)
    assert bound / 100 < error < bound


def test_the_pole_of_a_scalar_is_the_mean_of_the_last_row() -> None:
    source = Grid.equiangular(8, 16, poles=False)
    values = np.random.default_rng(3).standard_normal(source.shape)
    target = Points((90.0, 90.0, -90.0), (0.0, 77.0, 12.0))
    expected = [values[0].mean(), values[0].mean(), values[-1].mean()]
    regridder = Regridder(source, target, method="bilinear")
    np.testing.assert_allclose(regridder.regrid_array(values), expected, rtol=1e-6)


def test_the_wind_across_the_pole_keeps_its_direction() -> None:
    """A uniform wind over the pole has u = sin(longitude - a), v = cos(longitude - a) there; a mean would stop it."""
    source = Grid.gaussian(16, 32)
    blowing = np.sin(np.deg2rad(np.asarray(source.longitude) - 40)) * np.ones((16, 1))
    longitude = np.arange(0.0, 360, 22.5)
    target = Points((90.0,) * longitude.size, tuple(longitude))
    regridder = Regridder(source, target, method="bilinear")
    expected = np.sin(np.deg2rad(longitude - 40))
    np.testing.assert_allclose(regridder.regrid_array(blowing, vector=True), expected, atol=1e-6)
    np.testing.assert_allclose(regridder.regrid_array(blowing), 0, atol=1e-6)


def test_datasets_know_which_variables_are_winds() -> None:
    source, target = Grid.gaussian(16, 32), Grid.equiangular(9, 16, poles=True)
    names = {"u_component_of_wind": (500,), "temperature": (500,)}
    world = mock_states(source, mock_times("2000-01-01", 1), names)
    regridder = Regridder(source, target, method="bilinear")
    result = regridder(world)
    for name in names:
        expected = regridder.regrid_array(world[name].values, vector=name == "u_component_of_wind")
        np.testing.assert_array_equal(result[name].values, expected)
        other = regridder.regrid_array(world[name].values, vector=name != "u_component_of_wind")
        assert not np.allclose(result[name].values, other, rtol=1e-5)


def test_the_pole_is_missing_where_the_last_row_is() -> None:
    source = Grid.equiangular(8, 16, poles=False)
    values = np.ones(source.shape)
    values[0, 3] = np.inf
    regridder = Regridder(source, Points((90.0, 80.0, -90.0), (180.0,) * 3), method="bilinear")
    regridded, fraction = regridder.regrid_with_fraction(values)
    np.testing.assert_array_equal(regridded, [np.nan, 1, 1])
    np.testing.assert_allclose(fraction, [0, 10 / 11.25, 1], rtol=1e-6)


@pytest.mark.parametrize("west", [0, 20, 340])
def test_nothing_is_extrapolated_from_a_region(west: int) -> None:
    longitude = np.sort((west + np.arange(0, 50, 10)) % 360)  # over Greenwich the columns are two pieces
    source = Grid(tuple(np.arange(60.0, 29, -10)), tuple(longitude.astype(float)))
    values = np.asarray(source.latitude)[:, None] + np.zeros(5)
    target = Points((60.0, 61.0, 30.0, 29.0, 45.0, 45.0, 45.0, 45.0), tuple(
        (west + np.array([0.0, 5, 40, 5, 5, 41, -1, 180])) % 360))  # fmt: skip
    regridder = Regridder(source, target, method="bilinear")
    np.testing.assert_array_equal(regridder.regrid_array(values), [60, np.nan, 30, np.nan, 45, np.nan, np.nan, np.nan])


def test_grids_reach_beyond_a_region_as_missing() -> None:
    source = Grid(tuple(np.arange(60.0, 29, -10)), tuple(np.arange(0.0, 50, 10)))
    target = Grid.equiangular(37, 72, poles=True)
    regridded, fraction = Regridder(source, target, method="bilinear").regrid_with_fraction(np.ones(source.shape))
    latitude, longitude = np.asarray(target.latitude)[:, None], np.asarray(target.longitude)
    inside = (latitude <= 60) & (latitude >= 30) & (longitude <= 40)
    np.testing.assert_array_equal(regridded, np.where(inside, 1, np.nan))
    np.testing.assert_array_equal(fraction, inside)


def test_a_cap_round_the_pole_reaches_the_pole() -> None:
    whole = Grid.equiangular(18, 36, poles=False)
    cap = Grid(whole.latitude[:4], whole.longitude)
    regridder = Regridder(cap, Points((90.0, 56.0, 54.0), (3.0,) * 3), method="bilinear")
    np.testing.assert_array_equal(regridder.regrid_array(np.ones(cap.shape)), [1, 1, np.nan])


def test_points_become_a_dimension_of_a_dataset() -> None:
    source, target = Grid.equiangular(9, 16, poles=True), Points((48.1, -33.9), (11.6, -70.0))
    world = mock_states(source, mock_times("2000-01-01", 2))
    result = Regridder(source, target, method="bilinear")(world.chunk({"time": 1}))
    assert result["temperature"].dims == ("time", "level", "point")
    np.testing.assert_array_equal(result["longitude"], target.longitude)
    xr.testing.assert_identical(result.compute(), Regridder(source, target, method="bilinear")(world))


def test_pixels_take_the_value_at_their_centre() -> None:
    source, target = Grid.equiangular(19, 36, poles=True), HealpixGrid(4)
    latitude = np.asarray(source.latitude)[:, None] + np.zeros(36)
    regridded = Regridder(source, target, method="bilinear").regrid_array(latitude)
    np.testing.assert_allclose(regridded, target.coordinates["latitude"][1], atol=1e-5)


@pytest.mark.parametrize(("latitude", "longitude"), [((), ()), ((1.0, 2.0), (3.0,))])
def test_points_need_both_coordinates(latitude: tuple[float, ...], longitude: tuple[float, ...]) -> None:
    with pytest.raises(DataError, match=r"got \d latitudes and \d longitudes, expected one of each for every point"):
        Points(latitude, longitude)


@pytest.mark.parametrize(("latitude", "longitude"), [(91.0, 0.0), (np.nan, 0.0), (0.0, 361.0), (0.0, np.nan)])
def test_points_lie_on_the_sphere(latitude: float, longitude: float) -> None:
    with pytest.raises(DataError, match=r"points need latitudes within \+-90 and longitudes within \+-360, got lat"):
        Points((latitude,), (longitude,))
