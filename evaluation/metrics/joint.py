"""Joint histograms of two fields, of members and of the truth on common bins, and the distance between them.

Two fields may each be distributed as they should be and yet not belong together, such as strong winds without a deep
low: this is seen in the joint histogram alone. Members are pooled, never averaged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from data_pipeline.errors import ScoreError
from evaluation.aggregate import Places
from evaluation.alignment import common_grid, on_grid
from evaluation.lost import sentences
from evaluation.metrics.joint_pairs import Both, pairs_of
from evaluation.regions import land_of, region

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    from evaluation.metrics.forms import Floats, Numbers
    from evaluation.metrics.joint_pairs import Pair

BINS = 30
"""Along each axis, unless edges are given."""


def joint_histogram(
    runs: Sequence[xr.Dataset],
    truth: xr.Dataset,
    fields: tuple[str, str],
    edges: tuple[ArrayLike, ArrayLike] | None = None,
    regions: Sequence[str] = ("global",),
    grid: str | None = None,
    *,
    allow_missing: bool = False,
) -> xr.Dataset:
    """How often two fields have certain values together, by lead and region, weighted by area.

    Parameters
    ----------
    runs
        Forecasts, as ``evaluation.readers.open_forecasts`` gives them.
    truth
        A canonical dataset.
    fields
        Two names, with their level: ``("10m_wind_speed", "mean_sea_level_pressure")``, ``("temperature_850",
        "specific_humidity_700")``; variables of the files or derived ones.
    edges
        Of the bins of each field, ascending, in its units; the first and the last bin are open, so that no value is
        lost. By default from the least to the greatest value of the truth.
    regions
        Names as ``evaluation.regions.region`` takes them.
    grid
        To count on, as ``evaluation.score.score`` takes it; none: the coarsest of forecasts and truth.
    allow_missing
        Count what matches and can be read and list the rest in the attribute ``missing``, instead of refusing.

    Returns
    -------
    ``forecast`` and ``truth``, shares (lead_time in hours, region, <first field>, <second field>) with sum 1, at the
    middles of bins; marginals ``forecast_<field>`` and ``truth_<field>``; ``hellinger`` and ``hellinger_<field>``,
    (lead_time, region), 0 for equal histograms to 1 for disjoint ones; ``edges_<field>``. A point counts where both
    fields are observed; a missing or infinite member makes the forecast's histogram NaN.

    Raises
    ------
    ScoreError
        If a field is unknown, both are the same, edges do not ascend, or the runs do not match the truth.
    DataError
        If a field cannot be read.
    """
    if fields[0] == fields[1]:
        raise ScoreError(f"got {fields[0]} twice, expected two fields; name another one")
    shared = common_grid(runs, truth, grid)
    runs, truth = [on_grid(run, shared) for run in runs], on_grid(truth, shared)
    pairs, lacking = pairs_of(runs, truth, fields)
    if lacking and not allow_missing:
        raise ScoreError(f"{'; '.join(lacking)}; pass --allow-missing to count only what is there")
    both = Both(truth, past_damage=allow_missing)
    bounds = tuple(_checked(own, name) for own, name in zip(edges or _edges(pairs, both), fields, strict=True))
    places = Places(shared, tuple(region(name, land_of(truth)) for name in regions))
    leads = sorted({own[0].lead_hours for own in pairs})
    counts = _counted(pairs, both, places, bounds, leads)
    missing = "; ".join([*lacking, *sentences(both.lost)]) or "none"
    labels: dict[str, Sequence[object]] = {"lead_time": leads, "region": places.names}
    return _labelled(counts, fields, bounds, labels).assign_attrs(missing=missing, grid=str(shared))


def hellinger(one: ArrayLike, other: ArrayLike, axes: tuple[int, ...] = (-1,)) -> Floats:
    """``sqrt(sum_k (sqrt(p_k) - sqrt(q_k))^2 / 2)`` of shares p and q: 0 for equal ones to 1 for disjoint ones.

    Hellinger 1909, doi:10.1515/crll.1909.136.210.

    >>> hellinger([0.5, 0.5, 0.0], [0.0, 0.0, 1.0]).item()
    1.0
    """
    roots = np.sqrt(np.asarray(one)) - np.sqrt(np.asarray(other))  # arrays, as labelled ones would leave NaN out
    return np.asarray(np.sqrt(np.square(roots).sum(axis=axes) / 2))


def _counted(
    pairs: Sequence[Pair], both: Both, places: Places, bounds: Sequence[Floats], leads: Sequence[float]
) -> Floats:
    """Weights in bins (forecast and truth, lead, region, first, second)."""
    counts = np.zeros((2, len(leads), len(places.names), *(len(own) - 1 for own in bounds)))
    for pair, (observed, members) in both.of_all(pairs, both.observed, both.members):
        weights = places.weights(np.asarray(np.isfinite(observed).all(axis=0)))
        at = leads.index(pair[0].lead_hours)
        counts[0, at] += _counts(members, weights, bounds)
        counts[1, at] += _counts([field[None] for field in observed], weights, bounds)
    return counts


def _edges(pairs: Sequence[Pair], both: Both) -> list[Floats]:
    """From the least to the greatest value of the truth."""
    ranges = [[_range(field) for field in observed] for _, (observed,) in both.of_all(pairs, both.observed)]
    return [np.histogram_bin_edges(np.concatenate(own), BINS) for own in zip(*ranges, strict=True)]


def _range(field: Numbers) -> Floats:
    finite = field[np.isfinite(field)].astype(np.float64)
    return np.array([finite.min(), finite.max()]) if finite.size else finite


def _checked(edges: ArrayLike, name: str) -> Floats:
    values = np.asarray(edges, dtype=np.float64)
    if values.ndim != 1 or values.size < 2 or not (np.diff(values) > 0).all():
        raise ScoreError(f"got edges {values.tolist()} of {name}, expected two numbers or more, ascending")
    return values


def _counts(fields: Sequence[Numbers], weights: Sequence[Floats], bounds: Sequence[Floats]) -> Floats:
    """Weights of members (member, latitude, longitude), each a share of its field, in bins (region, first, second).

    A value on an edge is in the bin above it. NaN in a region where a value that weighs is not finite.
    """
    first, second = (
        np.searchsorted(edges[1:-1], field, side="right") for edges, field in zip(bounds, fields, strict=True)
    )
    shape, count = tuple(len(edges) - 1 for edges in bounds), len(fields[0])
    places = (first * shape[1] + second).reshape(count, -1)
    good = np.isfinite(fields[0]) & np.isfinite(fields[1])
    totals = np.zeros((len(weights), *shape))
    for index, area in enumerate(weights):
        for place in places:
            totals[index] += np.bincount(place, area.ravel() / count, minlength=totals[index].size).reshape(shape)
        if not good[:, area > 0].all():
            totals[index] = np.nan
    return totals


def _labelled(
    counts: Floats, fields: tuple[str, str], bounds: Sequence[Floats], coords: dict[str, Sequence[object]]
) -> xr.Dataset:
    middles = {name: (edges[:-1] + edges[1:]) / 2 for name, edges in zip(fields, bounds, strict=True)}
    weight = counts.sum(axis=(-2, -1), keepdims=True)
    shares = xr.DataArray(
        counts / np.where(weight == 0, np.nan, weight),
        dims=("side", *coords, *fields), coords={"side": ["forecast", "truth"], **coords, **middles},
    )  # fmt: skip
    found = {side: shares.sel(side=side, drop=True) for side in ("forecast", "truth")}
    found["hellinger"] = _distance(shares, fields)
    for name, other in (fields, fields[::-1]):
        marginal = shares.sum(other, skipna=False)
        found |= {f"{side}_{name}": marginal.sel(side=side, drop=True) for side in ("forecast", "truth")}
        found[f"hellinger_{name}"] = _distance(marginal, (name,))
    for name, edges in zip(fields, bounds, strict=True):
        found[f"edges_{name}"] = xr.DataArray(edges, dims=f"edge_of_{name}")
    dataset = xr.Dataset(found)
    dataset["lead_time"].attrs |= {"standard_name": "forecast_period", "units": "hour"}
    return dataset


def _distance(shares: xr.DataArray, dims: Sequence[str]) -> xr.DataArray:
    forecast, truth = (shares.sel(side=side, drop=True) for side in ("forecast", "truth"))
    last = tuple(range(-len(dims), 0))
    return xr.DataArray(hellinger(forecast, truth, last), dims=forecast.dims[: -len(dims)])
