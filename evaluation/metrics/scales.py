"""Spectra of members, their mean, the truth and the error: by zonal wavenumber of circles of latitude, and by degree.

Each is an array (quantity, scale) of the quantities ``QUANTITIES``: the mean of the members' spectra, the spectrum of
their mean, that of the truth, what agrees with the truth (cross spectrum; the same of members, on average, and of their
mean), that of the error of the mean, and that of the error which the members' spread lets expect. All add up over
fields.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import fft

from data_pipeline.errors import ScoreError
from data_pipeline.grid import COORDINATE_TOLERANCE
from evaluation.metrics.forms import Ensemble
from evaluation.metrics.harmonics import cross_power, rows_of, transform
from evaluation.sphere import EARTH_RADIUS

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from data_pipeline.grid import Grid
    from evaluation.metrics.definitions import Sample
    from evaluation.metrics.forms import Floats, Forecast, Numbers

    Coefficients = NDArray[np.complex128]
    Product = Callable[[Coefficients, Coefficients], Floats]

QUANTITIES = ("members", "mean", "truth", "agreement", "error", "expected_error")
AT_ONCE = 8
"""Members that are transformed together: at 721x1440 they take 130 MB."""


def zonal_spectra(sample: Sample, weights: Floats) -> Floats:
    """Energy (quantity, wavenumber) by zonal wavenumber, averaged over latitudes by area; field squared times m.

    ``S_0 = C |F_0|^2``, ``S_k = 2 C |F_k|^2`` with ``F_k = 1/L sum_j f_j exp(-2 pi i k j / L)`` and C the length of the
    circle of latitude, as WeatherBench2 (Rasp et al. 2024, doi:10.1029/2023MS004019); the last wavenumber of an even
    number of longitudes is its own mirror image and is not doubled, so that ``sum_k S_k = C mean(f^2)``. A circle that
    is not whole, in the region and in the truth, has no spectrum; NaN if there is none.

    Raises
    ------
    ScoreError
        If the longitudes are not evenly spaced all round.
    """
    _require_circles(sample.grid)
    rows = np.flatnonzero((weights > 0).all(axis=1))
    columns = sample.grid.shape[1]
    if not rows.size:
        return np.full((len(QUANTITIES), columns // 2 + 1), np.nan)
    circumference = 2 * np.pi * EARTH_RADIUS * np.cos(np.deg2rad(np.asarray(sample.grid.latitude)[rows]))
    shares = circumference * weights[rows, 0] / weights[rows, 0].sum()
    times = np.where((np.arange(columns // 2 + 1) * 2) % columns == 0, 1.0, 2.0)  # the mean and the mirror image once

    def analyse(fields: Numbers) -> Coefficients:
        return np.asarray(fft.rfft(fields[..., rows, :], norm="forward"))

    def product(one: Coefficients, other: Coefficients) -> Floats:
        return np.asarray(np.einsum("...rk,r->...k", one.real * other.real + one.imag * other.imag, shares) * times)

    return _quantities(sample, analyse, product)


def harmonic_spectra(sample: Sample, weights: Floats) -> Floats:
    """Power (quantity, degree) of spherical harmonics, summed over orders; units of the field squared.

    ``P_l = sum_m |a_lm|^2``, both signs of m, as ``evaluation.metrics.harmonics``: the sum over degrees is the mean of
    f^2 over the sphere. NaN for a region that is not the whole sphere, or where the truth is not known everywhere.

    Raises
    ------
    ScoreError
        If the grid is not a global Gaussian or equiangular one.
    """
    rows = rows_of(sample.grid)
    if not (weights > 0).all():
        return np.full((len(QUANTITIES), rows.highest_degree + 1), np.nan)
    return _quantities(sample, lambda fields: transform(fields, sample.grid), cross_power)


def wavelength(degree: Numbers) -> Numbers:
    """Of spherical harmonics, km: ``2 pi a / sqrt(l (l + 1))`` (Jeans' relation); infinite for degree 0.

    >>> wavelength(np.array([20.0])).round().tolist()
    [1953.0]
    """
    with np.errstate(divide="ignore"):
        return np.asarray(2e-3 * np.pi * EARTH_RADIUS / np.sqrt(degree * (degree + 1)))


def _quantities(sample: Sample, analyse: Callable[[Numbers], Coefficients], product: Product) -> Floats:
    """The quantities (quantity, scale) of the coefficients that ``analyse`` gives of fields.

    Members are analysed as deviations from the truth, so that spread and error lose no digits to a large mean.
    """
    members, observation = members_of(sample.forecast), np.asarray(sample.forecast.observation, dtype=np.float64)
    truth, count = analyse(observation), len(members)
    total: Coefficients | float = 0.0
    power: Floats | float = 0.0
    squares: Floats | float = 0.0
    with np.errstate(invalid="ignore"):  # infinite members
        for start in range(0, count, AT_ONCE):
            deviations = np.subtract(members[start : start + AT_ONCE], observation, dtype=np.float64)
            deviations[~np.isfinite(deviations)] = np.nan
            found = analyse(deviations)
            total = total + found.sum(axis=0)
            squares = squares + product(found, found).sum(axis=0)
            found += truth
            power = power + product(found, found).sum(axis=0)
        error = np.asarray(total / count)
        mean, squared_error = error + truth, product(error, error)
        spread = (squares - count * squared_error) * (count + 1) / (count * (count - 1)) if count > 1 else np.nan
    quantities = (power / count, product(mean, mean), product(truth, truth), product(mean, truth), squared_error)
    return np.asarray([*quantities, np.broadcast_to(spread, squared_error.shape)], dtype=np.float64)


def members_of(forecast: Forecast) -> Numbers:
    """Members (member, latitude, longitude), the only one of a single value, the mean of a distribution."""
    return forecast.members if isinstance(forecast, Ensemble) else (forecast.error + forecast.observation)[None]


def _require_circles(grid: Grid) -> None:
    columns = grid.shape[1]
    if not np.allclose(np.diff(grid.longitude), 360 / columns, rtol=0, atol=COORDINATE_TOLERANCE):
        raise ScoreError(f"got a {grid}, expected evenly spaced longitudes all round for spectra; regrid it first")
