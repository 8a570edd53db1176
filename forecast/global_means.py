"""The mean of a field over the globe: it follows the season, the hour, and what is left of its anomaly a day later."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch

from data_pipeline.forcings import FORCING_NAMES
from data_pipeline.times import DAYS_OF_A_YEAR

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from data_pipeline.channels import Channels
    from data_pipeline.grid import Grid

HOURS_OF_A_DAY = 24
HOURS_OF_A_YEAR = HOURS_OF_A_DAY * DAYS_OF_A_YEAR
HARMONICS = 4
"""Of the year: two leave some of the course of humidity over, which then counts as weather."""
CYCLE = 3 + 2 * HARMONICS
"""Numbers of a cycle: its mean, cosine and sine of the day, and of each harmonic of the year."""
FAINTEST = 0.05
"""Of the strongest pattern in a fit: what hardly tells samples apart says nothing of others."""
MOST = 2.0
"""By which what cannot be negative is multiplied or divided in a step."""


class Memory(NamedTuple):
    """Of global means over a step, for each channel: their ``cycle`` (channel, CYCLE) in the channels' units.

    Of the anomalies the share ``kept`` (channel,), and what is ``new`` (channel, channel) times normal numbers.
    """

    cycle: Tensor
    kept: Tensor
    new: Tensor


@dataclass(frozen=True)
class GlobalMeans:
    """Draws global means as an autoregressive process of first order about their cycle.

    A network's increments have errors that hardly show at any point, but add up in the mean over the globe, and with it
    the mass of the air: it would walk off in weeks. The planet's own global means are known better than that. After a
    step the mean is c' + a (mean - c) + n z, with c and c' the cycle before and after, ``kept`` a, ``new`` n, and z
    standard normal numbers of the member (von Storch and Zwiers 1999, Statistical Analysis in Climate Research,
    chapter 10).

    ``areas`` are those of the cells (latitude, 1), of mean 1. ``pattern`` (channel, latitude, 1), also of mean 1, is
    added to change a mean: the same everywhere, the cosine of latitude for components of vectors, which vanish at the
    poles, and nothing for sums over time such as precipitation, which this is not for. Of amounts that cannot be
    negative, where ``positive`` (channel, 1, 1), more or less is taken of what is there. ``memory`` is by the hours of
    the step.
    """

    areas: Tensor
    pattern: Tensor
    positive: Tensor
    memory: Mapping[int, Memory]

    @classmethod
    def of(cls, channels: Channels, grid: Grid, memory: Mapping[int, Memory]) -> GlobalMeans:
        """On the device of ``memory``."""
        areas = torch.as_tensor(grid.area_weights(), dtype=torch.float32)[:, None]
        cosine = torch.cos(torch.deg2rad(torch.tensor(grid.latitude, dtype=torch.float32)))[:, None]
        shapes = {True: torch.ones_like(cosine), False: cosine / (cosine * areas).mean()}
        variables = [channel.variable for channel in channels]
        pattern = torch.stack([shapes[one.crosses_pole_with_sign == 1] * (not one.accumulated) for one in variables])
        positive = torch.tensor([one.minimum == 0 and not one.accumulated for one in variables])[:, None, None]
        return cls(areas, pattern, positive, memory).to(next(iter(memory.values())).kept.device)

    def to(self, device: str | torch.device) -> GlobalMeans:
        """The same on another device."""
        memory = {hours: Memory(*(value.to(device) for value in each)) for hours, each in self.memory.items()}
        return GlobalMeans(self.areas.to(device), self.pattern.to(device), self.positive.to(device), memory)

    def means(self, states: Tensor) -> Tensor:
        """The means (batch, channel) of states (batch, channel, latitude, longitude)."""
        usual = next(iter(self.memory.values())).cycle[:, 0]  # subtracted first, for float32's sake
        return ((states - usual[:, None, None]) * self.areas).mean((-2, -1)) + usual

    def imposed(self, after: Tensor, before: Tensor, clock: Tensor, hours: int, normal: Tensor) -> Tensor:
        """States ``after`` a step of ``hours`` with the means that follow from those ``before``.

        ``clock`` is that of the step (see there); ``normal`` are standard normal numbers (batch, channel).
        """
        cycle, kept, new = self.memory[hours]
        anomaly = self.means(before) - at(cycle, earlier(clock, hours))
        expected = (at(cycle, clock) + kept * anomaly + (normal[:, None] * new).sum(-1))[..., None, None]
        means = self.means(after)[..., None, None]
        factor = (expected / means.clamp(min=1e-30)).clamp(1 / MOST, MOST)
        return torch.where(self.positive, factor * after, after + (expected - means) * self.pattern)


def clock(forcings: Tensor, hour: Tensor) -> Tensor:
    """Cosine and sine of the year's phase and of the day's at the end of a step: (batch, 4).

    ``forcings`` (batch, FORCING_NAMES, latitude, longitude) are those of the step; ``hour`` (batch,) or (1,) is that of
    the day, UTC, at its end.
    """
    first, phase = FORCING_NAMES.index("cos_year"), hour * (2 * math.pi / HOURS_OF_A_DAY)
    year, day = forcings[:, first : first + 2, 0, 0], torch.stack([phase.cos(), phase.sin()], dim=-1)
    return torch.cat([year, day.expand_as(year)], dim=1)


def earlier(clock: Tensor, hours: int) -> Tensor:
    """The clock so many hours before."""
    year, day = clock[:, :2], clock[:, 2:]
    back = -2 * math.pi * hours
    return torch.cat([_turned(year, back / HOURS_OF_A_YEAR), _turned(day, back / HOURS_OF_A_DAY)], dim=1)


def waves(clock: Tensor) -> Tensor:
    """What a cycle is made of, (batch, CYCLE)."""
    numbers = torch.arange(1, HARMONICS + 1, dtype=clock.dtype, device=clock.device)
    phases = torch.atan2(clock[:, 1], clock[:, 0])[:, None] * numbers
    seasons = torch.stack([phases.cos(), phases.sin()], dim=-1).flatten(1)
    return torch.cat([torch.ones_like(clock[:, :1]), clock[:, 2:], seasons], dim=1)


def at(cycle: Tensor, clock: Tensor) -> Tensor:
    """The cycle's means at a time: (batch, channel)."""
    return (waves(clock)[:, None] * cycle).sum(-1)


def cycle_of(means: Tensor, clock: Tensor, years: float) -> Tensor:
    """The least-squares fit (channel, CYCLE) of global means (sample, channel) from so many ``years``.

    There is no season where a quarter of the year is missing, nor a harmonic of which half a wave is: it would go
    anywhere in between. Nor are there more harmonics than years: weather would be taken for them. Of samples of one
    hour, or of two that are 12 apart, what hours have in common is the mean's.
    """
    columns = waves(clock.double())
    phase = torch.atan2(clock[:, 1], clock[:, 0]).double().sort().values
    gap = float(torch.diff(phase, append=phase[:1] + 2 * math.pi).max())
    for number in range(1, HARMONICS + 1):
        columns[:, 1 + 2 * number : 3 + 2 * number] *= gap < math.pi / max(number, 2) and number <= round(years)
    columns[:, 1:3] *= columns[:, 1:3].std(0, correction=0) > FAINTEST
    middle = means.double().mean(0)
    fit: Tensor = torch.linalg.pinv(columns, rtol=FAINTEST)
    cycle = (fit @ (means.double() - middle)).T
    cycle[:, 0] += middle
    return cycle


def memory_of(before: Tensor, after: Tensor) -> tuple[Tensor, Tensor]:
    """Of anomalies (sample, channel) a step apart, what is ``kept`` and what is ``new`` of a Memory.

    The share kept is their correlation. What is new has the variances that keep those of the anomalies as they are, and
    the correlations between channels of what the shares leave.
    """
    variance = (before.square().mean(0) + after.square().mean(0)) / 2
    kept = ((before * after).mean(0) / variance.clamp(min=1e-30)).clamp(0, 1)
    left = after - kept * before
    alike = left / left.square().mean(0).sqrt().clamp(min=1e-30)
    size, along = torch.linalg.eigh(alike.T @ alike / len(alike))
    root = along * size.clamp(min=0).sqrt() @ along.T
    return kept.float(), ((variance * (1 - kept**2)).sqrt()[:, None] * root).float()


def _turned(pair: Tensor, angle: float) -> Tensor:
    """Cosine and sine (batch, 2) of a phase that is larger by an angle."""
    cosine, sine = pair.unbind(-1)
    turn = math.cos(angle), math.sin(angle)
    return torch.stack([cosine * turn[0] - sine * turn[1], sine * turn[0] + cosine * turn[1]], dim=-1)
