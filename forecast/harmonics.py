"""Spherical harmonics on a latitude-longitude grid: Legendre functions, and the transform both ways."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from data_pipeline.errors import DataError
from data_pipeline.grid import COORDINATE_TOLERANCE, POLE

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from data_pipeline.grid import Grid

    Floats = NDArray[np.float64]

_WORST_CONDITION = 100.0
"""Of the fit of one order: 1.06 on Gaussian grids, 3 to 8 on equiangular ones. More would amplify rough fields."""


class SphericalTransform:
    """Fields to coefficients of spherical harmonics and back, differentiable, on the device of what is given.

    With P the functions of ``legendre_functions``, a field is the sum of a[l, 0] P[l, 0] and, for each order m > 0,
    of sqrt(2) P[l, m] (a[l, m] cos(m longitude) - b[l, m] sin(m longitude)): a and b are real and imaginary part.
    Each harmonic has an area mean square of one, so the sum of squared coefficients is the area mean of the squared
    field (Parseval). Longitude counts from the first column.

    Coefficients stand degree by degree, (degree + 1)**2 of them: a00, a10, a11, b11, a20, a21, b21, a22, b22, ...
    ``[..., :(l + 1) ** 2]`` truncates to degree l; ``degrees`` tells the degree of each.

    ``degree``, the largest, is what the grid determines: one less than its latitudes, two less with rows on the poles
    (where all orders but 0 vanish), and half its longitudes at most. Fields of up to that degree are transformed
    exactly. Of rougher ones the transform gives the nearest such field: least squares over the areas of the cells.
    Gaussian quadrature reaches the same degree; on equiangular grids this is twice the degree of a quadrature, as with
    Swarztrauber (1979, SIAM Journal on Numerical Analysis 16, 934-949).

    Raises DataError where the grid is not global, its columns are not even, or its rows do not determine harmonics.
    """

    def __init__(self, grid: Grid) -> None:
        _require_whole(grid)
        rows, columns = self.shape = grid.shape
        on_poles = any(POLE - abs(end) < COORDINATE_TOLERANCE for end in (grid.latitude[0], grid.latitude[-1]))
        self.degree = min(rows - (2 if on_poles else 1), (columns - 1) // 2)
        self._analysis, self._synthesis = _matrices(grid, self.degree)
        self._kept = _kept_parts(self.degree)
        self._placed: dict[tuple[torch.device, torch.dtype], _Placed] = {}

    @property
    def degrees(self) -> Tensor:
        """Degree of each coefficient, integers of shape ((degree + 1)**2,)."""
        degrees = torch.arange(self.degree + 1)
        return degrees.repeat_interleave(2 * degrees + 1)

    def coefficients(self, fields: Tensor) -> Tensor:
        """Of ``fields`` (..., latitude, longitude), float32 or float64: shape (..., (degree + 1)**2)."""
        placed = self._place(fields)
        with torch.autocast(fields.device.type, enabled=False):
            waves = torch.fft.rfft(fields, norm="forward")[..., : self.degree + 1]
            parts = torch.einsum("...imk,mil->...lmk", torch.view_as_real(waves), placed.analysis)
            return parts.flatten(-3)[..., placed.kept]

    def fields(self, coefficients: Tensor) -> Tensor:
        """The inverse: fields (..., latitude, longitude) of ``coefficients`` (..., (degree + 1)**2)."""
        placed, size, leading = self._place(coefficients), self.degree + 1, coefficients.shape[:-1]
        with torch.autocast(coefficients.device.type, enabled=False):
            parts = coefficients.new_zeros(*leading, 2 * size**2).index_copy(-1, placed.kept, coefficients)
            parts = parts.reshape(*leading, size, size, 2)
            waves = torch.einsum("...lmk,mli->...imk", parts, placed.synthesis).contiguous()
            fields: Tensor = torch.fft.irfft(torch.view_as_complex(waves), n=self.shape[1], norm="forward")
            return fields

    def _place(self, like: Tensor) -> _Placed:
        key = like.device, like.dtype
        if key not in self._placed:
            with torch.inference_mode(mode=False):  # what a forecast places also serves gradients
                analysis, synthesis = (torch.as_tensor(m).to(like) for m in (self._analysis, self._synthesis))
                self._placed[key] = _Placed(analysis, synthesis, self._kept.to(like.device))
        return self._placed[key]


class _Placed(NamedTuple):
    """The matrices of a transform on one device."""

    analysis: Tensor
    synthesis: Tensor
    kept: Tensor


def _require_whole(grid: Grid) -> None:
    steps = np.diff(grid.longitude)
    if not grid.is_global or np.ptp(steps) > COORDINATE_TOLERANCE:
        raise DataError(
            f"harmonics need a global grid with evenly spaced longitudes, got {grid}; regrid to an equiangular or "
            f"Gaussian grid"
        )


def _kept_parts(degree: int) -> Tensor:
    """Places of the coefficients among (degree, order, real and imaginary): no order above its degree, a00 real."""
    ell, m, imaginary = np.ogrid[: degree + 1, : degree + 1, :2]
    return torch.as_tensor(np.flatnonzero((m <= ell) & ~((m == 0) & (imaginary == 1))))


def _matrices(grid: Grid, degree: int) -> tuple[Floats, Floats]:
    """From waves to coefficients (order, latitude, degree), and back (order, degree, latitude)."""
    legendre = legendre_functions(np.sin(np.deg2rad(grid.latitude)), degree).transpose(1, 0, 2)
    weights = grid.area_weights() / grid.shape[0]
    analysis = np.zeros((degree + 1, grid.shape[0], degree + 1))
    for m, functions in enumerate(legendre):
        analysis[m, :, m:] = _fit(functions[m:], weights, grid)
    both = np.where(np.arange(degree + 1), 2**0.5, 1.0)[:, None, None]  # a wave m > 0 and its conjugate
    return analysis * both, legendre / both


def _fit(functions: Floats, weights: Floats, grid: Grid) -> Floats:
    """The matrix (latitude, degree) of the weighted least-squares fit of ``functions`` (degree, latitude)."""
    gram = functions * weights @ functions.T
    if np.linalg.cond(gram) > _WORST_CONDITION:
        raise DataError(
            f"the latitudes of {grid} do not determine harmonics up to degree {len(functions) - 1}; regrid to an "
            f"equiangular or Gaussian grid"
        )
    return np.asarray(np.linalg.solve(gram, functions * weights).T)


def legendre_functions(x: Floats, degree: int) -> Floats:
    """Normalised associated Legendre functions, shape (degree + 1, degree + 1, len(x)) for (l, m, x).

    The normalisation makes the sum over m of their squares, each m > 0 counted twice, equal 2l + 1 at every x.
    Recursion in l at fixed m (Holmes and Featherstone 2002, eqs. 11-13), stable to degrees of a few hundred.
    """
    p = np.zeros((degree + 1, degree + 1, x.size))
    cosine = np.sqrt(1 - x**2)
    p[0, 0] = 1.0
    for m in range(1, degree + 1):
        p[m, m] = np.sqrt((2 * m + 1) / (2 * m)) * cosine * p[m - 1, m - 1]
    for m in range(degree):
        p[m + 1, m] = np.sqrt(2 * m + 3) * x * p[m, m]
        for ell in range(m + 2, degree + 1):
            a = np.sqrt((4 * ell**2 - 1) / (ell**2 - m**2))
            b = np.sqrt(((ell - 1) ** 2 - m**2) / (4 * (ell - 1) ** 2 - 1))
            p[ell, m] = a * (x * p[ell - 1, m] - b * p[ell - 2, m])
    return p
