"""What conditions every layer of a network: the noise level, the length of the step, and a global noise vector."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn


class Condition(NamedTuple):
    """Of each sample: the noise label and the step's length over the forecast step's, (batch,).

    ``latent`` is the global noise (batch, size) of a network that has it.
    """

    noise_label: Tensor
    step: Tensor
    latent: Tensor | None = None


class Embedding(nn.Module):
    """Sines and cosines of the labels through a small perceptron (Karras et al. 2022, appendix F.3).

    The step's length counts only where a model knows several (``steps_vary``). A latent vector of size ``latent``
    enters beside the labels (as in FGN, Alet et al. 2025).
    """

    frequencies: Tensor

    def __init__(self, width: int, *, steps_vary: bool = False, latent: int = 0) -> None:
        super().__init__()
        self.labels = 2 if steps_vary else 1
        self.register_buffer("frequencies", torch.exp(torch.linspace(0.0, 5.0, 32)), persistent=False)
        self.layers = nn.Sequential(
            nn.Linear(64 * self.labels + latent, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU()
        )

    def forward(self, condition: Condition) -> Tensor:
        """(batch, width)."""
        labels = (condition.noise_label, condition.step)[: self.labels]
        phases = torch.cat([label[:, None] * self.frequencies for label in labels], dim=-1)
        features = [phases.cos(), phases.sin()]
        if condition.latent is not None:
            features.append(condition.latent)
        embedding: Tensor = self.layers(torch.cat(features, dim=-1))
        return embedding
