"""Sums become scores: the mean statistics of every model, field, lead and region as one labelled dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from data_pipeline.variables import COORDINATE_ATTRIBUTES
from evaluation.metrics.registry import metric
from evaluation.sums import group_sums, statistics_of, weights_of

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence

    from evaluation.sums import Sums


def to_scores(sums: Sums, metrics: Sequence[str], by: str | None = None) -> xr.Dataset:
    """Every metric of every variable, called ``<metric>_<variable>``.

    Dims are (model, [group], lead_time, region, [level]) and the metric's own; the attribute ``units`` of a variable's
    sums are its units.
    A score without meaning for a model, such as the spread of persistence, is NaN; one without statistics, as it needs
    thresholds and the variable has none, is not there.
    """
    fields: dict[str, xr.DataArray] = {}
    for variable, own in sums.items():
        means = mean_statistics(own, by)
        for name in metrics:
            if means.keys().isdisjoint(metric(name).statistics):
                continue
            found = metric(name).finalise(means).drop_attrs(deep=False)
            fields[f"{name}_{variable}"] = _ordered(found).assign_attrs(
                _attributes(name, variable, str(own.attrs.get("units", "")))
            )
    return _labelled(xr.Dataset(with_names_of_axes(fields)))


def with_names_of_axes(fields: Mapping[str, xr.DataArray]) -> dict[str, xr.DataArray]:
    """Fields, each with the attribute ``variable``, whose axes have its name too where labels differ."""
    apart = _axes_that_differ(fields.values())
    return {
        name: field.rename({dim: f"{dim}_of_{field.attrs['variable']}" for dim in apart & set(field.dims)})
        for name, field in fields.items()
    }


def _axes_that_differ(fields: Iterable[xr.DataArray]) -> set[Hashable]:
    """Axes of metrics, such as thresholds, that are not the same for all variables."""
    labels: dict[Hashable, set[tuple[object, ...]]] = {}
    for field in fields:
        for dim in set(field.dims) - set(_SHARED):
            labels.setdefault(dim, set()).add(tuple(field[dim].values.tolist()))
    return {dim for dim, found in labels.items() if len(found) > 1}


def mean_statistics(sums: xr.Dataset, by: str | None = None) -> dict[str, xr.DataArray]:
    """Means over initial times (within groups) of a variable's statistics, by name; one array is read at a time."""
    means = {}
    weights: dict[str, xr.DataArray] = {}
    for statistic in statistics_of(sums):
        shared = weights_of(sums, statistic)
        if shared not in weights:
            weights[shared] = _over_times(sums[shared], by)
        total, weight = _over_times(sums[f"total_{statistic}"], by), weights[shared]
        means[statistic] = (total / weight.where(weight > 0)).transpose(*total.dims)
    return means


def _over_times(field: xr.DataArray, by: str | None) -> xr.DataArray:
    """Added up over initial times (within groups)."""
    summed = group_sums(field.to_dataset(name="sum"), by)["sum"] if "initial_time" in field.dims else field
    return summed.isel(group=0, drop=True) if by is None else summed


def sample_sizes(sums: Sums, scores: xr.Dataset, by: str | None = None) -> xr.Dataset:
    """The number of initial times behind each score, ``sample_size_<variable>``, ([group], lead_time, [level])."""
    sizes, scored = {}, {field.attrs["variable"] for field in scores.data_vars.values()}
    for variable, own in sums.items():
        if variable not in scored or "initial_time" not in own["weight_missing"].dims:
            continue  # a map has as many at every point as it has observations
        there = (own["weight_missing"].isel(model=0) > 0).any("region").astype(np.float64)
        counts = group_sums(there.to_dataset(name="count"), by)["count"]
        counts = counts.isel(group=0, drop=True) if by is None else counts
        aligned = counts.reindex({dim: scores[dim] for dim in counts.dims}, fill_value=0).astype(np.int32)
        text = f"initial times behind the scores of {variable.replace('_', ' ')}"
        sizes[f"sample_size_{variable}"] = aligned.drop_vars("model").assign_attrs(long_name=text, units="1")
    return xr.Dataset(sizes)


_SHARED = ("model", "group", "lead_time", "region", "level")


def _ordered(field: xr.DataArray) -> xr.DataArray:
    return field.transpose(*(dim for dim in _SHARED if dim in field.dims), ...)


def _labelled(scores: xr.Dataset) -> xr.Dataset:
    scores["lead_time"].attrs |= {"standard_name": "forecast_period", "long_name": "lead time", "units": "hour"}
    if "level" in scores.coords:
        scores["level"].attrs |= COORDINATE_ATTRIBUTES["level"]
    return scores


def _attributes(name: str, variable: str, units: str) -> dict[str, str]:
    entry = metric(name)
    return {
        "long_name": f"{entry.summary} of {variable.replace('_', ' ')}",
        "units": _units(entry.units, units),
        "metric": name,
        "variable": variable,
        "direction": entry.direction,
        "formula": entry.formula,
    }


def _units(of_metric: str, of_variable: str) -> str:
    """Those of a metric, where ``variable`` stands for the variable's and ``variable2`` for their square.

    >>> _units("variable2 m", "m s-1"), _units("1", "K"), _units("variable", "K")
    ('(m s-1)2 m', '1', 'K')
    """
    return of_metric.replace("variable2", f"({of_variable})2").replace("variable", of_variable)
