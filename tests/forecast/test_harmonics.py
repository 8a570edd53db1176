"""Harmonics: Legendre functions against scipy's, and the transform against closed forms, both ways."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from scipy.special import sph_harm_y

from data_pipeline.errors import DataError
from data_pipeline.grid import Grid
from forecast.harmonics import SphericalTransform, legendre_functions

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    Floats = NDArray[np.float64]

GRIDS = {
    "equiangular": Grid.equiangular(8, 16, poles=False),
    "poles": Grid.equiangular(9, 16, poles=True),
    "gaussian": Grid.gaussian(12, 24),
    "narrow": Grid.gaussian(16, 15),
    "wide": Grid.equiangular(7, 32, poles=False),
}
EXACT = {"atol": 1e-6, "rtol": 0}  # grids keep their latitudes to a millionth of a degree


@pytest.fixture(params=GRIDS.values(), ids=GRIDS)
def any_grid(request: pytest.FixtureRequest) -> Grid:
    grid: Grid = request.param
    return grid


def radians(grid: Grid) -> tuple[Tensor, Tensor]:
    """Latitude (latitude, 1) and longitude (1, longitude)."""
    latitude, longitude = (
        torch.tensor(axis, dtype=torch.float64).deg2rad() for axis in (grid.latitude, grid.longitude)
    )
    return latitude[:, None], longitude[None]


def random_coefficients(transform: SphericalTransform, *leading: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*leading, len(transform.degrees), dtype=torch.float64, generator=generator)


def analysis_matrix(grid: Grid) -> Floats:
    """The linear map (point, coefficient), by feeding unit vectors."""
    unit = torch.eye(grid.shape[0] * grid.shape[1], dtype=torch.float64).reshape(-1, *grid.shape)
    return SphericalTransform(grid).coefficients(unit).numpy()


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


# the transform


def test_degree_is_what_the_grid_determines() -> None:
    degrees = {name: SphericalTransform(grid).degree for name, grid in GRIDS.items()}
    assert degrees == {"equiangular": 7, "poles": 7, "gaussian": 11, "narrow": 7, "wide": 6}


def test_harmonics_are_scipys_in_the_documented_order(any_grid: Grid) -> None:
    transform = SphericalTransform(any_grid)
    harmonics = iter(transform.fields(torch.eye(len(transform.degrees), dtype=torch.float64)).numpy())
    latitude, longitude = (axis.numpy() for axis in radians(any_grid))
    for ell in range(transform.degree + 1):
        for m in range(ell + 1):
            wave = sph_harm_y(ell, m, np.pi / 2 - latitude, longitude) * (-1) ** m * np.sqrt(4 * np.pi)
            if m == 0:
                np.testing.assert_allclose(next(harmonics), wave.real, **EXACT)
            else:
                np.testing.assert_allclose(next(harmonics), np.sqrt(2) * wave.real, **EXACT)
                np.testing.assert_allclose(next(harmonics), -np.sqrt(2) * wave.imag, **EXACT)
    assert next(harmonics, None) is None


def test_coefficients_in_closed_form(any_grid: Grid) -> None:
    latitude, longitude = radians(any_grid)
    fields = torch.stack(torch.broadcast_tensors(
        torch.full((1, 1), 3.0, dtype=torch.float64), latitude.sin(), latitude.cos() * longitude.cos(),
        latitude.cos() * longitude.sin(), latitude.sin() ** 2,
    ))  # fmt: skip
    expected = np.zeros((5, 9))
    expected[0, 0] = 3
    expected[1, 1] = expected[2, 2] = 3**-0.5
    expected[3, 3] = -(3**-0.5)
    expected[4, [0, 4]] = 1 / 3, 2 / (3 * 5**0.5)
    coefficients = SphericalTransform(any_grid).coefficients(fields)
    np.testing.assert_allclose(coefficients[:, :9], expected, **EXACT)
    np.testing.assert_allclose(coefficients[:, 9:], 0, **EXACT)


@pytest.mark.parametrize("grid", [*GRIDS.values(), Grid.equiangular(91, 180, poles=True), Grid.gaussian(48, 96)])
def test_round_trip_is_exact_up_to_the_degree(grid: Grid) -> None:
    transform = SphericalTransform(grid)
    coefficients = random_coefficients(transform, 2, 3)
    fields = transform.fields(coefficients)
    assert fields.shape == (2, 3, *grid.shape)
    torch.testing.assert_close(transform.coefficients(fields), coefficients, rtol=0, atol=1e-12)
    single = transform.coefficients(fields.float())
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), coefficients, rtol=0, atol=1e-5)


def test_sum_of_squares_is_the_area_mean_of_the_square(any_grid: Grid) -> None:
    """Parseval; the mean is taken by Gaussian quadrature of the same field on a finer grid."""
    coefficients = random_coefficients(SphericalTransform(any_grid))
    fine = SphericalTransform(Grid.gaussian(24, 48))
    padded = torch.nn.functional.pad(coefficients, (0, len(fine.degrees) - len(coefficients)))
    weights = torch.from_numpy(np.polynomial.legendre.leggauss(24)[1] / 2)
    mean_square = (fine.fields(padded) ** 2).mean(-1) @ weights
    torch.testing.assert_close(coefficients.square().sum(), mean_square, rtol=1e-6, atol=0)


def test_rough_fields_get_the_nearest_smooth_field(any_grid: Grid) -> None:
    """Least squares: what is left over is orthogonal, by area, to every harmonic."""
    transform = SphericalTransform(any_grid)
    rough = torch.from_numpy(np.random.default_rng(0).standard_normal(any_grid.shape))
    left = rough - transform.fields(transform.coefficients(rough))
    harmonics = transform.fields(torch.eye(len(transform.degrees), dtype=torch.float64))
    weights = torch.from_numpy(any_grid.area_weights())[:, None] / rough.numel()
    np.testing.assert_allclose((harmonics * weights * left).sum((-2, -1)), 0, atol=1e-12)


def test_rough_fields_are_hardly_amplified(any_grid: Grid) -> None:
    """Over all fields the sum of squares is at most a few times the area mean square."""
    root_weights = np.sqrt(np.repeat(any_grid.area_weights(), any_grid.shape[1]) / np.prod(any_grid.shape))
    largest = np.linalg.svd(analysis_matrix(any_grid) / root_weights[:, None], compute_uv=False)[0]
    assert largest**2 < 3.5


def test_gaussian_grids_give_gaussian_quadrature() -> None:
    grid = GRIDS["gaussian"]
    weights = np.repeat(np.polynomial.legendre.leggauss(grid.shape[0])[1] / 2, grid.shape[1]) / grid.shape[1]
    transform = SphericalTransform(grid)
    harmonics = transform.fields(torch.eye(len(transform.degrees), dtype=torch.float64)).flatten(1).numpy()
    quadrature = (harmonics * weights).T
    assert np.abs(analysis_matrix(grid) - quadrature).max() < 0.02 * np.abs(quadrature).max()


def test_turning_the_globe_keeps_the_power_of_each_degree(any_grid: Grid) -> None:
    transform = SphericalTransform(any_grid)
    field = torch.from_numpy(np.random.default_rng(1).standard_normal(any_grid.shape))

    def power(field: Tensor) -> Tensor:
        squares = transform.coefficients(field).square()
        return squares.new_zeros(transform.degree + 1).index_add(0, transform.degrees, squares)

    torch.testing.assert_close(power(field.roll(5, -1)), power(field))


def test_degrees_mark_where_a_field_may_be_truncated() -> None:
    transform = SphericalTransform(GRIDS["gaussian"])
    assert transform.degrees[:9].tolist() == [0, 1, 1, 1, 2, 2, 2, 2, 2]
    assert torch.equal(transform.degrees <= 4, torch.arange(len(transform.degrees)) < 25)


def test_both_ways_are_differentiable() -> None:
    transform = SphericalTransform(Grid.equiangular(4, 8, poles=False))
    fields = torch.randn(2, 4, 8, dtype=torch.float64, requires_grad=True)
    coefficients = random_coefficients(transform, 2).requires_grad_()
    assert torch.autograd.gradcheck(transform.coefficients, fields)
    assert torch.autograd.gradcheck(transform.fields, coefficients)


def test_gradients_go_through_what_a_forecast_has_used() -> None:
    transform = SphericalTransform(GRIDS["equiangular"])
    fields = torch.randn(8, 16)
    with torch.inference_mode():
        transform.fields(transform.coefficients(fields))
    fields.requires_grad_()
    transform.fields(transform.coefficients(fields)).square().sum().backward()  # type: ignore[no-untyped-call]
    assert fields.grad is not None


def test_autocast_does_not_round_it() -> None:
    transform = SphericalTransform(GRIDS["gaussian"])
    coefficients = random_coefficients(transform, 3).float()
    fields = transform.fields(coefficients)
    back = transform.coefficients(fields)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(transform.fields(coefficients), fields)
        assert torch.equal(transform.coefficients(fields), back)


@pytest.mark.parametrize("device", ["cpu", *["cuda"] * torch.cuda.is_available()])
def test_it_stays_on_the_device_of_what_is_given(device: str) -> None:
    transform = SphericalTransform(GRIDS["gaussian"])
    coefficients = random_coefficients(transform, 2).float()
    fields = transform.fields(coefficients.to(device))
    back = transform.coefficients(fields)
    assert fields.device.type == back.device.type == device
    torch.testing.assert_close(back.cpu(), coefficients, rtol=0, atol=1e-5)


EVEN = Grid.equiangular(8, 32, poles=False)
TWIN_ROWS = (*EVEN.latitude[:4], EVEN.latitude[3] - 0.01, *EVEN.latitude[4:])
LONGITUDES = GRIDS["gaussian"].longitude


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        (Grid((60.0, 40.0, 20.0), LONGITUDES), "need a global grid with evenly spaced longitudes, got 3x24 grid"),
        (Grid(GRIDS["gaussian"].latitude, (0.0, 100.0, 230.0)), "evenly spaced longitudes.*regrid to an equiangular"),
        (Grid(TWIN_ROWS, EVEN.longitude), "do not determine harmonics up to degree 8; regrid"),
    ],
    ids=["regional", "uneven", "twin rows"],
)
def test_grids_without_harmonics_are_refused(grid: Grid, message: str) -> None:
    with pytest.raises(DataError, match=message):
        SphericalTransform(grid)
