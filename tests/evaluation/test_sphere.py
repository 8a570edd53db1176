"""Vorticity, divergence, gradients and geostrophic wind: closed forms on the sphere, at the poles and at edges."""

from __future__ import annotations

import numpy as np
import pytest

from data_pipeline.errors import ScoreError
from data_pipeline.grid import Grid
from evaluation.sphere import EARTH_RADIUS, EARTH_ROTATION, divergence, geostrophic_wind, gradient, vorticity

GRIDS = {
    "poles": lambda n: Grid.equiangular(n + 1, 2 * n, poles=True),
    "half a cell off": lambda n: Grid.equiangular(n, 2 * n, poles=False),
    "gaussian": lambda n: Grid.gaussian(n, 2 * n),
}


def radians(grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    return np.deg2rad(np.asarray(grid.latitude))[:, None], np.deg2rad(np.asarray(grid.longitude))[None]


def rossby_haurwitz(grid: Grid) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """u, v and vorticity of the wave of Phillips 1959 (Williamson et al. 1992, doi:10.1016/S0021-9991(05)80016-6)."""
    lat, lon = radians(grid)
    omega = k = 7.848e-6
    r, a = 4, EARTH_RADIUS
    u = a * omega * np.cos(lat) + a * k * np.cos(lat) ** (r - 1) * (r * np.sin(lat) ** 2 - np.cos(lat) ** 2) * np.cos(
        r * lon
    )
    v = -a * k * r * np.cos(lat) ** (r - 1) * np.sin(lat) * np.sin(r * lon)
    zeta = 2 * omega * np.sin(lat) - k * np.sin(lat) * np.cos(lat) ** r * (r**2 + 3 * r + 2) * np.cos(r * lon)
    return u, v, zeta


def across_the_pole(grid: Grid) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """u, v, vorticity and divergence of the horizontal part of a uniform wind along the axis of longitude 0.

    It is the gradient of the potential a cos(lat) cos(lon), whose Laplacian is -2/a^2 times it.
    """
    lat, lon = radians(grid)
    u, v = -np.sin(lon) + 0 * lat, -np.sin(lat) * np.cos(lon)
    return u, v, 0 * u, -2 / EARTH_RADIUS * np.cos(lat) * np.cos(lon)


def worst(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(found - expected).max() / np.abs(expected).max())


@pytest.mark.parametrize("make", GRIDS.values(), ids=GRIDS)
def test_vorticity_of_a_rotating_body_is_twice_its_rotation_at_every_row(make) -> None:
    grid = make(90)
    lat, lon = radians(grid)
    u = EARTH_ROTATION * EARTH_RADIUS * np.cos(lat) + 0 * lon
    assert worst(vorticity(u, 0 * u, grid), 2 * EARTH_ROTATION * np.sin(lat) + 0 * lon) < 2e-3
    assert np.abs(divergence(u, 0 * u, grid)).max() < 1e-18


@pytest.mark.parametrize("make", GRIDS.values(), ids=GRIDS)
def test_vorticity_of_a_rossby_haurwitz_wave_converges_with_the_square_of_the_spacing(make) -> None:
    errors = []
    for size in (45, 90):
        u, v, expected = rossby_haurwitz(make(size))
        errors.append(worst(vorticity(u, v, make(size)), expected))
        assert np.abs(divergence(u, v, make(size))).max() < 0.03 * np.abs(expected).max()
    assert errors[1] < 0.01
    assert errors[0] / errors[1] > 3.4


@pytest.mark.parametrize("make", GRIDS.values(), ids=GRIDS)
def test_wind_straight_across_the_poles_errs_by_the_spacing_there_at_most(make) -> None:
    errors = []
    for size in (45, 90):
        u, v, zeta, expected = across_the_pole(make(size))
        errors.append(worst(divergence(u, v, make(size)), expected))
        assert worst(vorticity(u, v, make(size)) + expected, zeta + expected) < 0.1 * np.pi / size
        assert errors[-1] < 0.6 * np.pi / size
    assert errors[0] / errors[1] > 1.9


def test_divergence_at_the_poles_of_a_wind_that_leaves_one_for_the_other() -> None:
    grid = Grid.equiangular(181, 8, poles=True)
    lat, lon = radians(grid)
    v = np.cos(lat) + 0 * lon  # northward: D = -2 sin(lat) / a
    assert worst(divergence(0 * v, v, grid), -2 * np.sin(lat) / EARTH_RADIUS + 0 * lon) < 2e-3


def test_a_turn_of_the_globe_turns_the_answer() -> None:
    grid, rng = Grid.equiangular(19, 36, poles=True), np.random.default_rng(0)
    u, v = rng.standard_normal((2, *grid.shape))
    turned = vorticity(np.roll(u, 7, -1), np.roll(v, 7, -1), grid)
    np.testing.assert_allclose(np.roll(vorticity(u, v, grid), 7, axis=-1), turned, rtol=1e-9, atol=1e-16)


def test_the_globe_has_no_net_vorticity() -> None:
    grid = Grid.equiangular(91, 180, poles=True)
    u, v, expected = rossby_haurwitz(grid)
    weights = grid.area_weights()[:, None]
    assert abs((vorticity(u, v, grid) * weights).mean()) < 1e-6 * np.abs(expected).max()


def test_a_grid_that_ends_has_no_value_on_its_edges() -> None:
    grid = Grid(tuple(range(60, 20, -5)), tuple(range(0, 90, 5)))
    lat, lon = radians(grid)
    u = np.cos(lat) + 0 * lon
    found = vorticity(u, 0 * u, grid)
    assert np.isnan(found[[0, -1]]).all()
    assert np.isnan(found[:, [0, -1]]).all()
    np.testing.assert_allclose(found[1:-1, 1:-1], (2 * np.sin(lat) / EARTH_RADIUS + 0 * lon)[1:-1, 1:-1], rtol=6e-3)


def test_an_odd_number_of_longitudes_has_no_point_beyond_the_pole() -> None:
    grid = Grid.equiangular(8, 15, poles=False)
    with pytest.raises(ScoreError, match="got 15 longitudes, expected an even number"):
        vorticity(np.zeros(grid.shape), np.zeros(grid.shape), grid)


@pytest.mark.parametrize("make", GRIDS.values(), ids=GRIDS)
def test_geostrophic_wind_of_a_zonal_current(make) -> None:
    grid = make(90)
    lat, lon = radians(grid)
    u = 20.0 * np.cos(lat)  # Phi = -integral of f u a dlat
    geopotential = 5e4 - 20 * EARTH_RADIUS * EARTH_ROTATION * np.sin(lat) ** 2 + 0 * lon
    eastward, northward = geostrophic_wind(geopotential, grid)
    tropics = (np.abs(np.asarray(grid.latitude)) < 20) | (np.abs(np.asarray(grid.latitude)) > 89.999)
    assert np.isnan(eastward[tropics]).all()
    np.testing.assert_allclose(eastward[~tropics], (u + 0 * lon)[~tropics], rtol=3e-3)
    np.testing.assert_allclose(northward[~tropics], 0, atol=1e-9)


def test_gradient_of_a_wave_along_the_equator() -> None:
    grid = Grid.equiangular(181, 360, poles=True)
    lat, lon = radians(grid)
    eastward, northward = gradient(np.cos(lat) * np.sin(lon), grid)
    inside = slice(1, -1)
    np.testing.assert_allclose(eastward[inside] * EARTH_RADIUS, (np.cos(lon) + 0 * lat)[inside], atol=1e-4)
    np.testing.assert_allclose(northward[inside] * EARTH_RADIUS, (-np.sin(lat) * np.sin(lon))[inside], atol=1e-4)
    assert np.isnan(northward[[0, -1]]).all()
