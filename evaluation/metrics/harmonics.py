"""Spherical harmonics of global fields, exact up to the degree that the grid can tell apart.

A field is ``f = sum_m F_m(x) exp(i m lon)`` with x = sin(latitude), and ``F_m = sum_l a_lm P_lm(x)`` with associated
Legendre functions normalised to ``1/2 int P_lm^2 dx = 1``: the mean over the sphere of f^2 is then
``sum_l (|a_l0|^2 + 2 sum_m>0 |a_lm|^2)`` (Parseval), and the bracket is the power of degree l, in units of f squared.
(These are geodesy's "4 pi" harmonics: Wieczorek and Meschede 2018, doi:10.1029/2018GC007529.)

Integrals over x are by Gauss and Legendre, exact for products of harmonics below the number of rows. On evenly spaced
rows, F_m is first carried to Gaussian latitudes: it is a trigonometric polynomial of colatitude, even for even m and
odd for odd m, which rows determine exactly up to their number (less two for odd m if rows lie on the poles).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy import fft

from data_pipeline.errors import ScoreError
from data_pipeline.grid import COORDINATE_TOLERANCE, Grid
from evaluation.metrics.products import product

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Field = NDArray[np.floating[Any]]
    Floats = NDArray[np.float64]
    Complexes = NDArray[np.complex128]

HIGHEST_DEGREE = 1500
"""Beyond it, Legendre functions near the poles are below the smallest float64."""


class Rows(NamedTuple):
    """How the rows of a grid become coefficients."""

    highest_degree: int
    sines: Floats
    """Of the Gaussian latitudes, north to south"""
    weights: Floats
    """Of the Gaussian latitudes, with sum 2"""
    even: Floats | None
    """Carries rows to Gaussian latitudes (Gaussian row, row) for even m; None if they are those"""
    odd: Floats | None
    """Likewise for odd m"""


@lru_cache(maxsize=4)
def rows_of(grid: Grid) -> Rows:
    """The transform of a global Gaussian or equiangular grid, with rows on the poles or half a spacing off them.

    Raises
    ------
    ScoreError
        If the grid is none of these.

    >>> [rows_of(grid).highest_degree for grid in (Grid.gaussian(32, 64), Grid.equiangular(33, 64, poles=True))]
    [31, 31]
    """
    count, columns = grid.shape
    even_columns = np.allclose(np.diff(grid.longitude), 360 / columns, rtol=0, atol=COORDINATE_TOLERANCE)
    nodes, weights = np.polynomial.legendre.leggauss(count)
    sines, highest = nodes[::-1], min((columns - 1) // 2, HIGHEST_DEGREE)
    if even_columns and _same_rows(grid, Grid.gaussian(count, columns)):
        return Rows(min(count - 1, highest), sines, weights, None, None)
    for poles in (True, False):
        if even_columns and _same_rows(grid, Grid.equiangular(count, columns, poles=poles)):
            return Rows(min(count - 1 - poles, highest), sines, weights, *_to_gaussian(count, sines, poles))
    raise ScoreError(
        f"got a {grid}, expected a global Gaussian grid or an evenly spaced one for spherical harmonics; regrid first, "
        "or ask for zonal spectra"
    )


def transform(fields: Field, grid: Grid) -> Complexes:
    """Coefficients a_lm of fields (..., latitude, longitude): (..., degree, order), zero for orders above the degree.

    NaN in a field makes its coefficients NaN. Raises as ``rows_of``.
    """
    rows = rows_of(grid)
    size = rows.highest_degree + 1
    orders = fft.rfft(np.asarray(fields, dtype=np.float64), norm="forward")[..., :size]
    found = np.zeros((*fields.shape[:-2], size, size), dtype=np.complex128)
    half = -(-len(rows.sines) // 2)
    seed = np.ones(half)
    for order in range(size):
        seed = _next_seed(seed, rows.sines[:half], order)
        legendre = _legendre(order, size, rows.sines[:half], seed)
        found[..., order:, order] = _degrees(_on_gaussian(orders[..., order], rows, order), legendre, rows.weights)
    return found


def cross_power(one: Complexes, other: Complexes) -> Floats:
    """``Re sum_m a_lm conj(b_lm)`` over all orders of both signs, (..., degree); the power of a field with itself.

    >>> grid = Grid.gaussian(4, 8)
    >>> field = np.sin(np.deg2rad(grid.latitude))[:, None] * np.ones(8)  # mean square 1/3, all in degree 1
    >>> cross_power(transform(field, grid), transform(field, grid)).round(6).tolist()
    [0.0, 0.333333, 0.0, 0.0]
    """
    product = one.real * other.real + one.imag * other.imag
    return np.asarray(2 * product.sum(axis=-1) - product[..., 0])


def _same_rows(grid: Grid, other: Grid) -> bool:
    return np.allclose(grid.latitude, other.latitude, rtol=0, atol=COORDINATE_TOLERANCE)


def _to_gaussian(count: int, sines: Floats, poles: bool) -> tuple[Floats, Floats]:
    """The matrices (Gaussian row, row) that evaluate the cosine or sine series through the rows.

    Coefficients are ``c_k = 2/N sum_j v_j f_j cos(k t_j)`` over N spacings, likewise with sines: v_j is 1, on the poles
    1/2, and half of them count for k = 0 and k = N. These are the discrete cosine transforms of the types I (rows on
    the poles) and II, Strang 1999, doi:10.1137/S0036144598336745, and their sine twins.
    """
    spacings = count - poles
    colatitude, target = (np.arange(count) + (0.0 if poles else 0.5)) * np.pi / spacings, np.arccos(sines)
    cosines, waves = np.arange(count), np.arange(1, count + 1 - 2 * poles)
    share = np.full(count, 2.0 / spacings)
    share[[0, -1]] /= 2 if poles else 1
    once = (np.where(np.isin(orders, (0, spacings)), 0.5, 1.0)[:, None] for orders in (cosines, waves))
    even, odd = (weight * share for weight in once)
    return (
        product(np.cos(np.outer(target, cosines)), even * np.cos(np.outer(cosines, colatitude))),
        product(np.sin(np.outer(target, waves)), odd * np.sin(np.outer(waves, colatitude))),
    )


def _on_gaussian(column: Complexes, rows: Rows, order: int) -> Complexes:
    """F_m (..., row) on Gaussian rows."""
    matrix = rows.odd if order % 2 else rows.even
    return column if matrix is None else _times(column, matrix.T)


def _next_seed(seed: Floats, sines: Floats, order: int) -> Floats:
    """P_mm from P_(m-1)(m-1): ``sqrt((2m + 1)/(2m)) cos(latitude)`` times it; P_00 = 1."""
    return seed if order == 0 else seed * np.sqrt((2 * order + 1) / (2 * order) * (1 - sines**2))


def _legendre(order: int, size: int, sines: Floats, seed: Floats) -> Floats:
    """P_lm of one order m at ``sines``, (degree m to size - 1, row).

    ``x P_lm = e_(l+1) P_(l+1)m + e_l P_(l-1)m`` with ``e_l = sqrt((l^2 - m^2)/(4 l^2 - 1))``.
    """
    degree = np.arange(order, size + 1, dtype=np.float64)
    step = np.sqrt((degree**2 - order**2) / np.maximum(4 * degree**2 - 1, 1))
    table = np.zeros((size - order, len(sines)))
    table[0] = seed
    for k in range(1, size - order):
        table[k] = (sines * table[k - 1] - step[k - 1] * table[k - 2]) / step[k]  # step[0] is 0
    return table


def _degrees(column: Complexes, legendre: Floats, weights: Floats) -> Complexes:
    """``a_lm = 1/2 sum_j w_j F_m(x_j) P_lm(x_j)``, (..., degree), north and south together: P is even or odd."""
    half = legendre.shape[-1]
    north, south = weights[:half] / 2 * column[..., :half], weights[:half] / 2 * column[..., ::-1][..., :half]
    if len(weights) % 2:
        south[..., -1] = 0.0  # the equator counts once
    found = np.empty((*column.shape[:-1], len(legendre)), dtype=np.complex128)
    found[..., ::2] = _times(north + south, legendre[::2].T)
    found[..., 1::2] = _times(north - south, legendre[1::2].T)
    return found


def _times(column: Complexes, matrix: Floats) -> Complexes:
    """Their product, without making the matrix complex."""
    real, imaginary = product(np.stack([column.real, column.imag]), matrix)
    return np.asarray(real + 1j * imaginary)
