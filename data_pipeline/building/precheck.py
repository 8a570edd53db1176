"""What is looked at before a build starts: labels, and a sample of states spread over the period."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from data_pipeline.building.slabs import raise_unaccepted
from data_pipeline.quality import Report
from data_pipeline.quality.signatures import check_signatures
from data_pipeline.quality.values import ValueChecker
from data_pipeline.scaling import Scaling

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from data_pipeline.building.gather import Gathering

PAIRS = 8
"""Pairs of consecutive states that are read before a build: enough to see wrong units, fill values and flipped fields
everywhere, cheap enough for a quarter of a degree."""

SCALING_STATES = 24
"""States that the scale of float16 numbers is taken from."""


def check_before(gathering: Gathering, found: Report) -> None:
    """Raise a DataError that lists every error in the labels (``found``) or the sampled states.

    What the signatures of the fields say is added to ``found``; values are looked at again when they are written.
    """
    config, times, values = gathering.config, gathering.times, Report()
    channels, grid = config.channels, config.grid.build()
    pairs = []
    for first in np.unique(np.linspace(0, max(len(times) - 2, 0), PAIRS).round().astype(int)):
        pair = times[first : first + 2]
        fields = np.stack(list(gathering.states(pair)))
        ValueChecker(channels, grid).update(pair, fields, values)
        dims = ("time", "channel", "latitude", "longitude")
        pairs.append(channels.unstack(fields, {"time": pair, **grid.coordinates}, dims))
    states = xr.concat(pairs, "time").drop_duplicates("time")
    check_signatures(states.merge(gathering.static), found)
    everything = Report(list(found))
    everything.merge(values)
    raise_unaccepted(everything, config)


def sample_scaling(gathering: Gathering) -> Scaling:
    """The scale of float16 numbers from states spread over the training period."""
    times = gathering.times
    inside = times[gathering.config.training_period.contains(times)]
    chosen = np.unique(np.linspace(0, len(inside) - 1, SCALING_STATES).round().astype(int))
    return Scaling.of(_sampled(gathering, inside[chosen]))


def _sampled(gathering: Gathering, times: NDArray[np.datetime64]) -> NDArray[np.float32]:
    return np.stack([state for time in times for state in gathering.states(time[None])])
