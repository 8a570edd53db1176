"""The sums of one run, taken in field by field."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from evaluation.sums import statistics_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from data_pipeline.channels import Channel
    from evaluation.aggregate import Sum
    from evaluation.sums import Sums

    Axes = dict[str, NDArray[np.generic]]
    Entries = list[tuple[tuple[int, ...], Sum, Axes]]


@dataclass
class RunSums:
    """Takes in the sums of one run, field by field."""

    initial_time: np.datetime64
    models: Sequence[str]
    lead_hours: Sequence[float]
    levels: Mapping[str, Sequence[int] | None]
    regions: Sequence[str]
    _entries: dict[tuple[str, str], Entries] = field(default_factory=dict)

    def put(self, model: str, channel: Channel, lead_hours: float, statistic: str, total: Sum, axes: Axes) -> None:
        """Enter the sum of one field; ``axes`` may be longer for one model than for another."""
        levels = self.levels[channel.variable_name]
        level = () if levels is None or channel.level is None else (levels.index(channel.level),)
        place = (self.models.index(model), 0, self.lead_hours.index(lead_hours), *level)
        self._entries.setdefault((channel.variable_name, statistic), []).append((place, total, axes))

    def _coords(self, variable: str) -> dict[str, NDArray[np.generic]]:
        levels = self.levels[variable]
        return {
            "model": np.asarray(self.models),
            "initial_time": np.asarray([self.initial_time]),
            "lead_time": np.asarray(self.lead_hours, dtype=np.float64),
            **({} if levels is None else {"level": np.asarray(levels)}),
            "region": np.asarray(self.regions),
        }

    def sums(self) -> Sums:
        """All that was entered."""
        found: Sums = {}
        for (variable, statistic), entries in self._entries.items():
            held = found.get(variable, xr.Dataset())
            arrays = self._arrays(variable, statistic, entries, held)
            found[variable] = held.merge(arrays, join="outer", fill_value=0.0)
        return found

    def _arrays(self, variable: str, statistic: str, entries: Entries, held: xr.Dataset) -> xr.Dataset:
        """Total and weight of a statistic; the weight is one that is ``held`` if that is equal."""
        coords, axes = self._coords(variable), _all_labels([axes for _, _, axes in entries])
        totals, weights = _scattered(entries, tuple(map(len, coords.values())), axes)
        shared = next((name for name in statistics_of(held) if np.array_equal(held[f"weight_{name}"], weights)), None)
        if shared is not None:
            weights = held[f"weight_{shared}"].values
        return xr.Dataset(
            {
                f"total_{statistic}": ([*coords, *axes], totals, {"weights": f"weight_{shared or statistic}"}),
                f"weight_{statistic}": ([*coords], weights),
            },
            coords={**coords, **axes},
        )


def _all_labels(parts: Sequence[Axes]) -> Axes:
    """The labels of each axis in any of the parts: of numbers ascending."""
    axes = dict(parts[0])
    for part in parts[1:]:
        for name, labels in part.items():
            if not np.array_equal(labels, axes[name]):
                every = np.concatenate([axes[name], labels])
                axes[name] = np.unique(every) if every.dtype.kind in "iuf" else np.array(list(dict.fromkeys(every)))
    return axes


def _scattered(entries: Entries, shape: tuple[int, ...], axes: Axes) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Totals (*shape, *axes) and weights (*shape), zero where nothing was entered."""
    totals, weights = np.zeros((*shape, *map(len, axes.values()))), np.zeros(shape)
    for place, own, labels in entries:
        weights[place] = own.weight
        if all(np.array_equal(labels[name], axes[name]) for name in axes):
            totals[place] = own.total
            continue
        positions = [[list(axes[name]).index(label) for label in labels[name]] for name in axes]
        totals[place][np.ix_(range(shape[-1]), *positions)] = own.total
    return totals, weights
