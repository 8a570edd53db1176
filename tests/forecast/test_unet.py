"""The U-Net's own parts."""

from __future__ import annotations

import torch

from forecast.config import ModelConfig
from forecast.networks import NETWORKS, SphericalUNet
from forecast.networks.unet import Attention

from .conftest import randomise


def test_attention_ignores_the_order_of_cells() -> None:
    attention = Attention(16)
    randomise(attention)
    features = torch.randn(2, 16, 2, 4)
    order = torch.randperm(8)
    shuffled = attention(features.flatten(2)[..., order].unflatten(-1, (2, 4)))
    torch.testing.assert_close(shuffled.flatten(2), attention(features).flatten(2)[..., order])


def test_every_level_has_the_width_and_blocks_of_the_config() -> None:
    made = NETWORKS["unet"]([1, -1], 3, ModelConfig(widths=(8, 16, 24), blocks=2, step_hours=24))
    assert isinstance(made, SphericalUNet)
    widths = [[block.conv1.out_channels for block in stage] for stage in (*made.down, *made.up)]  # type: ignore[union-attr]
    assert widths == [[8, 8], [16, 16], [24, 24], [16, 16], [8, 8]]
