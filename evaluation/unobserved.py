"""What is forecast and of which the truth has no value: it weighs nothing, and that must be said."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from evaluation.tally import FORECAST, UNOBSERVED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import xarray as xr

    from evaluation.pairs import Match
    from evaluation.sums import Sums

    Place = tuple[np.datetime64, float, int | None]


def unobserved(sums: Sums, matches: Sequence[Match]) -> list[str]:
    """A sentence for each channel of which the truth is NaN all over the regions at some of the scored times.

    Of a map of many points nothing is known, as it is not kept by initial time.
    """
    empty = {variable: _without_weight(own) for variable, own in sums.items()}
    if not any(empty.values()):
        return []
    times = Counter(pair.channel.name for pair in matches)
    lost = Counter(
        pair.channel.name for pair in matches
        if (pair.initial_time, pair.lead_hours, pair.channel.level) in empty[pair.channel.variable_name]
    )  # fmt: skip
    return [
        f"the truth has no value of {name} in {count} of {times[name]} fields, which do not count"
        for name, count in lost.items()
    ]


def unobserved_values(sums: Sums, *, by_point: bool = False) -> list[str]:
    """Channels that were forecast where the truth is NaN, with the number of such values, as ``2m_temperature: 12``.

    Of several regions in that which has most of them, but of a map, ``by_point``, in all. Fields of which the truth has
    no value at all are counted only where a map has so many points that its sums are not kept by initial time.
    """
    return [text for variable, own in sums.items() for text in _counts(variable, own, by_point)]


def _counts(variable: str, sums: xr.Dataset, by_point: bool) -> Iterator[str]:
    if f"total_{UNOBSERVED}" not in sums:
        return
    counts, weight = (sums[name].sel(model=FORECAST) for name in (f"total_{UNOBSERVED}", "weight_missing"))
    if "initial_time" in counts.dims:
        counts = counts.where((weight > 0).any("region"), 0)
    totals = counts.sum([dim for dim in counts.dims if dim not in ("region", "level")])
    every = totals.sum("region") if by_point else totals.max("region")
    for count in every if "level" in every.dims else [every]:
        name = f"{variable}_{int(count['level'])}" if "level" in count.coords else variable
        if count > 0:
            yield f"{name}: {int(count)}"


def _without_weight(sums: xr.Dataset) -> set[Place]:
    """Initial time, lead hours and level of all fields without any weight, those that nobody forecast too."""
    weight = sums["weight_missing"].isel(model=0)
    if "initial_time" not in weight.dims:
        return set()
    empty = (weight == 0).all("region").transpose("initial_time", "lead_time", ...)
    levels = [int(level) for level in empty["level"].values] if "level" in empty.dims else [None]
    starts, leads = empty["initial_time"].values.astype("datetime64[ns]"), empty["lead_time"].values
    return {
        (starts[start], float(leads[lead]), levels[level[0]] if level else None)
        for start, lead, *level in np.argwhere(empty.values).tolist()
    }
