"""Distributions of noise levels for training, each drawn from standard normal numbers.

A noise level s >= 0 is the standard deviation of the noise added to clean data. On the straight path
x_t = (1-t) x + t e = (1-t) (x + s e) it is the odds of the path's time t: s = t / (1-t).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeVar

import torch
from torch import Tensor

from data_pipeline.errors import ConfigError

NoiseLevelName = Literal["log_normal", "logit_normal", "uniform", "rho_schedule"]
Number = TypeVar("Number", float, Tensor)


def level_at(t: Number) -> Number:
    """The noise level s = t / (1-t) of the straight path's time ``t``.

    >>> level_at(0.75)
    3.0
    """
    return t / (1 - t)


def time_at(s: Number) -> Number:
    """The straight path's time t = s / (1+s) of the noise level ``s``: the inverse of ``level_at``.

    >>> time_at(3.0)
    0.75
    """
    return s / (1 + s)


def check_between(low: float, high: float, **values: float) -> None:
    """Raise a ConfigError unless the values ascend strictly in the order given, between ``low`` and ``high``."""
    if not all(lower < higher for lower, higher in pairwise((low, *values.values(), high))):
        got = ", ".join(f"{name} = {value:g}" for name, value in values.items())
        expected = " < ".join((f"{low:g}", *values, f"{high:g}"))
        raise ConfigError(f"got {got}, expected {expected}; change one of them")


@dataclass(frozen=True)
class LogNormal:
    """ln s ~ N(mean, std^2) (Karras et al. 2022, table 1)."""

    mean: float = -0.4
    std: float = 1.2

    def __post_init__(self) -> None:
        check_between(0, math.inf, std=self.std)

    def draw(self, normal: Tensor) -> Tensor:
        """Noise levels from standard normal numbers, of their shape."""
        return torch.exp(self.mean + self.std * normal)


@dataclass(frozen=True)
class LogitNormal:
    """logit t ~ N(mean, std^2), held within [t_min, t_max] (Esser et al. 2024, eq. 19).

    As logit t = ln(t / (1-t)) = ln s, this is the log-normal of s with the same mean and std.
    """

    mean: float = 0.6
    std: float = 1.2
    t_min: float = 1e-3
    t_max: float = 0.99

    def __post_init__(self) -> None:
        check_between(0, math.inf, std=self.std)
        check_between(0, 1, t_min=self.t_min, t_max=self.t_max)

    def draw(self, normal: Tensor) -> Tensor:
        """Noise levels from standard normal numbers, of their shape."""
        return LogNormal(self.mean, self.std).draw(normal).clamp(level_at(self.t_min), level_at(self.t_max))


@dataclass(frozen=True)
class Uniform:
    """t evenly within [t_min, t_max], as flow matching first had it (Lipman et al. 2023, eq. 5)."""

    t_min: float = 1e-3
    t_max: float = 0.99

    def __post_init__(self) -> None:
        check_between(0, 1, t_min=self.t_min, t_max=self.t_max)

    def draw(self, normal: Tensor) -> Tensor:
        """Noise levels from standard normal numbers, of their shape."""
        t: Tensor = self.t_min + (self.t_max - self.t_min) * torch.special.ndtr(normal)
        return level_at(t)


@dataclass(frozen=True)
class RhoSchedule:
    """s^(1/rho) evenly within that of [s_min, s_max]: the sampling levels of Karras et al. (2022), eq. 5, at random.

    The defaults are those that GenCast trains with (Price et al. 2025; google-deepmind/graphcast, gencast.py,
    ``NoiseConfig``, and samplers_utils.py, ``rho_inverse_cdf``).
    """

    s_min: float = 0.02
    s_max: float = 88.0
    rho: float = 7.0

    def __post_init__(self) -> None:
        check_between(0, math.inf, s_min=self.s_min, s_max=self.s_max)
        check_between(0, math.inf, rho=self.rho)

    def quantile(self, probability: Tensor) -> Tensor:
        """The levels that a draw falls below with these probabilities, of their shape."""
        low, high = self.s_min ** (1 / self.rho), self.s_max ** (1 / self.rho)
        levels: Tensor = (low + probability * (high - low)) ** self.rho
        return levels

    def draw(self, normal: Tensor) -> Tensor:
        """Noise levels from standard normal numbers, of their shape."""
        return self.quantile(torch.special.ndtr(normal))


NoiseLevels = LogNormal | LogitNormal | Uniform | RhoSchedule
NOISE_LEVELS: dict[NoiseLevelName, type[LogNormal | LogitNormal | Uniform | RhoSchedule]] = {
    "log_normal": LogNormal,
    "logit_normal": LogitNormal,
    "uniform": Uniform,
    "rho_schedule": RhoSchedule,
}
