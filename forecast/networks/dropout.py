"""Dropout whose mask the members of a sample share, so that they differ by their noise alone."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class SharedDropout(nn.Module):
    """Sets features to zero in training, each with ``probability``, and scales the others up.

    With ``members`` m, the batch is m blocks of the same samples, and all blocks get the same mask.
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability
        self.members = 1

    def forward(self, features: Tensor) -> Tensor:
        """Features of the same shape."""
        if not self.training or self.probability == 0:
            return features
        kept = torch.empty_like(features[: len(features) // self.members]).bernoulli_(1 - self.probability)
        scale: Tensor = kept / (1 - self.probability)
        return features * scale.repeat(self.members, *[1] * (scale.ndim - 1)) if self.members > 1 else features * scale


def share_dropout(network: nn.Module, members: int) -> None:
    """Let all dropout of a network share its masks between ``members`` blocks of the batch."""
    for module in network.modules():
        if isinstance(module, SharedDropout):
            module.members = members
