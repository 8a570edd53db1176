"""Where the observation falls among the members: rank histograms, their PIT form, and how flat they are.

Rank r, 0 to M, is the number of members below the observation. Members equal to it are ties: shared (each of the ranks
that it could have gets an equal part of its area, the default, exact) or randomised (one of them is drawn). Histograms
hold areas, sums and not shares, so that those of many fields and regions add up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from evaluation.metrics import flatness
from evaluation.metrics.definitions import FieldStatistic, Metric
from evaluation.metrics.forms import Ensemble, Gaussian
from evaluation.metrics.once import once
from evaluation.metrics.rank_counts import (
    PIT_BINS,
    gaussian_pit,
    pit_of_ranks,
    randomised_ranks,
    shared_ranks,
    uniform_numbers,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from evaluation.metrics.definitions import Direction, Means, Sample, Statistic
    from evaluation.metrics.forms import Floats


_ROUNDING = 1e-9
"""Share by which sums may differ that are the same."""


@once
def _drawn(sample: Sample) -> Floats:
    ensemble = _ensemble(sample)
    below, equal = ensemble.summary.below, ensemble.summary.equal
    return randomised_ranks(below, equal, uniform_numbers(sample)) if np.nansum(equal) else below


def _shared(sample: Sample, area: Floats) -> Floats:
    ensemble = _ensemble(sample)
    return shared_ranks(ensemble.summary.below, ensemble.summary.equal, area, ensemble.size)


def _randomised(sample: Sample, area: Floats) -> Floats:
    ranks = _drawn(sample)
    return shared_ranks(ranks, np.zeros_like(ranks), area, _ensemble(sample).size)


def _pit(sample: Sample, area: Floats) -> Floats:
    forecast = sample.forecast
    return gaussian_pit(forecast, area) if isinstance(forecast, Gaussian) else pit_of_ranks(_shared(sample, area))


def _ensemble(sample: Sample) -> Ensemble:
    forecast = sample.forecast
    assert isinstance(forecast, Ensemble)  # the forms of these statistics
    return forecast


def _rank_axis(sample: Sample) -> dict[str, NDArray[np.generic]]:
    return {"rank": np.arange(_ensemble(sample).size + 1)}


def _pit_axis(_: Sample) -> dict[str, NDArray[np.generic]]:
    return {"pit": (np.arange(PIT_BINS) + 0.5) / PIT_BINS}


def _size(sample: Sample, _: Floats) -> Floats:
    return np.asarray(float(_ensemble(sample).size))


def _size_squared(sample: Sample, _: Floats) -> Floats:
    return np.asarray(float(_ensemble(sample).size ** 2))


STATISTICS: dict[str, Statistic] = {
    "rank_area": FieldStatistic(_shared, _rank_axis, (Ensemble,)),
    "randomised_rank_area": FieldStatistic(_randomised, _rank_axis, (Ensemble,)),
    "pit_area": FieldStatistic(_pit, _pit_axis, (Ensemble, Gaussian)),
    "rank_members": FieldStatistic(_size, forms=(Ensemble,)),
    "rank_members_squared": FieldStatistic(_size_squared, forms=(Ensemble,)),
}


def rank_shares(means: Means, statistic: str = "rank_area") -> xr.DataArray:
    """The rank histogram as shares of sum 1; NaN where ensembles of several sizes were thrown together.

    Beside a larger ensemble the histogram of a smaller one has more ranks than it can reach: these are NaN too.
    """
    shares = _shares(means[statistic], "rank")
    return shares.where(shares["rank"] < ensemble_size(means) + 0.5)


def ensemble_size(means: Means) -> xr.DataArray:
    """The number of members behind each histogram; NaN where it was not always the same, as its variance tells."""
    size = means["rank_members"]
    return size.where(abs(means["rank_members_squared"] - size**2) < _ROUNDING * size**2).round()


def pit_shares(means: Means) -> xr.DataArray:
    """The PIT histogram as shares of sum 1."""
    return _shares(means["pit_area"], "pit")


def _shares(area: xr.DataArray, axis: str) -> xr.DataArray:
    total = area.sum(axis, skipna=False)
    return area / total.where(total > 0)


def _of_ranks(measure: Callable[[xr.DataArray, str], xr.DataArray]) -> Callable[[Means], xr.DataArray]:
    """The finalizer that measures each histogram over the ranks of its own ensemble."""

    def measured(means: Means) -> xr.DataArray:
        shares, size = rank_shares(means), ensemble_size(means)
        found = xr.full_like(shares.isel(rank=0, drop=True), np.nan)
        for count in np.unique(size.values[~np.isnan(size.values)]).astype(int).tolist():
            found = found.where(size != count, measure(shares.isel(rank=slice(count + 1)), "rank"))
        return found

    return measured


_SIZES = ("rank_members", "rank_members_squared")
_TIES = "a missing member makes the histogram NaN; "
_SHARED_TIES = f"{_TIES}ties share the ranks that they could have"
_JOLLIFFE = "Jolliffe and Primo 2008 doi:10.1175/2007MWR2219.1"
_MEASURES: dict[str, tuple[Callable[[xr.DataArray, str], xr.DataArray], Direction, str, str]] = {
    "rank_chi_square": (
        flatness.chi_square, "lower", "chi-square of the rank histogram per independent case",
        "(M + 1) sum_r (f_r - 1/(M + 1))^2; times the number of independent cases it is the test statistic"),
    "rank_slope": (
        flatness.slope, "zero", "slope of the rank histogram, positive if forecasts are too low",
        f"linear contrast of f_r times sqrt(M + 1), its square a part of rank_chi_square, {_JOLLIFFE}"),
    "rank_curvature": (
        flatness.curvature, "zero", "curvature of the rank histogram, positive if the spread is too small",
        f"quadratic contrast of f_r times sqrt(M + 1), its square a part of rank_chi_square, {_JOLLIFFE}"),
    "rank_reliability_index": (
        flatness.reliability_index, "lower", "reliability index of the rank histogram",
        "sum_r |f_r - 1/(M + 1)|, Delle Monache et al. 2006 doi:10.1029/2005JD006917"),
    "outlier_excess": (
        flatness.outlier_excess, "zero", "share of observations outside the ensemble beyond the expected",
        "f_0 + f_M - 2/(M + 1)"),
}  # fmt: skip

METRICS: dict[str, Metric] = {
    "rank_histogram": Metric(
        ("rank_area", *_SIZES), rank_shares, "none", "rank histogram, ties shared",
        "f_r, the share of observations with r members below, flat at 1/(M + 1) if reliable; Hamill 2001 "
        "doi:10.1175/1520-0493(2001)129<0550:IORHFV>2.0.CO;2", units="1", nan_and_ties=_SHARED_TIES, family="ranks"),
    "randomised_rank_histogram": Metric(
        ("randomised_rank_area", *_SIZES), lambda means: rank_shares(means, "randomised_rank_area"), "none",
        "rank histogram, ties randomised", "as rank_histogram", units="1", family="ranks",
        nan_and_ties=f"{_TIES}of the ranks that a tie could have one is drawn, by the seed, field and lead"),
    "pit_histogram": Metric(
        ("pit_area",), pit_shares, "none", "histogram of the probability integral transform",
        f"share of F(y) in {PIT_BINS} equal bins, flat at {1 / PIT_BINS:g} if reliable, an ensemble's rank r spread "
        "over r/(M + 1) to (r + 1)/(M + 1); Gneiting et al. 2007 doi:10.1111/j.1467-9868.2007.00587.x", units="1",
        nan_and_ties=_SHARED_TIES, family="ranks"),
    **{
        name: Metric(
            ("rank_area", *_SIZES), _of_ranks(measure), direction, summary, formula, units="1",
            nan_and_ties=_SHARED_TIES, family="ranks")
        for name, (measure, direction, summary, formula) in _MEASURES.items()
    },
}  # fmt: skip
