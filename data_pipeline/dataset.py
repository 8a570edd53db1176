"""Training samples as tensors: two past states, the forcings of the step, and the state to be forecast."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from data_pipeline.errors import DataError, reading
from data_pipeline.forcings import forcings
from data_pipeline.times import HOUR

if TYPE_CHECKING:
    from data_pipeline.config import Period
    from data_pipeline.store import TrainingStore


class Sample(NamedTuple):
    """Physical states (batch, channel, latitude, longitude) one step apart, and forcings of the last step."""

    previous: Tensor
    current: Tensor
    following: Tensor
    forcings: Tensor


class StoreDataset:
    """All samples of a period of a store, held in memory as float32.

    Parameters
    ----------
    step
        The forecast step; a multiple of the store's interval.

    Raises
    ------
    DataError
        If the step is no multiple of the interval, or the period holds fewer than the three states of one sample.
    """

    def __init__(self, store: TrainingStore, period: Period, step: np.timedelta64) -> None:
        self.lag = _lag(step, store.interval)
        inside = np.flatnonzero(period.contains(store.times))
        if len(inside) < 2 * self.lag + 1:
            raise DataError(
                f"the period {period.start}..{period.stop} holds {len(inside)} states of {store.path}, "
                f"expected at least {2 * self.lag + 1}; choose a longer one"
            )
        self.grid = store.grid
        self.step = step
        self.times = store.times[inside[0] : inside[-1] + 1]
        with reading(store.path):
            self.states = torch.from_numpy(np.asarray(store.fields[inside[0] : inside[-1] + 1]))

    def __len__(self) -> int:
        return len(self.times) - 2 * self.lag

    def batch(self, indices: Tensor) -> Sample:
        """The samples at ``indices`` (batch,), each in 0..len-1."""
        known = [forcings(self.times[int(i) + 2 * self.lag], self.step, self.grid) for i in indices]
        states = [self.states[indices + offset * self.lag] for offset in range(3)]
        return Sample(states[0], states[1], states[2], torch.from_numpy(np.stack(known)))


def _lag(step: np.timedelta64, interval: np.timedelta64) -> int:
    if step < interval or step % interval:
        got, expected = (span / HOUR for span in (step, interval))
        raise DataError(f"got steps of {got:g} h, expected a multiple of the store's interval of {expected:g} h")
    return int(step // interval)
