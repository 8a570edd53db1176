"""What stays of a state from one step to the next: the large scales for weeks, the small ones hardly a day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from torch import Tensor

    from forecast.truncation import Truncation


@dataclass(frozen=True)
class Persistence:
    """Damped persistence, from which the network's increments start: x becomes m + A (x - m).

    ``mean`` is the mean state m (channel, latitude, longitude) in the channels' units. ``kept`` is A, the share of the
    anomaly that is left after a step, by the hours of the step (None for the forecast step), for each channel and each
    degree and what is beyond them: (channel, truncation.shares). With it small scales, of which nothing is left, are
    drawn anew in every step and not added to what was there, so that a long rollout keeps their power.
    """

    truncation: Truncation
    mean: Tensor
    kept: Mapping[int | None, Tensor]

    def to(self, device: str | torch.device) -> Persistence:
        """The same on another device."""
        return Persistence(self.truncation, self.mean.to(device), {h: a.to(device) for h, a in self.kept.items()})

    def __call__(self, state: Tensor, hours: int | None = None) -> Tensor:
        """What stays of states (..., channel, latitude, longitude); gradients go through it."""
        return self.mean + self.truncation(state - self.mean, self.kept[hours])


def estimated(truncation: Truncation, mean: Tensor, pairs: Iterable[tuple[Tensor, Tensor]]) -> Tensor:
    """A of ``pairs`` of states a step apart: the correlation of their anomalies, part by part.

    A = 2 <a(t) a(t + step)> / (<a(t)^2> + <a(t + step)^2>) over all that is of a degree, or beyond them, and all pairs
    (von Storch and Zwiers 1999, Statistical Analysis in Climate Research, chapter 10), not below 0.
    """
    together = power = torch.zeros((), dtype=torch.float64)
    for before, after in pairs:
        first, second = ((state - mean).double() for state in (before, after))
        together = together + truncation.products(first, second).sum(0)
        power = power + sum(truncation.products(each, each).sum(0) for each in (first, second)) / 2
    return (together / power.clamp(min=torch.finfo(torch.float32).tiny)).clamp(0, 1).float()
