"""How far a histogram of ranks or PIT values is from flat, and whether chance explains it.

Of shares f_k of K classes, the chi-square statistic of n independent cases is n times ``K sum_k (f_k - 1/K)^2``.
Jolliffe and Primo 2008 (doi:10.1175/2007MWR2219.1) split it into squares of orthogonal contrasts: a slope (bias), a
curvature (spread) and the rest. Neighbouring points and hours are not independent: n is for the user to
judge, see ``flatness``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from scipy.stats import chi2

from data_pipeline.errors import ScoreError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from evaluation.metrics.forms import Floats


def contrasts(classes: int) -> Floats:
    """Linear and quadratic contrast (2, class): orthogonal, each of sum 0 and of sum of squares 1.

    The quadratic one is zero for fewer than three classes.

    >>> contrasts(3).round(3).tolist()
    [[-0.707, 0.0, 0.707], [0.408, -0.816, 0.408]]
    """
    place = np.arange(classes) - (classes - 1) / 2
    bowl = np.square(place) - np.square(place).mean()
    return np.asarray([_unit(place), _unit(bowl)])


def chi_square(shares: xr.DataArray, axis: str) -> xr.DataArray:
    """``K sum_k (f_k - 1/K)^2``: chi-square per independent case; 0 if flat, K - 1 if all is in one class."""
    return ((shares - 1 / shares.sizes[axis]) ** 2).sum(axis, skipna=False) * shares.sizes[axis]


def slope(shares: xr.DataArray, axis: str) -> xr.DataArray:
    """Linear component, signed: its square is its part of ``chi_square``. Positive: forecasts are too low."""
    return _component(shares, axis, 0)


def curvature(shares: xr.DataArray, axis: str) -> xr.DataArray:
    """Quadratic component, signed: its square is its part of ``chi_square``. Positive (U): too little spread."""
    return _component(shares, axis, 1)


def reliability_index(shares: xr.DataArray, axis: str) -> xr.DataArray:
    """``sum_k |f_k - 1/K|`` (Delle Monache et al. 2006, doi:10.1029/2005JD006917)."""
    return abs(shares - 1 / shares.sizes[axis]).sum(axis, skipna=False)


def outlier_excess(shares: xr.DataArray, axis: str) -> xr.DataArray:
    """Share of the two outer classes beyond the ``2/K`` of a flat histogram (2/(M + 1) of M members)."""
    return shares.isel({axis: [0, -1]}).sum(axis, skipna=False) - 2 / shares.sizes[axis]


def flatness(shares: xr.DataArray, cases: float, axis: str = "rank") -> xr.Dataset:
    """Tests of the hypothesis that a histogram is flat but for chance.

    Parameters
    ----------
    shares
        Shares along ``axis``, of sum 1, without the ranks (NaN) that only a larger ensemble beside it has.
    cases
        The number of independent cases behind them: not of grid points. Runs that start days apart count, times the
        few independent places of a region; too many cases make every ensemble "significantly" unreliable.

    Returns
    -------
    For ``test`` chi_square (K - 1 degrees of freedom), slope, curvature (1 each) and rest (K - 3): ``statistic``, and
    ``p_value``, the probability of one at least as large from a flat distribution; NaN without degrees of freedom.

    Raises
    ------
    ScoreError
        If there are no cases.
    """
    if not cases > 0:
        raise ScoreError(f"got {cases:g} independent cases, expected more than 0; give the effective sample size")
    whole, linear, bowl = chi_square(shares, axis), slope(shares, axis) ** 2, curvature(shares, axis) ** 2
    parts = {"chi_square": whole, "slope": linear, "curvature": bowl, "rest": whole - linear - bowl}
    statistic = xr.concat([part.assign_coords(test=name) for name, part in parts.items()], "test") * cases
    classes = shares.sizes[axis]
    degrees = np.maximum([classes - 1, 1, 1 if classes > 2 else 0, classes - 3], 0)
    freedom = xr.DataArray(np.where(degrees > 0, degrees, np.nan), dims="test")
    return xr.Dataset({"statistic": statistic, "p_value": xr.apply_ufunc(chi2.sf, statistic, freedom)})


def _component(shares: xr.DataArray, axis: str, contrast: int) -> xr.DataArray:
    classes = shares.sizes[axis]
    weights = xr.DataArray(contrasts(classes)[contrast], dims=axis)
    return (shares * weights).sum(axis, skipna=False) * math.sqrt(classes)


def _unit(values: NDArray[np.floating]) -> Floats:
    length = float(np.sqrt(np.square(values).sum()))
    return np.asarray(values / length if length > 1e-12 else np.zeros_like(values), dtype=np.float64)
