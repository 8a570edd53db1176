"""Sums become scores: the mean statistics of every model, field and lead as one labelled dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
import xarray as xr

from data_pipeline.variables import COORDINATE_ATTRIBUTES
from evaluation.aggregate import AggregationState
from evaluation.metrics.registry import metric

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from data_pipeline.channels import Channel
    from evaluation.metrics.forms import Floats

Label: TypeAlias = str | float | int | None
Labels: TypeAlias = tuple[Label, ...]


class Key(NamedTuple):
    """What one sum is of."""

    model: str
    statistic: str
    channel: Channel
    lead_hours: float

    @property
    def labels(self) -> Labels:
        """Where it stands along (model, lead_time, level)."""
        return self.model, self.lead_hours, self.channel.level


States: TypeAlias = dict[Key, AggregationState]


def to_dataset(states: States, metrics: Sequence[str], units: Mapping[str, str]) -> xr.Dataset:
    """Every metric of every variable, called ``<metric>_<variable>``, with dims (model, lead_time, [level]).

    ``units`` are those of the variables. A score without meaning for a model, such as the spread of
    persistence, is NaN.
    """
    scores = xr.Dataset(coords=_coordinates(states))
    for variable in dict.fromkeys(key.channel.variable_name for key in states):
        own = {key: state for key, state in states.items() if key.channel.variable_name == variable}
        axes = _axes(scores, any(key.channel.level is not None for key in own))
        means = {
            statistic: _array(
                {key.labels: state.mean for key, state in own.items() if key.statistic == statistic}, axes
            )
            for statistic in {key.statistic for key in own}
        }
        for name in metrics:
            scores[f"{name}_{variable}"] = (
                list(axes),
                metric(name).finalise(means),
                _attributes(name, variable, units),
            )
    return scores


def sample_sizes(counts: Mapping[tuple[Channel, float], int], scores: xr.Dataset) -> xr.Dataset:
    """The number of initial times behind each score, ``sample_size_<variable>``, from counts by (channel, lead)."""
    sizes = {}
    for variable in dict.fromkeys(channel.variable_name for channel, _ in counts):
        fields = {key: count for key, count in counts.items() if key[0].variable_name == variable}
        own: dict[Labels, float] = {(lead, channel.level): count for (channel, lead), count in fields.items()}
        axes = _axes(scores, any(channel.level is not None for channel, _ in fields))
        del axes["model"]
        attributes = {"long_name": f"initial times behind the scores of {variable.replace('_', ' ')}", "units": "1"}
        sizes[f"sample_size_{variable}"] = (list(axes), np.nan_to_num(_array(own, axes)).astype(np.int32), attributes)
    return xr.Dataset(sizes)


def _coordinates(states: States) -> dict[str, object]:
    coords: dict[str, object] = {
        "model": list(dict.fromkeys(key.model for key in states)),
        "lead_time": (
            "lead_time",
            sorted({key.lead_hours for key in states}),
            {"standard_name": "forecast_period", "long_name": "lead time", "units": "hour"},
        ),
    }
    levels = sorted({key.channel.level for key in states if key.channel.level is not None})
    if levels:
        coords["level"] = ("level", levels, COORDINATE_ATTRIBUTES["level"])
    return coords


def _axes(scores: xr.Dataset, on_levels: bool) -> dict[str, dict[Label, int]]:
    """The index of every label along each dimension."""
    dims = ["model", "lead_time", "level"] if on_levels else ["model", "lead_time"]
    return {dim: {label: index for index, label in enumerate(scores[dim].values.tolist())} for dim in dims}


def _array(values: Mapping[Labels, float], axes: Mapping[str, Mapping[Label, int]]) -> Floats:
    """Labelled values in an array along ``axes``, NaN where there is none; a label beyond the axes is ignored."""
    array = np.full([len(axis) for axis in axes.values()], np.nan)
    for labels, value in values.items():
        array[tuple(axis[label] for axis, label in zip(axes.values(), labels, strict=False))] = value
    return array


def _attributes(name: str, variable: str, units: Mapping[str, str]) -> dict[str, str]:
    entry = metric(name)
    return {
        "long_name": f"{entry.summary} of {variable.replace('_', ' ')}",
        "units": units.get(variable, "") if entry.units == "variable" else entry.units,
        "metric": name,
        "variable": variable,
        "direction": entry.direction,
        "formula": entry.formula,
    }
