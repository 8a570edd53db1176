"""The mean of a field over the globe: it follows the season, and what is left of its anomaly a day later."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from data_pipeline.channels import Channels
    from data_pipeline.grid import Grid

HOURS_OF_A_YEAR = 24 * 365.2422
SEASON = 5
"""Numbers of a seasonal cycle: its mean, and cosine and sine of the year and of half a year."""


class Memory(NamedTuple):
    """Of the anomalies of global means over a step, each (channel,): the share ``kept``, and the std of what is new."""

    kept: Tensor
    new: Tensor


@dataclass(frozen=True)
class GlobalMeans:
    """Draws global means as an autoregressive process of first order about their seasonal cycle.

    A network's increments have errors that hardly show at any point, but add up in the mean over the globe, and with it
    the mass of the air: it would walk off in weeks. The planet's own global means are known better than that. After a
    step the mean is s' + a (mean - s) + n z, with s and s' the season before and after, ``kept`` a, ``new`` n, and z a
    standard normal number of the member (von Storch and Zwiers 1999, Statistical Analysis in Climate Research,
    chapter 10).

    ``areas`` are those of the cells (latitude, 1), of mean 1. ``pattern`` (channel, latitude, 1), also of mean 1, is
    added to change a mean: the same everywhere, the cosine of latitude for components of vectors, which vanish at the
    poles, and nothing for sums over time such as precipitation, which this is not for. Of amounts that cannot be
    negative, where ``positive`` (channel, 1, 1), more or less is taken of what is there. ``season`` has shape
    (channel, SEASON) in the channels' units; ``memory`` is by the hours of the step.
    """

    areas: Tensor
    pattern: Tensor
    positive: Tensor
    season: Tensor
    memory: Mapping[int, Memory]

    @classmethod
    def of(cls, channels: Channels, grid: Grid, season: Tensor, memory: Mapping[int, Memory]) -> GlobalMeans:
        """On the device of ``season``."""
        areas = torch.as_tensor(grid.area_weights(), dtype=torch.float32)[:, None]
        cosine = torch.cos(torch.deg2rad(torch.tensor(grid.latitude, dtype=torch.float32)))[:, None]
        shapes = {True: torch.ones_like(cosine), False: cosine / (cosine * areas).mean()}
        variables = [channel.variable for channel in channels]
        pattern = torch.stack([shapes[one.crosses_pole_with_sign == 1] * (not one.accumulated) for one in variables])
        positive = torch.tensor([one.minimum == 0 and not one.accumulated for one in variables])[:, None, None]
        return cls(areas, pattern, positive, season, memory).to(season.device)

    def to(self, device: str | torch.device) -> GlobalMeans:
        """The same on another device."""
        memory = {hours: Memory(*(value.to(device) for value in each)) for hours, each in self.memory.items()}
        return GlobalMeans(
            self.areas.to(device), self.pattern.to(device), self.positive.to(device), self.season.to(device), memory
        )

    def means(self, states: Tensor) -> Tensor:
        """The means (batch, channel) of states (batch, channel, latitude, longitude)."""
        usual = self.season[:, 0]  # subtracted first, for float32's sake
        return ((states - usual[:, None, None]) * self.areas).mean((-2, -1)) + usual

    def imposed(self, after: Tensor, before: Tensor, year: Tensor, hours: int, normal: Tensor) -> Tensor:
        """States ``after`` a step of ``hours`` with the means that follow from those ``before``.

        ``year`` is cosine and sine of the phase of the year after the step, (batch, 2); ``normal`` are standard normal
        numbers (batch, channel).
        """
        kept, new = self.memory[hours]
        anomaly = self.means(before) - self._seasonal(earlier(year, hours))
        expected = self._seasonal(year) + kept * anomaly + new * normal
        means = self.means(after)[..., None, None]
        pattern = torch.where(self.positive, after / means.clamp(min=1e-30), self.pattern)
        return after + (expected[..., None, None] - means) * pattern

    def _seasonal(self, year: Tensor) -> Tensor:
        return (waves(year)[:, None] * self.season).sum(-1)


def earlier(year: Tensor, hours: int) -> Tensor:
    """Cosine and sine (batch, 2) of the phase of the year so many hours before."""
    turn = 2 * math.pi * hours / HOURS_OF_A_YEAR
    cosine, sine = year.unbind(-1)
    return torch.stack(
        [cosine * math.cos(turn) + sine * math.sin(turn), sine * math.cos(turn) - cosine * math.sin(turn)], dim=-1
    )


def waves(year: Tensor) -> Tensor:
    """What a seasonal cycle is made of, (batch, SEASON), from cosine and sine of the year's phase (batch, 2)."""
    cosine, sine = year.unbind(-1)
    return torch.stack([torch.ones_like(cosine), cosine, sine, cosine**2 - sine**2, 2 * sine * cosine], dim=-1)


def seasonal_cycle(means: Tensor, year: Tensor) -> Tensor:
    """The least-squares fit (channel, SEASON) of global means (sample, channel) at phases of the year (sample, 2)."""
    fit: Tensor = torch.linalg.pinv(waves(year.double()))
    return (fit @ means.double()).T


def memory_of(before: Tensor, after: Tensor) -> Memory:
    """Of anomalies (sample, channel) a step apart.

    The share kept is their correlation. What is new has the variance that keeps that of the anomalies as it is.
    """
    variance = (before.square().mean(0) + after.square().mean(0)) / 2
    kept = ((before * after).mean(0) / variance.clamp(min=1e-30)).clamp(0, 1)
    return Memory(kept.float(), (variance * (1 - kept**2)).sqrt().float())
