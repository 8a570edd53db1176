"""One step of each sampler against its paper's formula, written out as it stands there."""

from __future__ import annotations

import math

import pytest
import torch

from forecast.samplers import STEPS, SamplerName
from tests.forecast.gaussian_data import SHAPE, denoise

PAIRS = [(80.0, 20.0), (99.0, 0.5), (1.0, 0.9), (0.3, 0.03)]
steps_between_levels = pytest.mark.parametrize(("s", "s_next"), PAIRS)


def noisy(s: float) -> torch.Tensor:
    return (1 + s) * torch.randn(2, *SHAPE, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


def clean(x: torch.Tensor, s: float) -> torch.Tensor:
    return denoise(x, torch.full((2,), s, dtype=torch.float64))


def velocity(x_t: torch.Tensor, t: float) -> torch.Tensor:
    """e - x at x_t = (1-t) x + t e, from the denoiser of x_t / (1-t) = x + s e."""
    return (x_t - clean(x_t / (1 - t), t / (1 - t))) / t


def along_the_straight_path(name: SamplerName, s: float, s_next: float) -> tuple[torch.Tensor, torch.Tensor]:
    """What the step gives, as a point of the path, and where it started there."""
    x = noisy(s)
    return STEPS[name](denoise, x, s, s_next) / (1 + s_next), x / (1 + s)


@steps_between_levels
def test_euler_is_straight_in_t(s: float, s_next: float) -> None:
    got, start = along_the_straight_path("euler", s, s_next)
    t, t_next = s / (1 + s), s_next / (1 + s_next)
    torch.testing.assert_close(got, start + (t_next - t) * velocity(start, t))


@steps_between_levels
def test_euler_is_that_of_edm(s: float, s_next: float) -> None:
    """Karras et al. 2022, algorithm 1, lines 4 and 5."""
    x = noisy(s)
    d = (x - clean(x, s)) / s
    torch.testing.assert_close(STEPS["euler"](denoise, x, s, s_next), x + (s_next - s) * d)


@steps_between_levels
def test_heun_is_the_trapezoid_in_t(s: float, s_next: float) -> None:
    got, start = along_the_straight_path("heun", s, s_next)
    t, t_next = s / (1 + s), s_next / (1 + s_next)
    slope = velocity(start, t)
    end = start + (t_next - t) * slope
    torch.testing.assert_close(got, start + (t_next - t) / 2 * (slope + velocity(end, t_next)))


@steps_between_levels
def test_midpoint_is_that_of_t(s: float, s_next: float) -> None:
    got, start = along_the_straight_path("midpoint", s, s_next)
    t, t_next = s / (1 + s), s_next / (1 + s_next)
    halfway = start + (t_next - t) / 2 * velocity(start, t)
    torch.testing.assert_close(got, start + (t_next - t) * velocity(halfway, (t + t_next) / 2))


@steps_between_levels
def test_dpmpp_2s_is_algorithm_1_of_the_paper(s: float, s_next: float) -> None:
    """Lu et al. 2022, algorithm 1 with alpha = 1, sigma = s, lambda = -ln s and r = 1/2."""
    x, r = noisy(s), 0.5
    h = -math.log(s_next) + math.log(s)
    s_mid = math.exp(math.log(s) - r * h)
    first = clean(x, s)
    u = s_mid / s * x - math.expm1(-r * h) * first
    mixed = (1 - 1 / (2 * r)) * first + 1 / (2 * r) * clean(u, s_mid)
    torch.testing.assert_close(STEPS["dpmpp_2s"](denoise, x, s, s_next), s_next / s * x - math.expm1(-h) * mixed)
