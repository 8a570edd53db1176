"""Grids against the geometry of the sphere, and every refusal."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from data_pipeline.errors import DataError
from data_pipeline.grid import Grid

counts = st.integers(2, 60)
EVERY_KIND = [
    lambda n, m: Grid.equiangular(n, m, poles=True),
    lambda n, m: Grid.equiangular(n, m, poles=False),
    Grid.gaussian,
]
global_grids = st.builds(lambda make, n, m: make(n, m), st.sampled_from(EVERY_KIND), counts, st.integers(3, 60))


def cropped(grid: Grid, rows: slice) -> Grid:
    return Grid(grid.latitude[rows], grid.longitude)


@given(global_grids)
def test_cells_cover_the_sphere_once(grid: Grid) -> None:
    assert grid.is_global
    latitude, longitude = grid.latitude_bounds(), grid.longitude_bounds()
    assert (latitude[0], latitude[-1]) == (90.0, -90.0)
    assert np.all(np.diff(latitude) < 0)
    areas = np.diff(np.sin(np.deg2rad(latitude[::-1]))).sum() * np.deg2rad(longitude[-1] - longitude[0])
    assert areas == pytest.approx(4 * np.pi, rel=1e-12)


@given(global_grids)
def test_points_lie_inside_their_cells(grid: Grid) -> None:
    north, south = grid.latitude_bounds()[:-1], grid.latitude_bounds()[1:]
    assert np.all((south <= grid.latitude) & (grid.latitude <= north))
    west, east = grid.longitude_bounds()[:-1], grid.longitude_bounds()[1:]
    assert np.all((west < grid.longitude) & (grid.longitude < east))


@given(global_grids)
def test_weights_are_positive_symmetric_and_have_mean_one(grid: Grid) -> None:
    weights = grid.area_weights()
    assert np.all(weights > 0)
    assert weights.mean() == pytest.approx(1.0, rel=1e-12)
    np.testing.assert_allclose(weights, weights[::-1], rtol=1e-6)


def test_weights_integrate_a_closed_form() -> None:
    grid = Grid.equiangular(180, 4, poles=False)
    squares = np.sin(np.deg2rad(grid.latitude)) ** 2
    assert np.average(squares, weights=grid.area_weights()) == pytest.approx(1 / 3, abs=1e-4)


@pytest.mark.parametrize("n", [8, 32, 64])
def test_gaussian_weights_are_close_to_the_quadrature(n: int) -> None:
    quadrature = np.polynomial.legendre.leggauss(n)[1] * n / 2
    weights = Grid.gaussian(n, 4).area_weights()
    np.testing.assert_allclose(weights[2:-2], quadrature[2:-2], rtol=0.01)
    np.testing.assert_allclose(weights, quadrature, atol=0.5 / n)  # the polar caps, which quadrature sees otherwise


def test_gaussian_latitudes_are_the_known_ones_of_tl31(real_data) -> None:
    with xr.open_dataset(real_data / "era5_tl31_19590102T00.nc") as real:
        latitude = np.sort(real["latitude"].values)[::-1]
    np.testing.assert_allclose(Grid.gaussian(32, 64).latitude, latitude, atol=1e-4)


@pytest.mark.parametrize("make", EVERY_KIND)
@pytest.mark.parametrize("rows", [slice(1, None), slice(None, -1), slice(1, -1), slice(2, -2)])
def test_a_cropped_grid_is_never_stretched_to_the_poles(make, rows: slice) -> None:
    whole = make(12, 24)
    part = cropped(whole, rows)
    assert not part.reaches_poles
    assert not part.is_global
    bounds = part.latitude_bounds()
    if part.latitude[0] != whole.latitude[0]:
        assert bounds[0] == pytest.approx(part.latitude[0] + (part.latitude[0] - part.latitude[1]) / 2)
    else:
        assert bounds[0] == 90.0
    assert bounds[-1] < part.latitude[-1] or part.latitude[-1] == -90.0


def test_a_hemisphere_ends_at_its_pole_and_has_its_area() -> None:
    for make in EVERY_KIND[1:]:
        north = cropped(make(16, 32), slice(0, 8))
        bounds = north.latitude_bounds()
        assert bounds[0] == 90.0
        assert not north.reaches_poles
        assert bounds[-1] == pytest.approx(0.0, abs=0.2)


def test_a_gap_at_the_date_line_is_not_global() -> None:
    whole = Grid.equiangular(8, 16, poles=False)
    assert not Grid(whole.latitude, whole.longitude[:-1]).is_global
    window = Grid(whole.latitude, whole.longitude[2:6])
    np.testing.assert_allclose(
        window.longitude_bounds(), np.array(window.longitude[:1] * 5) + np.arange(5) * 22.5 - 11.25
    )


@given(global_grids)
def test_float32_coordinates_match_float64(grid: Grid) -> None:
    single = xr.Dataset(coords={
        "latitude": np.asarray(grid.latitude, np.float32), "longitude": np.asarray(grid.longitude, np.float32)
    })  # fmt: skip
    assert Grid.of(single).matches(grid)
    assert grid.matches(Grid.of(single))


def test_other_grids_do_not_match() -> None:
    grid = Grid.equiangular(8, 16, poles=False)
    assert not grid.matches(Grid.equiangular(8, 16, poles=True))
    assert not grid.matches(Grid.equiangular(8, 18, poles=False))
    moved = tuple(value + 0.01 for value in grid.longitude)
    assert not grid.matches(Grid(grid.latitude, moved))


GOOD = {"latitude": (45.0, -45.0), "longitude": (0.0, 180.0)}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"latitude": (0.0,)}, "a grid needs at least 2 latitudes and 2 longitudes, got 1x2"),
        (
            {"latitude": (-45.0, 45.0)},
            r"latitude must run from north to south within \+-90, got -45..45; sort it first",
        ),
        ({"latitude": (45.0, 45.0)}, "latitude must run from north to south"),
        ({"latitude": (95.0, 0.0)}, "latitude must run from north to south"),
        ({"latitude": (float("nan"), 0.0)}, "latitude must run from north to south"),
        ({"longitude": (180.0, 0.0)}, "longitude must ascend within 0 <= longitude < 360, got 180..0; roll it first"),
        ({"longitude": (-10.0, 0.0)}, "longitude must ascend"),
        ({"longitude": (0.0, 360.0)}, "longitude must ascend"),
        ({"longitude": (0.0, float("nan"))}, "longitude must ascend"),
    ],
)
def test_refusals(wrong: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Grid(**{**GOOD, **wrong})


@pytest.mark.parametrize("poles", [True, False])
def test_a_grid_of_one_row_is_refused_like_any_other(poles: bool) -> None:
    with pytest.raises(DataError, match="at least 2 latitudes"):
        Grid.equiangular(1, 8, poles=poles)


def test_words() -> None:
    assert str(Grid.equiangular(3, 4, poles=True)) == "3x4 grid (latitude 90..-90, longitude 0..270)"
