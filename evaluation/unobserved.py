"""Fields that are forecast and of which the truth has no value at all: they weigh nothing, and that must be said."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

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
