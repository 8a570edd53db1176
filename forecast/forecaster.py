"""The forecaster: denoiser, channels, grid, scales and static fields, which together draw a next state."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from data_pipeline.errors import DataError
from data_pipeline.forcings import FORCING_MIRROR_SIGNS, FORCING_NAMES, forcings
from data_pipeline.grid import COORDINATE_TOLERANCE
from forecast.denoiser import Denoiser
from forecast.networks import NETWORKS
from forecast.noise import SphericalNoise
from forecast.samplers import SAMPLERS

if TYPE_CHECKING:
    from data_pipeline.channels import Channels
    from data_pipeline.grid import Grid
    from forecast.config import ModelConfig, SamplerConfig
    from forecast.normalizer import Normalizer

LATITUDE_MIRROR_SIGNS = (-1, 1)
"""Of the two features that ``static_features`` appends: sine and cosine of latitude stay where they are."""


@dataclass(frozen=True)
class Forecaster:
    """Draws states. ``static`` has shape (feature, latitude, longitude), scaled to order one."""

    channels: Channels
    grid: Grid
    normalizer: Normalizer
    static: Tensor
    denoiser: Denoiser
    noise: SphericalNoise
    model: ModelConfig
    sampler: SamplerConfig

    @classmethod
    def create(
        cls, channels: Channels, grid: Grid, *, normalizer: Normalizer, static: Tensor, model: ModelConfig,
        sampler: SamplerConfig,
    ) -> Forecaster:  # fmt: skip
        """An untrained forecaster; weights from torch's global generator."""
        check_grid(grid, len(model.widths))
        denoiser = Denoiser(_build_network(channels, len(static), model), model.build_process())
        return cls(channels, grid, normalizer, static, denoiser, SphericalNoise(grid), model, sampler)

    @property
    def step_length(self) -> np.timedelta64:
        """The time that one step covers."""
        return np.timedelta64(self.model.step_hours, "h")

    def to(self, device: str | torch.device) -> Forecaster:
        """The same on another device; noise is drawn on the CPU wherever a step is computed, so that it is the same."""
        if self.static.device == torch.device(device):
            return self
        return replace(
            self,
            normalizer=self.normalizer.to(device),
            static=self.static.to(device),
            denoiser=deepcopy(self.denoiser).to(device),
        )

    def condition(self, previous: Tensor, current: Tensor, forcing: Tensor) -> Tensor:
        """The network's known inputs, scaled: two states (batch, channel, ...), forcings, static fields."""
        batch = current.shape[0]
        constant = self.static.expand(batch, *self.static.shape)
        scaled = [self.normalizer.state(previous), self.normalizer.state(current)]
        return torch.cat([*scaled, forcing.expand(batch, *forcing.shape[-3:]), constant], dim=1)

    @torch.inference_mode()
    def step(self, previous: Tensor, current: Tensor, time: np.datetime64, noise: Tensor) -> Tensor:
        """Draw the states one step after ``current`` (batch, channel, latitude, longitude), in physical units.

        ``time`` is the valid time of ``current``; ``noise`` has unit variance and the shape of ``current``.
        """
        forcing = torch.from_numpy(forcings(time + self.step_length, self.step_length, self.grid))
        condition = self.condition(previous, current, forcing.to(current.device))
        levels = self.denoiser.process.sampling_noise_levels(self.sampler.steps)
        sample = SAMPLERS[self.sampler.name]
        increment = sample(lambda noisy, s: self.denoiser(noisy, s, condition), noise, levels)
        return self._within_bounds(self.normalizer.advance(current, increment))

    def mirror_signs(self) -> tuple[Tensor, Tensor]:
        """Signs of the states' and of the condition's channels when north and south are exchanged, (channel, 1, 1)."""
        states = [channel.variable.mirrors_with_sign for channel in self.channels]
        static = [1] * (len(self.static) - len(LATITUDE_MIRROR_SIGNS)) + list(LATITUDE_MIRROR_SIGNS)
        condition = [*states, *states, *FORCING_MIRROR_SIGNS, *static]
        return torch.tensor(states)[:, None, None], torch.tensor(condition)[:, None, None]

    def _within_bounds(self, states: Tensor) -> Tensor:
        """Clip the channels that cannot be negative (humidity, precipitation) at their minimum."""
        low = [-torch.inf if c.variable.minimum is None else c.variable.minimum for c in self.channels]
        return states.maximum(torch.tensor(low, dtype=states.dtype, device=states.device)[:, None, None])


def static_features(values: np.ndarray, grid: Grid) -> Tensor:
    """Static fields scaled to unit variance, with sine and cosine of latitude: (feature, latitude, longitude)."""
    latitude = np.deg2rad(np.asarray(grid.latitude))[:, None] * np.ones(grid.shape[1])
    weights = grid.area_weights()[:, None] * np.ones(grid.shape[1])
    means = [np.average(field, weights=weights) for field in values]
    centred = [field - mean for field, mean in zip(values, means, strict=True)]
    stds = [np.sqrt(np.average(field**2, weights=weights)) for field in centred]
    scaled = [field / max(std, 1e-9) for field, std in zip(centred, stds, strict=True)]
    return torch.as_tensor(np.stack([*scaled, np.sin(latitude), np.cos(latitude)]), dtype=torch.float32)


def check_grid(grid: Grid, levels: int) -> None:
    """Raise a DataError unless the network can halve the grid ``levels - 1`` times and pad it across the poles."""
    if not grid.is_global:
        raise DataError(f"the U-Net needs a global grid, got the {grid}; train on the whole sphere")
    factor = 2 ** (levels - 1)
    on_pole = max(grid.latitude[0], -grid.latitude[-1]) > 90 - COORDINATE_TOLERANCE
    if grid.shape[0] % factor or grid.shape[1] % (2 * factor) or on_pole:
        raise DataError(
            f"the U-Net with {levels} levels needs latitudes divisible by {factor}, longitudes by {2 * factor}, "
            f"and no row on a pole; got the {grid}; regrid to gaussian or equiangular, or use fewer levels"
        )


def _build_network(channels: Channels, n_static: int, model: ModelConfig) -> torch.nn.Module:
    signs = [channel.variable.crosses_pole_with_sign for channel in channels]
    input_sign = 3 * signs + [1] * (len(FORCING_NAMES) + n_static)
    return NETWORKS[model.network](
        input_sign, len(channels), widths=model.widths, blocks=model.blocks, dropout=model.dropout
    )
