"""Spherical noise: variance, spectrum and isotropy, exactly and as drawn, on every kind of grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from scipy.special import sph_harm_y

from data_pipeline.errors import ConfigError
from data_pipeline.grid import Grid
from forecast.harmonics import SphericalTransform, legendre_functions
from forecast.noise import WHITE_FLOOR, SphericalNoise

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    Floats = NDArray[np.float64]

GRIDS = {
    "equiangular": Grid.equiangular(8, 16, poles=False),
    "poles": Grid.equiangular(9, 16, poles=True),
    "gaussian": Grid.gaussian(16, 32),
    "narrow": Grid.gaussian(16, 16),
}
SLOPES = (0.0, 1.0, 2.0)
SMOOTH = 1 - WHITE_FLOOR**2


@pytest.fixture(params=GRIDS.values(), ids=GRIDS)
def any_grid(request: pytest.FixtureRequest) -> Grid:
    grid: Grid = request.param
    return grid


@pytest.fixture(params=SLOPES)
def any_slope(request: pytest.FixtureRequest) -> float:
    slope: float = request.param
    return slope


def columns(noise: SphericalNoise) -> Tensor:
    """The linear map from normal numbers to fields, (number, latitude, longitude), by feeding unit vectors."""
    return noise.of_normal(torch.eye(noise.shape_of_numbers(1)[-1])).double()


def chosen_power(degree: int, slope: float) -> Floats:
    """Power of one harmonic of each degree, for unit variance."""
    ell = np.arange(degree + 1)
    power = (1.0 + ell) ** -slope
    return np.asarray(power / np.sum((2 * ell + 1) * power))


# exactly: noise is a linear map of normal numbers


def test_variance_is_one_at_every_point(any_grid: Grid, any_slope: float) -> None:
    variance = (columns(SphericalNoise(any_grid, slope=any_slope)) ** 2).sum(0)
    np.testing.assert_allclose(variance, 1, atol=1e-5)


def test_harmonics_are_independent_and_have_the_chosen_power(any_grid: Grid, any_slope: float) -> None:
    """The covariance of the smooth part's coefficients is diagonal, with the spectrum on the diagonal."""
    noise, transform = SphericalNoise(any_grid, slope=any_slope), SphericalTransform(any_grid)
    assert transform.degree == noise.degree
    coefficients = transform.coefficients(columns(noise)[: 2 * (noise.degree + 1) ** 2])
    expected = np.diag(SMOOTH * chosen_power(noise.degree, any_slope)[transform.degrees])
    np.testing.assert_allclose(coefficients.T @ coefficients, expected, atol=1e-6)


def test_covariance_depends_on_the_angle_alone(any_grid: Grid, any_slope: float) -> None:
    """Isotropy: the exact covariance is the sum of C_l (2l+1) P_l(cos angle)."""
    noise = SphericalNoise(any_grid, slope=any_slope)
    latitude, longitude = np.meshgrid(*map(np.deg2rad, (any_grid.latitude, any_grid.longitude)), indexing="ij")
    points = np.stack([np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude)])
    cosine = np.clip(np.einsum("kij,klm->ijlm", points, points), -1, 1).reshape(latitude.size, -1)
    series = (2 * np.arange(noise.degree + 1) + 1) * chosen_power(noise.degree, any_slope)
    smooth = np.polynomial.legendre.legval(cosine, series)
    expected = SMOOTH * smooth + WHITE_FLOOR**2 * np.eye(latitude.size)
    fields = columns(noise).flatten(1)
    np.testing.assert_allclose(fields.T @ fields, expected, atol=1e-5)


def test_turning_the_globe_keeps_the_covariance(any_grid: Grid, any_slope: float) -> None:
    fields = columns(SphericalNoise(any_grid, slope=any_slope))
    turned = fields.roll(3, -1)
    torch.testing.assert_close(turned.flatten(1).T @ turned.flatten(1), fields.flatten(1).T @ fields.flatten(1))


def test_synthesis_equals_a_sum_over_harmonics(any_grid: Grid, any_slope: float) -> None:
    """A twin by brute force: scipy's complex harmonics, one by one."""
    noise = SphericalNoise(any_grid, slope=any_slope)
    size, power = noise.degree + 1, chosen_power(noise.degree, any_slope)
    normal = np.random.default_rng(0).standard_normal(noise.shape_of_numbers(1)[-1])
    real, imaginary = normal[: size**2].reshape(size, size), normal[size**2 : 2 * size**2].reshape(size, size)
    colatitude = np.deg2rad(90 - np.asarray(any_grid.latitude))[:, None]
    longitude = np.deg2rad(np.asarray(any_grid.longitude))[None]
    smooth = np.zeros(any_grid.shape)
    for ell in range(size):
        for m in range(ell + 1):
            wave = sph_harm_y(ell, m, colatitude, longitude) * (-1) ** m * np.sqrt(4 * np.pi * power[ell])
            if m == 0:
                smooth += real[ell, 0] * wave.real
            else:
                smooth += np.sqrt(2) * ((real[ell, m] + 1j * imaginary[ell, m]) * wave).real
    white = normal[2 * size**2 :].reshape(any_grid.shape)
    expected = np.sqrt(SMOOTH) * smooth + WHITE_FLOOR * white
    got = noise.of_normal(torch.from_numpy(normal).float())
    np.testing.assert_allclose(got.numpy(), expected, atol=2e-5)


def test_noise_spans_every_direction_of_the_grid(any_grid: Grid, any_slope: float) -> None:
    fields = columns(SphericalNoise(any_grid, slope=any_slope)).flatten(1)
    assert np.linalg.eigvalsh(fields.T @ fields).min() > 0.9 * WHITE_FLOOR**2


def test_slope_zero_keeps_the_bits_of_equal_power(any_grid: Grid) -> None:
    """A member is a function of its seed: every forecast made before there were slopes can be made again."""
    noise = SphericalNoise(any_grid)
    functions = legendre_functions(np.sin(np.deg2rad(np.asarray(any_grid.latitude))), noise.degree)
    scaled = torch.as_tensor(functions / (np.sqrt(2.0) * (noise.degree + 1)), dtype=torch.float32)
    assert torch.equal(noise._legendre_on(torch.device("cpu")).real, scaled)


@pytest.mark.parametrize("slope", [np.nan, np.inf, -1000.0])
def test_a_slope_has_bounds(slope: float) -> None:
    with pytest.raises(ConfigError, match=r"slope of the noise must be within \+-10, got"):
        SphericalNoise(GRIDS["gaussian"], slope=slope)


# as drawn, within five standard errors

DRAWS = 1000
VARIANCE_ERROR = 5 * (2 / DRAWS) ** 0.5
"""Five standard errors of a variance estimated from so many independent numbers."""


@pytest.fixture
def drawn(any_grid: Grid, any_slope: float) -> Tensor:
    noise = SphericalNoise(any_grid, slope=any_slope)
    return noise.draw([np.random.default_rng(0)], DRAWS)[0].double()


def test_drawn_power_is_the_chosen_spectrum(any_grid: Grid, any_slope: float, drawn: Tensor) -> None:
    """The floor, white on the grid, adds what the transform makes of it."""
    transform = SphericalTransform(any_grid)
    points = any_grid.shape[0] * any_grid.shape[1]
    floor = transform.coefficients(torch.eye(points, dtype=torch.float64).reshape(-1, *any_grid.shape))
    expected = SMOOTH * chosen_power(transform.degree, any_slope)[transform.degrees]
    expected += WHITE_FLOOR**2 * floor.square().sum(0).numpy()
    ratio = transform.coefficients(drawn).square().mean(0).numpy() / expected
    for degree in range(transform.degree + 1):
        mine = ratio[transform.degrees == degree]
        assert abs(mine.mean() - 1) < VARIANCE_ERROR / mine.size**0.5, degree


def test_drawn_variance_is_one_at_every_latitude(drawn: Tensor) -> None:
    np.testing.assert_allclose(drawn.square().mean((0, 2)), 1, atol=VARIANCE_ERROR)
    np.testing.assert_allclose(drawn.mean((0, 2)), 0, atol=5 * DRAWS**-0.5)
