"""The diffusion processes: four coefficients and a distribution of noise levels, one formula each.

Every process sees noisy data x + s e, with e of unit variance and s the noise level. A network F becomes the
denoiser D(x + s e; s) = c_skip (x + s e) + c_out F(c_in (x + s e); c_noise) (Karras et al. 2022, eq. 7).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import torch

if TYPE_CHECKING:
    from torch import Tensor

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

    The noise level is s = t / (1-t), so that x_t = (1-t) (x + s e). Levels are drawn with t logit-normal
    (Esser et al. 2024, eq. 19); samplers walk evenly in t.
    """

    logit_mean: float = 0.6
    logit_std: float = 1.2
    t_max: float = 0.99

    def coefficients(self, s: Tensor) -> Coefficients:
        """c_in = c_skip = 1-t, c_out = -t, c_noise = t."""
        t = s / (1 + s)
        return Coefficients(1 - t, 1 - t, -t, t)

    def draw_noise_levels(self, normal: Tensor) -> Tensor:
        """Noise levels for training from standard normal numbers."""
        t = torch.sigmoid(self.logit_mean + self.logit_std * normal).clamp(1e-3, self.t_max)
        return t / (1 - t)

    def sampling_noise_levels(self, steps: int) -> Tensor:
        """``steps + 1`` levels from the largest to 0, shape (steps + 1,), float64."""
        t = torch.linspace(self.t_max, 0.0, steps + 1, dtype=torch.float64)
        return t / (1 - t)


@dataclass(frozen=True)
class EDM:
    """Karras et al. (2022), table 1, for data of standard deviation sigma_data."""

    sigma_data: float = 1.0
    p_mean: float = -0.4
    p_std: float = 1.2
    sigma_min: float = 0.03
    sigma_max: float = 80.0
    rho: float = 7.0

    def coefficients(self, s: Tensor) -> Coefficients:
        """The preconditioning that keeps the network's input and target at unit variance."""
        total = s**2 + self.sigma_data**2
        return Coefficients(
            total.rsqrt(), self.sigma_data**2 / total, s * self.sigma_data * total.rsqrt(), torch.log(s) / 4
        )

    def draw_noise_levels(self, normal: Tensor) -> Tensor:
        """Log-normal noise levels for training from standard normal numbers."""
        return torch.exp(self.p_mean + self.p_std * normal)

    def sampling_noise_levels(self, steps: int) -> Tensor:
        """Eq. 5: evenly spaced in s^(1/rho), then 0; shape (steps + 1,), float64."""
        ramp = torch.linspace(0, 1, steps, dtype=torch.float64)
        low, high = self.sigma_min ** (1 / self.rho), self.sigma_max ** (1 / self.rho)
        levels = (high + ramp * (low - high)) ** self.rho
        return torch.cat([levels, torch.zeros(1, dtype=torch.float64)])


Process = FlowMatching | EDM
PROCESSES: dict[ProcessName, type[FlowMatching | EDM]] = {"flow_matching": FlowMatching, "edm": EDM}
