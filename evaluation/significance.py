"""Standard errors of the means of autocorrelated series, intervals and p-values of them, and corrections for many.

Forecasts that start a day apart share their weather, and so their errors: a test that takes them as independent calls
one difference in two significant that is none. All tests here take deviations from a mean, ``(time, series)``, of
evenly spaced times in order; where some are missing the others are taken as neighbours, which keeps these estimators
consistent (the equal-spacing estimator of Datta and Du 2012, International Finance Discussion Paper 1060).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import stats

from data_pipeline.errors import ScoreError
from data_pipeline.times import HOUR

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from numpy.typing import ArrayLike, NDArray

    Floats: TypeAlias = NDArray[np.float64]
    Flags: TypeAlias = NDArray[np.bool_]

MINIMUM_TIMES = 10
"""With fewer initial times nothing is claimed: no interval, no p-value."""

CONFIDENCE = 0.95


class Precision(NamedTuple):
    """Standard errors of means (series,), and the degrees of freedom of Student's distribution that goes with them."""

    standard_error: Floats
    degrees: Floats


def geer(deviations: Floats, _: NDArray[np.int64]) -> Precision:
    """Of a paired t-test inflated for an AR(2) process: Geer 2016, doi:10.3402/tellusa.v68.30229.

    ``s/sqrt(n) k`` with ``k^2 = (1 - r1 phi1 - r2 phi2) / (1 - phi1 - phi2)^2``, ``phi1 = r1 (1 - r2)/(1 - r1^2)``,
    ``phi2 = (r2 - r1^2)/(1 - r1^2)``, n - 1 degrees of freedom. Autocorrelations r have the divisor n, which keeps the
    process stationary, and k is never below 1: a test is not sharpened by negative autocorrelation.
    """
    count = len(deviations)
    squares = (deviations**2).sum(axis=0)
    r1, r2 = (_autocovariance(deviations, lag) * count / np.where(squares > 0, squares, 1.0) for lag in (1, 2))
    phi1, phi2 = r1 * (1 - r2) / (1 - r1**2), (r2 - r1**2) / (1 - r1**2)
    inflation = (1 - r1 * phi1 - r2 * phi2) / (1 - phi1 - phi2) ** 2
    variance = squares / (count - 1) / count
    return Precision(np.sqrt(variance * np.maximum(inflation, 1.0)), np.full(variance.shape, count - 1.0))


def diebold_mariano(deviations: Floats, horizons: NDArray[np.int64]) -> Precision:
    """Of the test of Diebold and Mariano 1995 with the correction of Harvey, Leybourne and Newbold 1997.

    ``V = (gamma_0 + 2 sum_(k=1)^(h-1) gamma_k)/n``, ``(n + 1 - 2h + h(h-1)/n)/n`` the correction of the squared
    statistic, n - 1 degrees of freedom; h is the number of initial times from one forecast's start to its valid time
    (``horizons``, one for each series). doi:10.1080/07350015.1995.10524599, doi:10.1016/S0169-2070(96)00719-4. NaN
    where V is not positive although the series varies, and where h reaches n: this test then has no answer.
    """
    count = len(deviations)
    variance = _autocovariance(deviations, 0)
    varies = variance > 0
    for lag in range(1, min(int(horizons.max(initial=1)), count)):
        variance += np.where(lag < horizons, 2 * _autocovariance(deviations, lag), 0.0)
    correction = (count + 1 - 2 * horizons + horizons * (horizons - 1) / count) / count
    usable = (horizons < count) & (~varies | (variance > 0)) & (correction > 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.sqrt(variance / count / correction)
    return Precision(np.where(usable, error, np.nan), np.full(variance.shape, count - 1.0))


def equal_weighted_cosine(deviations: Floats, _: NDArray[np.int64]) -> Precision:
    """Of a long-run variance from the slowest cosines, with fixed-b critical values.

    ``Omega = 1/v sum_(j=1)^v Lambda_j^2``, ``Lambda_j = sqrt(2/n) sum_t x_t cos(pi j (t - 1/2)/n)``, v degrees of
    freedom, ``v = 0.41 n^(2/3)`` rounded down: Lazarus et al. 2018, doi:10.1080/07350015.2018.1506926 (whose abstract
    rounds to 0.4).
    """
    count = len(deviations)
    order = max(1, int(0.41 * count ** (2 / 3)))
    places = (np.arange(count) + 0.5) / count
    cosines = np.sqrt(2 / count) * np.cos(np.pi * np.arange(1, order + 1)[:, None] * places)
    variance = ((cosines @ deviations) ** 2).mean(axis=0)
    return Precision(np.sqrt(variance / count), np.full(variance.shape, float(order)))


STANDARD_ERRORS: dict[str, Callable[[Floats, NDArray[np.int64]], Precision]] = {
    "ewc": equal_weighted_cosine,
    "geer": geer,
    "diebold_mariano": diebold_mariano,
}
"""Tests by the name that ``--test`` takes; the block bootstrap, of another kind, is in ``resampling``."""

TESTS = {
    "ewc": "equal-weighted cosine test (Lazarus et al. 2018)",
    "geer": "t-test inflated for AR(2) autocorrelation (Geer 2016)",
    "diebold_mariano": "Diebold-Mariano test with the correction of Harvey et al. 1997",
    "bootstrap": "circular block bootstrap with fixed-b critical values",
}


def interval(estimate: Floats, precision: Precision, confidence: float = CONFIDENCE) -> tuple[Floats, Floats]:
    """Lower and upper end of the two-sided interval of Student's distribution."""
    reach = stats.t.ppf((1 + confidence) / 2, precision.degrees) * precision.standard_error
    return estimate - reach, estimate + reach


def p_value(estimate: Floats, precision: Precision) -> Floats:
    """Two-sided, that the mean is zero; 1 where estimate and standard error are both zero."""
    error = precision.standard_error
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.where((estimate == 0) & (error == 0), 0.0, np.abs(estimate) / error)
    return np.asarray(2 * stats.t.sf(statistic, precision.degrees))


def false_discoveries(p_values: ArrayLike, alpha: float) -> float:
    """The largest p-value that is significant when many are looked at; -1 if none is.

    ``max p_(i) : p_(i) <= i/N alpha``, of those that are not NaN: Benjamini and Hochberg 1995, and for the correlated
    tests of weather Wilks 2016, doi:10.1175/BAMS-D-15-00267.1: choose alpha twice the level that is wanted.

    >>> false_discoveries([0.001, 0.04, 0.03, 0.9], 0.1)
    0.04
    >>> false_discoveries([0.06, 0.9], 0.1)
    -1.0
    """
    if not 0 < alpha < 1:
        raise ScoreError(f"got alpha {alpha}, expected a share of false discoveries between 0 and 1, e.g. 0.1")
    given = np.asarray(p_values, dtype=np.float64).ravel()
    ascending = np.sort(given[~np.isnan(given)])
    passing = np.flatnonzero(ascending <= alpha * np.arange(1, ascending.size + 1) / max(ascending.size, 1))
    return float(ascending[passing[-1]]) if passing.size else -1.0


class Spacing(NamedTuple):
    """Hours between initial times: the usual step, the shortest and longest, and whether all are alike."""

    usual: float
    shortest: float
    longest: float
    even: bool

    def __str__(self) -> str:
        if self.even:
            return f"every {self.usual:g} h"
        bound = f"at most {self.longest:g} h" if self.longest > self.usual else f"at least {self.shortest:g} h"
        return f"unevenly spaced, usually {self.usual:g} h, {bound}; taken as neighbours in order"


def spacing(times: NDArray[np.datetime64]) -> Spacing:
    """Of ascending times.

    >>> spacing(np.array(["2020-01-01T00", "2020-01-01T12", "2020-01-02T12", "2020-01-03T00"], "datetime64[ns]"))
    Spacing(usual=12.0, shortest=12.0, longest=24.0, even=False)
    """
    steps = np.diff(times) / HOUR
    if not steps.size:
        return Spacing(np.nan, np.nan, np.nan, even=True)
    shortest, longest = float(steps.min()), float(steps.max())
    return Spacing(float(np.median(steps)), shortest, longest, even=shortest == longest)


def horizons(lead_hours: ArrayLike, step_hours: float) -> NDArray[np.int64]:
    """How many initial times, this one included, start before the forecast of each lead verifies; at least 1."""
    leads = np.asarray(lead_hours, dtype=np.float64)
    return np.maximum(np.ceil(leads / step_hours), 1).astype(np.int64) if step_hours > 0 else np.ones(leads.shape, int)


def _autocovariance(deviations: Floats, lag: int) -> Floats:
    """With divisor n, whatever the lag."""
    count = len(deviations)
    return np.asarray((deviations[lag:] * deviations[: count - lag]).sum(axis=0) / count)
