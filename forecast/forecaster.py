"""The forecaster: denoiser, channels, grid, scales and static fields, which together draw a next state."""

from __future__ import annotations

from contextlib import nullcontext
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from data_pipeline.errors import DataError
from data_pipeline.forcings import FORCING_MIRROR_SIGNS, FORCING_NAMES, forcings
from data_pipeline.grid import COORDINATE_TOLERANCE
from data_pipeline.times import hour_of_day
from forecast.denoiser import Denoiser
from forecast.global_means import clock
from forecast.networks import NETWORKS
from forecast.noise import make_noise, one_number_each, two_numbers
from forecast.samplers import Churn, sample
from forecast.truncation import Truncation
from forecast.turning import Turn, drawn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from data_pipeline.channels import Channels
    from data_pipeline.grid import Grid
    from forecast.config import ModelConfig, SamplerConfig
    from forecast.global_means import GlobalMeans
    from forecast.noise import Noise
    from forecast.normalizer import Normalizer
    from forecast.persistence import Persistence

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
    noise: Noise
    truncation: Truncation
    model: ModelConfig
    sampler: SamplerConfig
    persistence: Persistence | None = None
    global_means: GlobalMeans | None = None

    @classmethod
    def create(
        cls, channels: Channels, grid: Grid, *, normalizer: Normalizer, static: Tensor, model: ModelConfig,
        sampler: SamplerConfig,
    ) -> Forecaster:  # fmt: skip
        """An untrained forecaster; weights from torch's global generator."""
        check_grid(grid, model)
        denoiser = Denoiser(_build_network(channels, len(static), model), model.build_process())
        noise = make_noise(model.noise, grid, slope=model.noise_slope, size=model.noise_size)
        truncation = Truncation(channels, grid)
        return cls(channels, grid, normalizer, static, denoiser, noise, truncation, model, sampler)

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
            persistence=self.persistence and self.persistence.to(device),
            global_means=self.global_means and self.global_means.to(device),
        )

    def known(self, previous: Tensor, current: Tensor, forcing: Tensor, static: Tensor | None = None) -> Tensor:
        """The network's known inputs, scaled: one or two states (batch, channel, ...), forcings, static fields."""
        batch, static = current.shape[0], self.static if static is None else static
        states = [previous, current][-self.model.past_states :]
        scaled = [self.normalizer.state(state) for state in states]
        constant = (field.expand(batch, *field.shape[-3:]) for field in (forcing, static))
        return torch.cat([*scaled, *constant], dim=1)

    @torch.inference_mode()
    def step(
        self, previous: Tensor, current: Tensor, time: np.datetime64, noise: Tensor, *, hours: int | None = None,
        fresh: Callable[[int], Tensor] | None = None,
    ) -> Tensor:  # fmt: skip
        """Draw the states one step after ``current`` (batch, channel, latitude, longitude), in physical units.

        ``time`` is the valid time of ``current``; ``noise`` is of unit variance, as ``self.noise`` draws it. A step may
        have other ``hours`` than the forecast step, if the model knows them. ``fresh(k)`` is more noise, for churn.
        """
        length = np.timedelta64(hours or self.model.step_hours, "h")
        forcing = torch.from_numpy(forcings(time + length, length, self.grid)).to(current.device)
        known = self.known(previous, current, forcing)
        hour = torch.from_numpy(hour_of_day(np.array([time + length]))).to(current.device)
        return self.advance(current, known, noise, hour, hours=hours, fresh=fresh)

    def advance(
        self, current: Tensor, known: Tensor, noise: Tensor, hour: Tensor, *, hours: int | None = None,
        fresh: Callable[[int], Tensor] | None = None, turn: Turn | None = None,
    ) -> Tensor:  # fmt: skip
        """As ``step``, of ``known`` inputs, and by a network that sees a turned world; gradients go through it.

        ``hour`` (batch,) or (1,) is the hour of the day, UTC, at the end of the step.
        """
        hours = None if hours == self.model.step_hours else hours
        if self.sampler.turned:
            turn = self.turn(*drawn(two_numbers(noise), self.grid.shape[1]))
        increment = self.truncation(self._increment(known, noise, hours, fresh, turn))
        after = self.normalizer.advance(self.persisted(current, hours), increment, hours).maximum(self._minimum)
        if self.global_means:
            normal = one_number_each(noise, len(self.channels)) * (self.sampler.name != "mean")
            length, first = hours or self.model.step_hours, self.model.past_states * len(self.channels)
            times = clock(known[:, first : first + len(FORCING_NAMES)], hour)
            after = self.global_means.imposed(after, current, times, length, normal)
        return after.maximum(self._minimum)

    def persisted(self, current: Tensor, hours: int | None = None) -> Tensor:
        """The states to which increments of a step are added: ``current`` as it is, or what stays of it.

        Raises a DataError if the model does not know a step of so many ``hours``.
        """
        hours = None if hours == self.model.step_hours else hours
        self.normalizer.tendency(hours)
        return current if self.persistence is None else self.persistence(current, hours)

    def increment(self, current: Tensor, following: Tensor, hours: int | None = None) -> Tensor:
        """The scaled increment that leads from ``current`` to the states ``following``."""
        hours = None if hours == self.model.step_hours else hours
        return self.normalizer.increment(self.persisted(current, hours), following, hours)

    def step_label(self, batch: int, hours: int | None) -> Tensor:
        """The step's length over the forecast step's, (batch,)."""
        ratio = (hours or self.model.step_hours) / self.model.step_hours
        return torch.full((batch,), ratio, device=self.static.device)

    def _increment(
        self, known: Tensor, noise: Tensor, hours: int | None, fresh: Callable[[int], Tensor] | None,
        turn: Turn | None = None,
    ) -> Tensor:  # fmt: skip
        process, sampler, step = self.denoiser.process, self.sampler, self.step_label(len(known), hours)

        def denoise(noisy: Tensor, s: Tensor) -> Tensor:
            with torch.autocast(known.device.type, torch.bfloat16) if sampler.bfloat16 else nullcontext():
                estimate: Tensor = self.denoiser(noisy, s, known, step, turn)
            return estimate

        if sampler.name == "mean":
            return denoise(torch.zeros_like(noise), torch.full_like(step, process.largest_noise_level))
        process = replace(process, rho=sampler.rho) if sampler.rho else process
        levels = process.sampling_noise_levels(sampler.steps)
        churn = Churn(sampler.churn) if sampler.churn else None
        return sample(sampler.name, denoise, sampler.inflation * noise, levels, churn=churn, fresh=fresh)

    def turn(self, mirrored: Tensor, columns: Tensor) -> Turn:
        """North and south exchanged in the ``mirrored`` samples of a batch, each rolled by its ``columns``."""
        return Turn(mirrored, columns, *self._mirror_signs)

    @cached_property
    def _mirror_signs(self) -> tuple[Tensor, Tensor]:
        """Signs of the network's inputs and outputs when north and south are exchanged, each (channel, 1, 1)."""
        states = [channel.variable.mirrors_with_sign for channel in self.channels]
        static = [1] * (len(self.static) - len(LATITUDE_MIRROR_SIGNS)) + list(LATITUDE_MIRROR_SIGNS)
        fields = self.model.past_states + (self.model.noise != "global")
        return self._column([*fields * states, *FORCING_MIRROR_SIGNS, *static]), self._column(states)

    @cached_property
    def _minimum(self) -> Tensor:
        """Of each channel, (channel, 1, 1): what cannot be negative (humidity, precipitation) is clipped there."""
        return self._column(-np.inf if c.variable.minimum is None else c.variable.minimum for c in self.channels)

    def _column(self, values: Iterable[float]) -> Tensor:
        """On the device once, not in every step; not in inference mode, whose tensors no gradient may use."""
        with torch.inference_mode(mode=False):
            return torch.tensor(list(values), dtype=torch.float32, device=self.static.device)[:, None, None]


def static_features(values: np.ndarray, grid: Grid) -> Tensor:
    """Static fields scaled to unit variance, with sine and cosine of latitude: (feature, latitude, longitude)."""
    latitude = np.deg2rad(np.asarray(grid.latitude))[:, None] * np.ones(grid.shape[1])
    weights = grid.area_weights()[:, None] * np.ones(grid.shape[1])
    means = [np.average(field, weights=weights) for field in values]
    centred = [field - mean for field, mean in zip(values, means, strict=True)]
    stds = [np.sqrt(np.average(field**2, weights=weights)) for field in centred]
    scaled = [field / max(std, 1e-9) for field, std in zip(centred, stds, strict=True)]
    return torch.as_tensor(np.stack([*scaled, np.sin(latitude), np.cos(latitude)]), dtype=torch.float32)


def check_grid(grid: Grid, model: ModelConfig) -> None:
    """Raise a DataError unless the network can halve the grid as often as it must and pad it across the poles."""
    if not grid.is_global:
        raise DataError(f"the network needs a global grid, got the {grid}; train on the whole sphere")
    factor = 2 ** (len(model.widths) - 1) if model.network == "unet" else model.patch
    on_pole = max(grid.latitude[0], -grid.latitude[-1]) > 90 - COORDINATE_TOLERANCE
    if grid.shape[0] % factor or grid.shape[1] % (2 * factor) or on_pole:
        raise DataError(
            f"the network needs latitudes divisible by {factor}, longitudes by {2 * factor}, "
            f"and no row on a pole; got the {grid}; regrid to gaussian or equiangular, or shorten model.widths"
        )


def _build_network(channels: Channels, n_static: int, model: ModelConfig) -> torch.nn.Module:
    signs = [channel.variable.crosses_pole_with_sign for channel in channels]
    fields = model.past_states + (model.noise != "global")
    input_sign = fields * signs + [1] * (len(FORCING_NAMES) + n_static)
    return NETWORKS[model.network](input_sign, len(channels), model)
