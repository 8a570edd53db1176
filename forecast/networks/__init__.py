"""Networks on the sphere, by name: each is made for input channels of known signs and a ModelConfig."""

from __future__ import annotations

from typing import TYPE_CHECKING

from forecast.networks.transformer import SphericalTransformer
from forecast.networks.unet import SphericalUNet

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

    from forecast.config import ModelConfig

    Build = Callable[[list[int], int, ModelConfig], nn.Module]


def _unet(input_sign: list[int], out_channels: int, model: ModelConfig) -> nn.Module:
    return SphericalUNet(
        input_sign, out_channels, widths=model.widths, blocks=model.blocks, dropout=model.dropout,
        steps_vary=bool(model.other_step_hours), latent=model.latent_size,
    )  # fmt: skip


def _transformer(input_sign: list[int], out_channels: int, model: ModelConfig) -> nn.Module:
    return SphericalTransformer(
        input_sign, out_channels, width=model.widths[0], blocks=model.blocks, patch=model.patch, dropout=model.dropout,
        steps_vary=bool(model.other_step_hours), latent=model.latent_size,
    )  # fmt: skip


NETWORKS: dict[str, Build] = {"unet": _unet, "transformer": _transformer}
"""(signs of the input channels across a pole, output channels, config) -> network(fields, Condition)."""

__all__ = ["NETWORKS", "SphericalTransformer", "SphericalUNet"]
