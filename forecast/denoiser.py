"""The denoiser: a network preconditioned by a process, and the loss that trains it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from forecast.networks.embedding import Condition

if TYPE_CHECKING:
    from forecast.process import Process
    from forecast.turning import Turn


class Denoiser(nn.Module):
    """D(noisy; s | known): the clean estimate of a scaled increment. Shapes are (batch, channel, lat, lon)."""

    def __init__(self, network: nn.Module, process: Process) -> None:
        super().__init__()
        self.network = network
        self.process = process

    def forward(self, noisy: Tensor, s: Tensor, known: Tensor, step: Tensor, turn: Turn | None = None) -> Tensor:
        """The expected clean field given ``noisy`` = clean + s noise.

        ``s`` and ``step``, the step's length over the forecast step's, have shape (batch,). Noise may also be one
        vector (batch, size), which conditions every layer; the estimate is then of pure noise only. The network sees
        the world after a ``turn``, if there is one.
        """
        c = self.process.coefficients(s)
        output = self._network(noisy, c.c_in, c.c_noise, known, step, turn)
        if noisy.ndim == 2:
            return _column(c.c_out) * output.float()
        estimate: Tensor = _column(c.c_skip) * noisy + _column(c.c_out) * output.to(noisy.dtype)
        return estimate

    def loss(
        self, clean: Tensor, noise: Tensor, s: Tensor, known: Tensor, step: Tensor, weights: Tensor,
        turn: Turn | None = None,
    ) -> Tensor:  # fmt: skip
        """Weighted mean of |D - clean|^2 / c_out^2, the network's own error (Karras et al. 2022, eq. 8).

        ``weights`` broadcasts against the fields and has mean 1 (area of the cells).
        """
        c = self.process.coefficients(s)
        noisy = clean + _column(s) * noise
        output = self._network(noisy, c.c_in, c.c_noise, known, step, turn)
        target = (clean - _column(c.c_skip) * noisy) / _column(c.c_out)
        error: Tensor = output.float() - target
        return (weights * error**2).mean()

    def _network(
        self, noisy: Tensor, c_in: Tensor, c_noise: Tensor, known: Tensor, step: Tensor, turn: Turn | None
    ) -> Tensor:
        if noisy.ndim == 2:
            inputs, condition = known, Condition(c_noise, step, c_in[:, None] * noisy)
        else:
            inputs, condition = torch.cat([_column(c_in) * noisy, known], dim=1), Condition(c_noise, step)
        output: Tensor = self.network(turn.there(inputs) if turn else inputs, condition)
        return turn.back(output) if turn else output


def _column(values: Tensor) -> Tensor:
    return values[:, None, None, None]
