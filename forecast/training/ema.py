"""An exponential moving average of the weights, which is what forecasts are made with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from forecast.training.distributed import shared_like

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn


class MovingAverage:
    """Averages over about ``horizon`` steps; early on, over the steps so far."""

    def __init__(self, module: nn.Module, horizon: int) -> None:
        self.horizon = horizon
        self.weights: dict[str, Tensor] = {name: value.detach().clone() for name, value in module.state_dict().items()}

    @torch.no_grad()
    def update(self, module: nn.Module, step: int) -> None:
        """Take in the weights after step number ``step`` (from 1)."""
        decay = min(1 - 1 / self.horizon, (1 + step) / (10 + step))
        values = [value.detach() for value in module.state_dict().values()]
        torch._foreach_lerp_(list(self.weights.values()), values, 1 - decay)

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Go on from ``weights``; a KeyError or RuntimeError if they are another network's."""
        for name, value in self.weights.items():
            value.copy_(shared_like(weights[name], value))
