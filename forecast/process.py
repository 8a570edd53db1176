"""The diffusion processes: four coefficients and a distribution of noise levels, one formula each.

Every process sees noisy data x + s e, with e of unit variance and s the noise level. A network F becomes the
denoiser D(x + s e; s) = c_skip (x + s e) + c_out F(c_in (x + s e); c_noise) (Karras et al. 2022, eq. 7).

Flow matching and EDM are this with other coefficients. A velocity network is a denoiser: with t = s / (1+s) and
y = x + s e, the straight path is at x_t = (1-t) y, and from v = e - x follows x = x_t - t v = (1-t) y - t v. A
denoiser is a velocity network: v = (y - D) / s - D. So every sampler serves both (forecast/samplers.py), and so does
every distribution of noise levels (forecast/noise_levels.py).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import torch

from forecast.noise_levels import LogitNormal, LogNormal, RhoSchedule, check_between, level_at, time_at

if TYPE_CHECKING:
    from torch import Tensor

    from forecast.noise_levels import NoiseLevels

ProcessName = Literal["flow_matching", "edm"]


class Coefficients(NamedTuple):
    """Preconditioning at given noise levels, each of the shape of the levels."""

    c_in: Tensor
    c_skip: Tensor
    c_out: Tensor
    c_noise: Tensor


@dataclass(frozen=True)
class FlowMatching:
    """The straight path x_t = (1-t) x + t e (Lipman et al. 2023; Liu et al. 2023), whose network is the velocity e - x.

    The noise level is s = t / (1-t), so that x_t = (1-t) (x + s e). ``levels`` is what training draws from; samplers
    walk from ``t_max`` to 0, evenly in t^(1/rho): evenly in t by default. A ``rho`` of 2 has more of the levels near
    the data. With ``midpoint``, 8 steps then keep the spread of Gaussian data of standard deviation 0.1 to 1.5 within
    2 %; even steps lose 42 % of the narrowest.
    """

    levels: NoiseLevels = LogitNormal()  # noqa: RUF009
    t_max: float = 0.99
    rho: float = 1.0

    def __post_init__(self) -> None:
        check_between(0, 1, t_max=self.t_max)
        check_between(0, math.inf, rho=self.rho)

    @property
    def largest_noise_level(self) -> float:
        """Where sampling starts, from noise alone."""
        return level_at(self.t_max)

    def coefficients(self, s: Tensor) -> Coefficients:
        """c_in = c_skip = 1-t, c_out = -t, c_noise = t."""
        t = time_at(s)
        return Coefficients(1 - t, 1 - t, -t, t)

    def draw_noise_levels(self, normal: Tensor) -> Tensor:
        """Noise levels for training from standard normal numbers, of their shape."""
        return self.levels.draw(normal)

    def sampling_noise_levels(self, steps: int) -> Tensor:
        """``steps + 1`` levels from the largest to 0, shape (steps + 1,), float64."""
        return level_at(self.t_max * torch.linspace(1, 0, steps + 1, dtype=torch.float64) ** self.rho)


@dataclass(frozen=True)
class EDM:
    """Karras et al. (2022), table 1, for data of standard deviation sigma_data; sampling range as GenCast has it."""

    levels: NoiseLevels = LogNormal()  # noqa: RUF009
    sigma_data: float = 1.0
    sigma_min: float = 0.03
    sigma_max: float = 80.0
    rho: float = 7.0

    def __post_init__(self) -> None:
        check_between(0, math.inf, sigma_min=self.sigma_min, sigma_max=self.sigma_max)
        check_between(0, math.inf, sigma_data=self.sigma_data)
        check_between(0, math.inf, rho=self.rho)

    @property
    def largest_noise_level(self) -> float:
        """Where sampling starts, from noise alone."""
        return self.sigma_max

    def coefficients(self, s: Tensor) -> Coefficients:
        """The preconditioning that keeps the network's input and target at unit variance."""
        total = s**2 + self.sigma_data**2
        return Coefficients(
            total.rsqrt(), self.sigma_data**2 / total, s * self.sigma_data * total.rsqrt(), torch.log(s) / 4
        )

    def draw_noise_levels(self, normal: Tensor) -> Tensor:
        """Noise levels for training from standard normal numbers, of their shape."""
        return self.levels.draw(normal)

    def sampling_noise_levels(self, steps: int) -> Tensor:
        """Eq. 5: evenly spaced in s^(1/rho), then 0; shape (steps + 1,), float64."""
        schedule = RhoSchedule(self.sigma_min, self.sigma_max, self.rho)
        levels = schedule.quantile(torch.linspace(1, 0, steps, dtype=torch.float64))
        return torch.cat([levels, torch.zeros(1, dtype=torch.float64)])


Process = FlowMatching | EDM
PROCESSES: dict[ProcessName, type[FlowMatching | EDM]] = {"flow_matching": FlowMatching, "edm": EDM}
