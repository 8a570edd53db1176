"""A U-Net on the sphere: convolutions that pad across the poles, attention at the coarsest level."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from forecast.networks.dropout import SharedDropout
from forecast.networks.embedding import Condition, Embedding
from forecast.networks.padding import pad_sphere, twice_as_fine
from forecast.networks.recomputing import run

HEADS = 4
"""Of the attention; every width must be divisible by it."""


class SphericalUNet(nn.Module):
    """Maps ``(batch, in_channels, latitude, longitude)`` under a Condition to ``out_channels``.

    Rolling the input by a cell of the coarsest level, 2**(levels - 1) cells in longitude, rolls the output. A roll by
    fewer moves the fields against the cells that are pooled, and the output follows only nearly.

    Parameters
    ----------
    input_sign
        -1 for input channels that change sign across a pole, else 1.
    widths
        Features at each level; every level halves both dimensions of the one before.
    blocks
        Residual blocks per level, on the way down and again on the way up.
    steps_vary
        Whether the length of the step is an input.
    latent
        Size of the global noise vector; 0 for none.
    """

    input_sign: Tensor
    recompute = False
    """Whether training computes the blocks' activations again instead of keeping them."""

    def __init__(
        self, input_sign: list[int], out_channels: int, *, widths: tuple[int, ...], blocks: int, dropout: float,
        steps_vary: bool = False, latent: int = 0,
    ) -> None:  # fmt: skip
        super().__init__()
        embedding = 4 * widths[0]
        self.register_buffer("input_sign", torch.tensor(input_sign, dtype=torch.float32), persistent=False)
        self.embedding = Embedding(embedding, steps_vary=steps_vary, latent=latent)
        self.stem = nn.Conv2d(len(input_sign), widths[0], 3)
        self.down = nn.ModuleList()
        self.up = nn.ModuleList()
        for above, width in zip((widths[0], *widths), widths, strict=False):
            self.down.append(_blocks(above, width, blocks, embedding, dropout))
        for below, width in zip(widths[:0:-1], widths[-2::-1], strict=True):
            self.up.append(_blocks(below + width, width, blocks, embedding, dropout))
        self.middle = Attention(widths[-1])
        self.head_norm = nn.GroupNorm(_groups(widths[0]), widths[0])
        self.head = nn.Conv2d(widths[0], out_channels, 3, bias=False)
        nn.init.zeros_(self.head.weight)

    def forward(self, fields: Tensor, condition: Condition) -> Tensor:
        """Apply the network; the output has the input's batch and grid."""
        embedding = self.embedding(condition)
        features = self.stem(pad_sphere(fields, 1, self.input_sign))
        skips: list[Tensor] = []
        for level, stage in enumerate(self.down):
            features = functional.avg_pool2d(features, 2) if level else features
            features = self._run(stage, features, embedding)
            skips.append(features)
        features = self.middle(skips.pop())
        for stage in self.up:
            features = self._run(stage, torch.cat([twice_as_fine(features), skips.pop()], dim=1), embedding)
        output: Tensor = self.head(pad_sphere(functional.silu(self.head_norm(features)), 1))
        return output

    def _run(self, stage: nn.Module, features: Tensor, embedding: Tensor) -> Tensor:
        for block in stage.children():
            features = run(block, features, embedding, recompute=self.recompute)
        return features


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions; the second normalisation is scaled and shifted by the embedding of the condition."""

    def __init__(self, in_width: int, width: int, embedding: int, dropout: float) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(_groups(in_width), in_width)
        self.conv1 = nn.Conv2d(in_width, width, 3)
        self.modulation = nn.Linear(embedding, 2 * width)
        self.norm2 = nn.GroupNorm(_groups(width), width)
        self.dropout = SharedDropout(dropout)
        self.conv2 = nn.Conv2d(width, width, 3)
        self.shortcut = nn.Identity() if in_width == width else nn.Conv2d(in_width, width, 1)
        nn.init.zeros_(self.conv2.weight)

    def forward(self, features: Tensor, embedding: Tensor) -> Tensor:
        """Features of the same grid, ``width`` of them."""
        scale, shift = self.modulation(embedding)[:, :, None, None].chunk(2, dim=1)
        hidden = self.conv1(pad_sphere(functional.silu(self.norm1(features)), 1))
        hidden = functional.silu(self.norm2(hidden) * (1 + scale) + shift)
        output: Tensor = self.shortcut(features) + self.conv2(pad_sphere(self.dropout(hidden), 1))
        return output


class Attention(nn.Module):
    """Every coarse cell attends to every other."""

    def __init__(self, width: int, heads: int = HEADS) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.GroupNorm(_groups(width), width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.project = nn.Linear(width, width)
        nn.init.zeros_(self.project.weight)

    def forward(self, features: Tensor) -> Tensor:
        """Features of the same shape."""
        tokens = self.norm(features).flatten(2).transpose(1, 2)
        split = self.query_key_value(tokens).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(split[0], split[1], split[2])
        update = self.project(mixed.transpose(1, 2).flatten(2)).transpose(1, 2).unflatten(-1, features.shape[-2:])
        output: Tensor = features + update
        return output


def _blocks(in_width: int, width: int, count: int, embedding: int, dropout: float) -> nn.ModuleList:
    widths = [in_width] + [width] * count
    return nn.ModuleList(ResidualBlock(a, b, embedding, dropout) for a, b in pairwise(widths))


def _groups(width: int) -> int:
    """About 16 features each; always a divisor of ``width``."""
    return math.gcd(width, max(width // 16, 1))
