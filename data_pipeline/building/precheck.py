"""What is looked at before a build starts: labels, and a sample of states spread over the period."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from data_pipeline.building.inspection import Inspection, unaccepted
from data_pipeline.moments import Moments, merge
from data_pipeline.quality import Report
from data_pipeline.quality.signatures import check_signatures
from data_pipeline.scaling import Scaling

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from data_pipeline.building.gather import Gathering

PAIRS = 8
"""Pairs of consecutive states that are read before a build: enough to see wrong units, fill values and flipped fields
everywhere, cheap enough for a quarter of a degree."""

SCALING_STATES = 24
"""States that the scale of float16 numbers is taken from."""

_COLUMNS = 144
"""Signatures are of the large scale: finer grids are thinned to about so many columns, which are all that is kept."""


def check_before(gathering: Gathering, found: Report) -> None:
    """Raise a DataError that lists every error in the labels (``found``) or the sampled states.

    What the signatures of the fields say is added to ``found``; values are looked at again when they are written.
    """
    times, values = gathering.times, Report()
    firsts = np.unique(np.linspace(0, max(len(times) - 2, 0), PAIRS).round().astype(int))
    pairs = [_pair(gathering, times[first : first + 2], values) for first in firsts]
    states = xr.concat(pairs, "time").drop_duplicates("time")
    check_signatures(states.merge(_thinned(gathering.static)), found)
    everything = Report(list(found))
    everything.merge(values)
    unaccepted(everything, gathering.config).raise_errors()


def _pair(gathering: Gathering, pair: NDArray[np.datetime64], values: Report) -> xr.Dataset:
    channels, grid = gathering.config.channels, gathering.config.grid.build()
    fields = np.stack(list(gathering.states(pair, Inspection(values, pair[0]))))
    dims = ("time", "channel", "latitude", "longitude")
    return _thinned(channels.unstack(fields, {"time": pair, **grid.coordinates}, dims)).copy(deep=True)


def _thinned(dataset: xr.Dataset) -> xr.Dataset:
    step = max(1, dataset.sizes.get("longitude", 1) // _COLUMNS)
    return dataset.isel(latitude=slice(None, None, step), longitude=slice(None, None, step), missing_dims="ignore")


def sample_scaling(gathering: Gathering) -> Scaling:
    """The scale of float16 numbers from states spread over the training period, held one at a time."""
    config = gathering.config
    inside = gathering.times[config.training_period.contains(gathering.times)]
    chosen = np.unique(np.linspace(0, len(inside) - 1, SCALING_STATES).round().astype(int))
    weights = config.grid.build().area_weights()
    sampled = (state for time in inside[chosen] for state in gathering.states(time[None]))
    return Scaling.of(merge([Moments.of([state], weights) for state in sampled]))
