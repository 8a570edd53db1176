"""The samplers against the exact probability flow of Gaussian data, whose best denoiser is known."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from forecast.process import EDM, FlowMatching, Process
from forecast.samplers import SAMPLERS, euler, heun

MEAN = torch.tensor([1.5, -0.5, 0.0], dtype=torch.float64)
STD = torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64)
"""Per channel; with independent channels the covariance is diagonal."""

Sampler = Callable[..., torch.Tensor]


def denoise(x: torch.Tensor, s: torch.Tensor) -> torch.Tensor:
    """E[clean | x = clean + s e] of N(MEAN, STD^2)."""
    gain = STD[:, None, None] ** 2 / (STD[:, None, None] ** 2 + s[:, None, None, None].double() ** 2)
    return MEAN[:, None, None] + gain * (x - MEAN[:, None, None])


def exact(noise: torch.Tensor, largest: float) -> torch.Tensor:
    """dx/ds = s (x - mean) / (std^2 + s^2), solved: (x - mean) / sqrt(std^2 + s^2) is constant."""
    mean, std = MEAN[:, None, None], STD[:, None, None]
    return mean + std / (std**2 + largest**2).sqrt() * (largest * noise - mean)


def error(sampler: Sampler, process: Process, steps: int) -> float:
    noise = torch.randn(4, 3, 2, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    levels = process.sampling_noise_levels(steps)
    return float((sampler(denoise, noise, levels) - exact(noise, float(levels[0]))).abs().max())


@pytest.mark.parametrize(("sampler", "order"), [(euler, 1), (heun, 2)])
@pytest.mark.parametrize("process", [FlowMatching(), EDM(sigma_min=1e-4)], ids=["flow", "edm"])
def test_halving_the_step_divides_the_error_by_two_to_the_order(sampler: Sampler, order: int, process: Process) -> None:
    coarse, fine = error(sampler, process, 128), error(sampler, process, 256)
    assert coarse / fine == pytest.approx(2**order, rel=0.25)


@pytest.mark.parametrize("process", [FlowMatching(), EDM(sigma_min=1e-3)], ids=["flow", "edm"])
def test_converges_to_the_exact_flow(process: Process) -> None:
    assert error(heun, process, 500) < 2e-3
    assert error(heun, process, 40) < error(euler, process, 40)


@pytest.mark.parametrize("process", [FlowMatching(), EDM()], ids=["flow", "edm"])
def test_samples_have_the_mean_and_spread_of_the_data(process: Process) -> None:
    noise = torch.randn(500, 3, 4, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    drawn = heun(denoise, noise, process.sampling_noise_levels(60))
    torch.testing.assert_close(drawn.mean((0, 2, 3)), MEAN, atol=0.1, rtol=0)
    torch.testing.assert_close(drawn.std((0, 2, 3)), STD, rtol=0.05, atol=0)


@pytest.mark.parametrize(("process", "worst"), [(FlowMatching(), 0.03), (EDM(), 0.06)], ids=["flow", "edm"])
def test_heun_in_eight_steps_keeps_the_spread_of_unit_data(process: Process, worst: float) -> None:
    """What the shipped experiments use: a trapezoid in s instead of t would be 20 % off."""

    def unit(x: torch.Tensor, s: torch.Tensor) -> torch.Tensor:
        return x / (1 + s[:, None, None, None] ** 2)

    spread = heun(unit, torch.ones(1, 1, 1, 1), process.sampling_noise_levels(8)).item()
    assert spread == pytest.approx(1, abs=worst)


@pytest.mark.parametrize("sampler", SAMPLERS.values(), ids=SAMPLERS)
def test_one_step_is_the_clean_estimate_of_pure_noise(sampler: Sampler) -> None:
    noise = torch.randn(2, 3, 2, 2, dtype=torch.float64)
    got = sampler(denoise, noise, torch.tensor([7.0, 0.0], dtype=torch.float64))
    torch.testing.assert_close(got, denoise(7 * noise, torch.full((2,), 7.0)))


@pytest.mark.parametrize(("name", "evaluations"), [("euler", 5), ("heun", 9)])
def test_number_of_evaluations(name: str, evaluations: int) -> None:
    seen = []

    def counted(x: torch.Tensor, s: torch.Tensor) -> torch.Tensor:
        assert s.shape == (x.shape[0],)
        assert s.dtype == x.dtype
        seen.append(float(s[0]))
        return denoise(x, s).float()

    SAMPLERS[name](counted, torch.randn(2, 3, 2, 2), FlowMatching().sampling_noise_levels(5))  # type: ignore[index]
    assert len(seen) == evaluations
    assert min(seen) > 0, "the denoiser is never asked at noise level 0"


@pytest.mark.parametrize("sampler", SAMPLERS.values(), ids=SAMPLERS)
def test_precision_and_shape_are_those_of_the_noise(sampler: Sampler) -> None:
    noise = torch.randn(2, 3, 2, 4)
    drawn = sampler(lambda x, s: denoise(x, s).float(), noise, EDM().sampling_noise_levels(4))
    assert drawn.dtype == torch.float32
    assert drawn.shape == noise.shape


def test_an_euler_step_walks_straight_in_t() -> None:
    """x_t = (1-t) x must move along the velocity e - x, evaluated once."""
    noise = torch.randn(1, 3, 2, 2, dtype=torch.float64)
    levels = torch.tensor([99.0, 1.0, 0.0], dtype=torch.float64)
    t = levels / (1 + levels)
    start = t[0] * noise
    velocity = (99 * noise - denoise(99 * noise, torch.tensor([99.0]))) / 99 - denoise(99 * noise, torch.tensor([99.0]))
    landed = start + (t[1] - t[0]) * velocity
    got = {}

    def spy(x: torch.Tensor, s: torch.Tensor) -> torch.Tensor:
        got[float(s[0])] = x
        return denoise(x, s)

    euler(spy, noise, levels)
    torch.testing.assert_close(got[1.0] * (1 - t[1]), landed)
