"""Networks with random weights, and smooth isotropic fields to feed them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from forecast.config import ModelConfig
from forecast.harmonics import SphericalTransform
from forecast.networks import NETWORKS
from forecast.networks.embedding import Condition

from .conftest import randomise

if TYPE_CHECKING:
    from data_pipeline.grid import Grid

SIGNS = [1, -1, -1, 1, 1]
"""Of the input channels, across a pole."""

MODELS: dict[str, dict[str, Any]] = {
    "unet": {"network": "unet", "widths": (8, 16, 16)},
    "transformer": {"network": "transformer", "widths": (16,), "blocks": 2, "patch": 4},
}
"""A small one of each network; the cells of both are in blocks of 4."""

COARSEST = 4


def network(
    name: str, *, random: bool = True, signs: list[int] = SIGNS, seed: int = 0, **model: Any
) -> torch.nn.Module:
    """The network of this name, with other values of the model; ``random`` weights also where it starts with zeros."""
    torch.manual_seed(seed)
    made = NETWORKS[name](signs, 3, ModelConfig(**{"step_hours": 24, **MODELS[name], **model}))
    if random:
        randomise(made)
    return made.eval()


def condition(batch: int, dtype: torch.dtype = torch.float32, latent: int = 0) -> Condition:
    """A random one."""
    vector = torch.randn(batch, latent, dtype=dtype) if latent else None
    return Condition(torch.rand(batch, dtype=dtype), torch.rand(batch, dtype=dtype) + 0.5, vector)


def smooth_fields(grid: Grid, batch: int, channels: int, degree: int) -> torch.Tensor:
    """Isotropic fields of unit variance, float64, with equal power in all harmonics up to ``degree``."""
    transform = SphericalTransform(grid)
    coefficients = torch.randn(batch, channels, (transform.degree + 1) ** 2, dtype=torch.float64)
    coefficients[..., (degree + 1) ** 2 :] = 0
    return transform.fields(coefficients) / (degree + 1)
