"""Spherical harmonics: Parseval, single harmonics and the sum written out, on every kind of grid."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import sph_harm_y

from data_pipeline.errors import ScoreError
from data_pipeline.grid import Grid
from evaluation.metrics.harmonics import cross_power, rows_of, transform
from tests.evaluation.spectral_samples import harmonic

GRIDS = {
    "gaussian": Grid.gaussian(16, 32),
    "gaussian, odd": Grid.gaussian(15, 30),
    "half a cell off": Grid.equiangular(16, 32, poles=False),
    "half a cell off, odd": Grid.equiangular(15, 31, poles=False),
    "poles": Grid.equiangular(17, 32, poles=True),
    "poles, few longitudes": Grid.equiangular(18, 20, poles=True),
}
every_grid = pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)


@every_grid
def test_a_single_harmonic_is_all_in_its_degree(grid: Grid) -> None:
    highest = rows_of(grid).highest_degree
    for degree, order in ((0, 0), (1, 0), (1, 1), (4, 2), (5, 5), (highest, 0), (highest, 3), (highest, highest)):
        coefficients = transform(harmonic(grid, degree, order), grid)
        expected = np.zeros(highest + 1)
        expected[degree] = 1.0
        np.testing.assert_allclose(cross_power(coefficients, coefficients), expected, atol=2e-6)  # of 1e-6 degrees


@every_grid
def test_the_degrees_add_up_to_the_mean_square(grid: Grid) -> None:
    rng, highest = np.random.default_rng(2), rows_of(grid).highest_degree
    amplitudes = {(l, m): rng.standard_normal() for l in range(highest + 1) for m in range(l + 1)}  # noqa: E741
    field = sum(amplitude * harmonic(grid, *of) for of, amplitude in amplitudes.items())
    power = cross_power(*[transform(field, grid)] * 2)
    expected = [sum(a**2 for (l, _), a in amplitudes.items() if l == degree) for degree in range(highest + 1)]  # noqa: E741
    np.testing.assert_allclose(power, expected, rtol=1e-4)
    assert power.sum() == pytest.approx(sum(a**2 for a in amplitudes.values()), rel=1e-6)


def test_harmonics_agree_with_the_sum_written_out() -> None:
    grid = Grid.gaussian(10, 20)
    field = np.random.default_rng(0).standard_normal(grid.shape)
    weights = np.polynomial.legendre.leggauss(10)[1][:, None] / 2 / 20  # of a mean over the sphere
    lat, lon = np.deg2rad(np.asarray(grid.latitude))[:, None], np.deg2rad(np.asarray(grid.longitude))
    expected = [
        sum(
            abs((weights * field * np.sqrt(4 * np.pi) * sph_harm_y(degree, m, np.pi / 2 - lat, lon).conj()).sum()) ** 2
            for m in range(-degree, degree + 1)
        )
        for degree in range(10)
    ]
    np.testing.assert_allclose(cross_power(*[transform(field, grid)] * 2), expected, rtol=1e-4)


def test_harmonics_do_not_depend_on_where_longitude_begins_nor_on_which_grid() -> None:
    powers = []
    for grid in GRIDS.values():
        field = harmonic(grid, 3, 2) + 2 * harmonic(grid, 6, 1) + 5e4
        powers.append(cross_power(*[transform(field, grid)] * 2)[:8])
        np.testing.assert_allclose(cross_power(*[transform(np.roll(field, 3, 1), grid)] * 2)[:8], powers[-1], atol=1e-9)
    np.testing.assert_allclose(powers, np.broadcast_to([25e8, 0, 0, 1, 0, 0, 4, 0], (6, 8)), rtol=1e-4, atol=1e-2)


def test_high_degrees_do_not_overflow_or_vanish() -> None:
    grid = Grid.gaussian(300, 600)
    for degree, order in ((299, 0), (299, 150), (299, 299)):
        field = harmonic(grid, degree, order)
        assert cross_power(*[transform(field, grid)] * 2)[degree] == pytest.approx(1, abs=1e-4)


def test_a_grid_without_quadrature_is_refused() -> None:
    with pytest.raises(ScoreError, match="expected a global Gaussian grid or an evenly spaced one"):
        rows_of(Grid(tuple(range(60, -65, -5)), tuple(range(0, 360, 5))))
    with pytest.raises(ScoreError, match="expected a global Gaussian grid"):
        rows_of(Grid((80.0, 30.0, 0.0, -40.0, -80.0), tuple(range(0, 360, 5))))
