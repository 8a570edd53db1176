"""The denoiser: a network preconditioned by a process, and the loss that trains it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from forecast.process import Process


class Denoiser(nn.Module):
    """D(noisy; s | condition): the clean estimate of a scaled increment. Shapes are (batch, channel, lat, lon)."""

    def __init__(self, network: nn.Module, process: Process) -> None:
        super().__init__()
        self.network = network
        self.process = process

    def forward(self, noisy: Tensor, s: Tensor, condition: Tensor) -> Tensor:
        """The expected clean field given ``noisy`` = clean + s noise; ``s`` has shape (batch,)."""
        c = self.process.coefficients(s)
        output = self.network(torch.cat([_column(c.c_in) * noisy, condition], dim=1), c.c_noise)
        estimate: Tensor = _column(c.c_skip) * noisy + _column(c.c_out) * output.to(noisy.dtype)
        return estimate

    def loss(self, clean: Tensor, noise: Tensor, s: Tensor, condition: Tensor, weights: Tensor) -> Tensor:
        """Weighted mean of |D - clean|^2 / c_out^2, the network's own error (Karras et al. 2022, eq. 8).

        ``weights`` broadcasts against the fields and has mean 1 (area of the cells).
        """
        c = self.process.coefficients(s)
        noisy = clean + _column(s) * noise
        output = self.network(torch.cat([_column(c.c_in) * noisy, condition], dim=1), c.c_noise)
        target = (clean - _column(c.c_skip) * noisy) / _column(c.c_out)
        error: Tensor = output.float() - target
        return (weights * error**2).mean()


def _column(values: Tensor) -> Tensor:
    return values[:, None, None, None]
