"""The fractions skill score: are there as many events around a point as forecast, if not at the point itself?"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from evaluation.metrics.blocks import in_blocks
from evaluation.metrics.definitions import Metric, PointStatistic, Statistic
from evaluation.metrics.extremes import KINDS, mean_beyond
from evaluation.metrics.pooling import Discs

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr
    from numpy.typing import NDArray

    from data_pipeline.grid import Grid
    from evaluation.metrics.definitions import Means, Sample
    from evaluation.metrics.forms import Floats

_DECIMALS = 12
"""To which fractions are kept: less is the rounding of long sums, and no event must be exactly none."""
BLOCK = 64
"""Rows of centres that are taken together."""
PARTS = np.array(["difference", "reference"])


def neighbourhood_mean(values: Floats, counted: NDArray[np.bool_], grid: Grid, diameter_km: float) -> Floats:
    """The area-weighted mean over all points that are ``counted`` within half the diameter of each point.

    Parameters
    ----------
    values
        (..., latitude, longitude).
    counted
        (latitude, longitude).
    grid
        Of both.
    diameter_km
        Of the neighbourhood, a disc on the sphere, km.

    Returns
    -------
    As ``values``; NaN where a counted value is NaN, and where none is counted.

    >>> from data_pipeline.grid import Grid
    >>> grid, field = Grid.equiangular(3, 4, poles=True), np.zeros((3, 4))
    >>> field[1, 0] = 1
    >>> neighbourhood_mean(field, np.ones((3, 4), dtype=bool), grid, 20_016)[1].round(3).tolist()
    [0.215, 0.215, 0.0, 0.215]
    """
    found = np.empty((int(np.prod(values.shape[:-2])), *grid.shape))

    def work(centres: slice) -> None:
        discs = Discs.about(grid, diameter_km, centres)
        found[:, centres] = disc_means(values.reshape(found.shape)[:, discs.rows], counted[discs.rows], discs)

    in_blocks(work, grid.shape[0], BLOCK)
    return found.reshape(values.shape)


def disc_means(values: Floats, counted: NDArray[np.bool_], discs: Discs) -> Floats:
    """Means (field, centre, column) as of ``neighbourhood_mean``, of (field, row, column) and (row, column)."""
    bad = np.isnan(values) & counted
    area = discs.sums(counted[None])[0]
    with np.errstate(invalid="ignore", divide="ignore"):
        means: Floats = np.round(discs.sums(np.where(bad, 0.0, values), counted) / area, _DECIMALS)
    means[:, area == 0] = np.nan
    if bad.any():
        means[discs.sums(bad) > 0] = np.nan
    return means


def _forecast_events(sample: Sample, kind: str, of_mean: bool) -> Floats:
    return mean_beyond(sample, kind) if of_mean else KINDS[kind].of(sample).probability


def _fractions(sample: Sample, kind: str, of_mean: bool) -> Floats:
    """``(P_f - P_o)^2`` and ``P_f^2 + P_o^2``, (event, side, 2, latitude, longitude)."""
    counted = np.isfinite(sample.forecast.observation)
    forecast, observed = _forecast_events(sample, kind, of_mean), KINDS[kind].of(sample).happened
    sides = sample.settings.pool_km
    found = np.empty((len(forecast), len(sides), 2, *counted.shape))

    def work(centres: slice) -> None:
        for place, side in enumerate(sides):
            discs = Discs.about(sample.grid, side, centres)
            for event in range(len(forecast)):
                both = np.stack([forecast[event, discs.rows], observed[event, discs.rows]])
                p_f, p_o = disc_means(both, counted[discs.rows], discs)
                found[event, place, 0, centres], found[event, place, 1, centres] = (p_f - p_o) ** 2, p_f**2 + p_o**2

    in_blocks(work, counted.shape[0], BLOCK)
    return found


def _axes(sample: Sample, kind: str) -> dict[str, NDArray[np.generic]]:
    return {**KINDS[kind].axes(sample), "pool_km": np.asarray(sample.settings.pool_km), "fraction": PARTS}


def _fss(means: Means, statistic: str) -> xr.DataArray:
    difference, reference = (means[statistic].sel(fraction=part, drop=True) for part in PARTS)
    return 1 - difference / reference.where(reference > 0)


_WHAT = {"quantile": "beyond quantiles of the climatology", "threshold": "above thresholds"}
_NEEDS: Mapping[str, frozenset[Any]] = {
    "quantile": frozenset({"climate", "quantiles"}),
    "threshold": frozenset({"thresholds"}),
}
_NAMES = {f"{kind}_fss{suffix}": (kind, bool(suffix)) for kind in KINDS for suffix in ("", "_of_mean")}

STATISTICS: dict[str, Statistic] = {
    f"{name}_fractions": PointStatistic(partial(_fractions, kind=kind, of_mean=of_mean), partial(_axes, kind=kind))
    for name, (kind, of_mean) in _NAMES.items()
}

METRICS: dict[str, Metric] = {
    name: Metric(
        (f"{name}_fractions",), partial(_fss, statistic=f"{name}_fractions"), "one",
        f"fractions skill score of {'the ensemble mean' if of_mean else 'the probability'} of values {_WHAT[kind]}",
        "1 - <(P_f - P_o)^2>/<P_f^2 + P_o^2>, P the mean probability or frequency in a disc about the point, < > the "
        "mean over area and times, Roberts and Lean 2008 doi:10.1175/2007MWR2123.1",
        units="1", needs=_NEEDS[kind], family="precipitation" if kind == "threshold" else "extremes",
        nan_and_ties="a missing member makes it NaN; missing observations are left out of both fractions; a value on "
        "the threshold is no event; NaN where nothing was forecast or observed")
    for name, (kind, of_mean) in _NAMES.items()
}  # fmt: skip
