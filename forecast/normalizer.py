"""Physical units to the network's and back: states by mean and std, increments by the tendency's std."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch

from data_pipeline.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from data_pipeline.statistics import Statistics


@dataclass(frozen=True)
class Normalizer:
    """Per-channel scales as float32 tensors of shape (channel, 1, 1), in the channels' units.

    ``tendency_std`` is that of the forecast step; ``others`` are those of steps of another length, by their hours.
    """

    mean: Tensor
    std: Tensor
    tendency_std: Tensor
    others: Mapping[int, Tensor] = field(default_factory=dict)

    @classmethod
    def of(cls, statistics: Statistics, step_hours: int, other_hours: Sequence[int] = ()) -> Normalizer:
        """Scales for steps of ``step_hours`` and others; a DataError if the store has no such statistics or zeros."""
        hours = [step_hours, *other_hours]
        if missing := [step for step in hours if step not in statistics.tendency_std]:
            have = ", ".join(str(known) for known in sorted(statistics.tendency_std))
            key = "model.step_hours" if missing[0] == step_hours else "model.other_step_hours"
            hint = f"set {key} to one of: {have}" if have else "build it with a longer training_period"
            raise DataError(f"the store has no tendency statistics for {missing[0]} h steps; {hint}")
        tendencies = [statistics.tendency_std[step] for step in hours]
        if not all(bool((scale > 0).all() and np.isfinite(scale).all()) for scale in (statistics.std, *tendencies)):
            raise DataError("a channel of the store never changes, so it has no scale; leave that variable out")
        mean, std, tendency, *others = map(_column, (statistics.mean, statistics.std, *tendencies))
        return cls(mean, std, tendency, dict(zip(other_hours, others, strict=True)))

    def to(self, device: str | torch.device) -> Normalizer:
        """The same scales on another device."""
        others = {hours: std.to(device) for hours, std in self.others.items()}
        return Normalizer(self.mean.to(device), self.std.to(device), self.tendency_std.to(device), others)

    def tendency(self, hours: int | None) -> Tensor:
        """The scale of steps of ``hours``, None stands for the forecast step; a DataError for any other."""
        if hours is None:
            return self.tendency_std
        if hours not in self.others:
            known = ", ".join(map(str, self.others)) or "none"
            raise DataError(f"got a step of {hours} h, expected the forecast step or one of these others: {known}")
        return self.others[hours]

    def state(self, fields: Tensor) -> Tensor:
        """Scale physical states (..., channel, latitude, longitude)."""
        return (fields - self.mean) / self.std

    def increment(self, before: Tensor, after: Tensor, hours: int | None = None) -> Tensor:
        """Scale the change between two physical states a step apart."""
        return (after - before) / self.tendency(hours)

    def advance(self, state: Tensor, increment: Tensor, hours: int | None = None) -> Tensor:
        """Add a scaled increment to a physical state."""
        return state + increment * self.tendency(hours)


def _column(values: NDArray[np.float64]) -> Tensor:
    return torch.as_tensor(values, dtype=torch.float32)[:, None, None]
