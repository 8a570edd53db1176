"""Noise on the sphere: variance, spectrum, isotropy, and one generator per member and step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from scipy.special import sph_harm_y

from data_pipeline.grid import Grid
from forecast.noise import WHITE_FLOOR, SphericalNoise, legendre_functions, member_generator

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

TIME = np.datetime64("2001-01-05T00", "ns")
GRIDS = {
    "equiangular": Grid.equiangular(8, 16, poles=False),
    "poles": Grid.equiangular(9, 16, poles=True),
    "gaussian": Grid.gaussian(16, 32),
    "narrow": Grid.gaussian(16, 16),
}


@pytest.fixture(params=GRIDS.values(), ids=GRIDS)
def any_grid(request: pytest.FixtureRequest) -> Grid:
    grid: Grid = request.param
    return grid


def columns(grid: Grid) -> Floats:
    """The linear map from normal numbers to fields: (numbers, point), by feeding unit vectors."""
    noise = SphericalNoise(grid)
    fields = noise.synthesise(torch.eye(noise.numbers_per_field()))
    return fields.flatten(1).double().numpy()


# Legendre functions


def test_legendre_functions_are_orthonormal() -> None:
    degree = 20
    x, weights = np.polynomial.legendre.leggauss(degree + 1)
    p = legendre_functions(x, degree)
    for m in range(degree + 1):
        product = np.einsum("ai,bi,i->ab", p[m:, m], p[m:, m], weights) / 2
        np.testing.assert_allclose(product, np.eye(degree + 1 - m), atol=1e-12)


def test_legendre_functions_equal_scipys() -> None:
    x = np.linspace(-1, 1, 9)
    p = legendre_functions(x, 12)
    for ell in range(13):
        for m in range(ell + 1):
            harmonic = sph_harm_y(ell, m, np.arccos(x), 0.0).real * np.sqrt(4 * np.pi) * (-1) ** m
            np.testing.assert_allclose(p[ell, m], harmonic, atol=1e-10)
    assert not p[np.triu_indices(13, 1)].any(), "no order exceeds its degree"


def test_legendre_functions_obey_the_addition_theorem_at_high_degree() -> None:
    p = legendre_functions(np.sin(np.deg2rad(np.linspace(-90, 90, 13))), 200)
    total = p[:, 0] ** 2 + 2 * (p[:, 1:] ** 2).sum(1)
    np.testing.assert_allclose(total, (2 * np.arange(201) + 1)[:, None] * np.ones(13), rtol=1e-9)


# the field


def test_variance_is_one_at_every_point(any_grid: Grid) -> None:
    variance = (columns(any_grid) ** 2).sum(0)
    np.testing.assert_allclose(variance, 1, atol=1e-5)


def test_synthesis_equals_a_sum_over_harmonics(any_grid: Grid) -> None:
    """A twin by brute force: scipy's complex harmonics, one by one."""
    noise = SphericalNoise(any_grid)
    size = noise.degree + 1
    normal = np.random.default_rng(0).standard_normal(noise.numbers_per_field())
    real, imaginary = normal[: size**2].reshape(size, size), normal[size**2 : 2 * size**2].reshape(size, size)
    colatitude = np.deg2rad(90 - np.asarray(any_grid.latitude))[:, None]
    longitude = np.deg2rad(np.asarray(any_grid.longitude))[None]
    smooth = np.zeros(any_grid.shape)
    for ell in range(size):
        for m in range(ell + 1):
            wave = sph_harm_y(ell, m, colatitude, longitude) * (-1) ** m * np.sqrt(4 * np.pi) / size
            if m == 0:
                smooth += real[ell, 0] * wave.real
            else:
                smooth += np.sqrt(2) * ((real[ell, m] + 1j * imaginary[ell, m]) * wave).real
    white = normal[2 * size**2 :].reshape(any_grid.shape)
    expected = np.sqrt(1 - WHITE_FLOOR**2) * smooth + WHITE_FLOOR * white
    got = noise.synthesise(torch.from_numpy(normal).float())
    np.testing.assert_allclose(got.numpy(), expected, atol=2e-5)


def test_covariance_depends_on_the_angle_alone(any_grid: Grid) -> None:
    """Isotropy: the exact covariance is the sum of (2l+1) P_l(cos angle) / (L+1)^2."""
    noise = SphericalNoise(any_grid)
    latitude, longitude = np.meshgrid(*map(np.deg2rad, (any_grid.latitude, any_grid.longitude)), indexing="ij")
    points = np.stack([np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude)])
    cosine = np.clip(np.einsum("kij,klm->ijlm", points, points), -1, 1).reshape(latitude.size, -1)
    size = noise.degree + 1
    smooth = np.polynomial.legendre.legval(cosine, (2 * np.arange(size) + 1) / size**2)
    expected = (1 - WHITE_FLOOR**2) * smooth + WHITE_FLOOR**2 * np.eye(latitude.size)
    fields = columns(any_grid)
    np.testing.assert_allclose(fields.T @ fields, expected, atol=1e-5)


def test_angular_power_spectrum_is_flat() -> None:
    """Projection on the harmonics by Gaussian quadrature, which is exact: equal power at every degree."""
    grid = GRIDS["gaussian"]
    noise = SphericalNoise(grid)
    x, weights = np.polynomial.legendre.leggauss(grid.shape[0])
    p = legendre_functions(x[::-1], noise.degree)
    fields = noise.draw([np.random.default_rng(0)], 400)[0].double().numpy()
    waves = np.fft.rfft(fields, norm="forward")[..., : noise.degree + 1]
    coefficients = np.einsum("cim,lmi,i->clm", waves, p, weights[::-1] / 2)
    power = (np.abs(coefficients) ** 2).mean(0)
    per_degree = (power[:, 0] + 2 * power[:, 1:].sum(1)) / (2 * np.arange(noise.degree + 1) + 1)
    np.testing.assert_allclose(per_degree * (noise.degree + 1) ** 2, 1, rtol=0.15)


def test_noise_spans_every_direction_of_the_grid(any_grid: Grid) -> None:
    fields = columns(any_grid)
    assert np.linalg.eigvalsh(fields.T @ fields).min() > 0.9 * WHITE_FLOOR**2


# members


@pytest.mark.parametrize("shape", [(8, 16), (32, 64)])
@pytest.mark.parametrize("count", [1, 3, 13])
def test_noise_of_a_member_does_not_depend_on_the_batch(shape: tuple[int, int], count: int) -> None:
    noise = SphericalNoise(Grid.equiangular(*shape, poles=False))

    def draw(members: list[int]) -> torch.Tensor:
        return noise.draw([member_generator(0, TIME, member, 0) for member in members], count)

    together = draw([0, 1, 2, 3, 4])
    assert torch.equal(draw([3])[0], together[3])
    assert torch.equal(draw([4, 1]), together[[4, 1]])


def test_same_numbers_give_identical_bits() -> None:
    noise = SphericalNoise(GRIDS["equiangular"])
    first, second = (noise.draw([member_generator(7, TIME, 2, 3)], 4) for _ in range(2))
    assert torch.equal(first, second)


def test_any_other_number_gives_other_noise() -> None:
    noise = SphericalNoise(GRIDS["equiangular"])
    hour = np.timedelta64(1, "h")
    numbers = [(0, TIME, 0, 0), (1, TIME, 0, 0), (0, TIME + hour, 0, 0), (0, TIME, 1, 0), (0, TIME, 0, 1)]
    drawn = torch.stack([noise.draw([member_generator(*words)], 3)[0] for words in numbers]).flatten(1)
    correlation = torch.corrcoef(drawn).fill_diagonal_(0)
    assert correlation.abs().max() < 0.35, "independent, within the chance of 3 x 128 correlated numbers"


def test_times_before_the_epoch_have_noise_too() -> None:
    generator = member_generator(0, np.datetime64("1850-01-01", "ns"), 0, 0)
    assert np.isfinite(generator.standard_normal(3)).all()


def test_noise_has_shape_and_precision() -> None:
    noise = SphericalNoise(GRIDS["equiangular"])
    drawn = noise.draw([member_generator(0, TIME, member, 0) for member in range(2)], 3)
    assert drawn.shape == (2, 3, 8, 16)
    assert drawn.dtype == torch.float32
