"""Physical units to the network's and back: states by mean and std, increments by the tendency's std."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from data_pipeline.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor

    from data_pipeline.statistics import Statistics


@dataclass(frozen=True)
class Normalizer:
    """Per-channel scales as float32 tensors of shape (channel, 1, 1), in the channels' units."""

    mean: Tensor
    std: Tensor
    tendency_std: Tensor

    @classmethod
    def of(cls, statistics: Statistics, step_hours: int) -> Normalizer:
        """Scales for steps of ``step_hours``; a DataError if the store has no such statistics or zeros."""
        if step_hours not in statistics.tendency_std:
            have = ", ".join(str(hours) for hours in sorted(statistics.tendency_std))
            hint = f"set model.step_hours to one of: {have}" if have else "build it with a longer training_period"
            raise DataError(f"the store has no tendency statistics for {step_hours} h steps; {hint}")
        scales = (statistics.mean, statistics.std, statistics.tendency_std[step_hours])
        if not all(bool((scale > 0).all() and np.isfinite(scale).all()) for scale in scales[1:]):
            raise DataError("a channel of the store never changes, so it has no scale; leave that variable out")
        return cls(*(torch.as_tensor(scale, dtype=torch.float32)[:, None, None] for scale in scales))

    def to(self, device: str | torch.device) -> Normalizer:
        """The same scales on another device."""
        return Normalizer(self.mean.to(device), self.std.to(device), self.tendency_std.to(device))

    def state(self, fields: Tensor) -> Tensor:
        """Scale physical states (..., channel, latitude, longitude)."""
        return (fields - self.mean) / self.std

    def increment(self, before: Tensor, after: Tensor) -> Tensor:
        """Scale the change between two physical states."""
        return (after - before) / self.tendency_std

    def advance(self, state: Tensor, increment: Tensor) -> Tensor:
        """Add a scaled increment to a physical state."""
        return state + increment * self.tendency_std
