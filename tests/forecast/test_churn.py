"""Stochastic sampling: the same distribution from other noise, and GenCast's settings by number."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
import torch

from data_pipeline.errors import ConfigError
from forecast.process import EDM
from forecast.samplers import STEPS, Churn, SamplerName, sample
from tests.forecast.gaussian_data import DATA, SHAPE, STDS, denoise, sampled

if TYPE_CHECKING:
    from torch import Tensor

EXACT = Churn(inflation=1.0)
"""What an exact denoiser needs."""

WIDE = EDM(sigma_min=1e-3, sigma_max=1e3)
"""Begins and ends so near the data's flow that what is left is the error of the steps."""


def error(name: SamplerName, steps: int, churn: Churn) -> float:
    return sampled(name, WIDE.sampling_noise_levels(steps), churn).distance(DATA)


@pytest.mark.parametrize(("name", "order"), [("euler", 1), ("heun", 2), ("dpmpp_2s", 2)])
def test_converges_to_the_data_with_the_order_of_the_sampler(name: SamplerName, order: int) -> None:
    assert error(name, 64, EXACT) / error(name, 128, EXACT) == pytest.approx(2**order, rel=0.1)


@pytest.mark.parametrize("name", STEPS)
def test_much_churn_leads_to_the_data_as_well(name: SamplerName) -> None:
    much = Churn(rate=20.0, s_min=0.05, inflation=1.0)
    assert error(name, 256, much) < (0.5 if name == "euler" else 0.02)
    assert error(name, 256, much) < error(name, 64, much) / 1.6


def test_fresh_noise_takes_the_place_of_the_first() -> None:
    """Of the same spread, samples depend less on where they began."""
    levels = EDM().sampling_noise_levels(20)

    def of_first_noise(churn: Churn | None) -> float:
        noise = torch.eye(4, dtype=torch.float64).reshape(4, *SHAPE)
        still = torch.zeros_like(noise)
        drawn = sample("dpmpp_2s", denoise, noise, levels, churn=churn, fresh=lambda _k: still)
        return float((drawn - drawn.mean(0)).square().sum())

    assert of_first_noise(EXACT) < 0.5 * of_first_noise(None)


def test_inflation_widens_the_samples() -> None:
    levels = EDM().sampling_noise_levels(40)
    exact, inflated = sampled("midpoint", levels, EXACT), sampled("midpoint", levels, Churn())
    assert (torch.linalg.eigvalsh(inflated.covariance - exact.covariance) > -1e-9).all()
    assert inflated.covariance.trace() > 1.03 * exact.covariance.trace()
    torch.testing.assert_close(inflated.mean, exact.mean)


def test_one_step_rises_to_twice_the_variance_and_no_more() -> None:
    """Karras et al. 2022, algorithm 2: gamma is at most sqrt(2) - 1."""
    noise, more = torch.randn(2, 3, *SHAPE, dtype=torch.float64)
    got = sample("euler", denoise, noise, torch.tensor([5.0, 0.0]), churn=Churn(rate=9.0), fresh=lambda _k: more)
    raised = torch.full((3,), 5 * math.sqrt(2), dtype=torch.float64)
    torch.testing.assert_close(got, denoise(5 * noise + 1.05 * 5 * more, raised))


def test_gencast_by_number() -> None:
    """20 levels, rho 7, 0.03 to 80, churn 2.5 above 0.75, inflation 1.05; 39 evaluations (Price et al. 2025)."""
    assert Churn() == Churn(rate=2.5, s_min=0.75, s_max=math.inf, inflation=1.05)
    levels = EDM().sampling_noise_levels(20)
    asked: list[float] = []
    stirred: list[int] = []

    def counted(x: Tensor, s: Tensor) -> Tensor:
        asked.append(float(s[0]))
        return denoise(x, s)

    def fresh(k: int) -> Tensor:
        stirred.append(k)
        return torch.randn(1, *SHAPE, dtype=torch.float64)

    sample("dpmpp_2s", counted, torch.randn(1, *SHAPE, dtype=torch.float64), levels, churn=Churn(), fresh=fresh)
    assert len(asked) == 39
    assert stirred == [k for k, s in enumerate(levels[:-1].tolist()) if s >= 0.75]
    assert asked[0] == pytest.approx(80 * 1.125)
    assert asked[1] == pytest.approx(math.sqrt(90 * levels[1].item()))
    assert asked[-1] == pytest.approx(0.03)


def test_churn_is_confined_to_its_levels() -> None:
    churn = Churn(rate=2.0, s_min=0.1, s_max=10.0)
    assert [churn.raised(s, 20) for s in (0.09, 0.1, 10.0, 11.0)] == pytest.approx([0.09, 0.11, 11.0, 11.0])


def test_samples_by_the_thousand_have_the_spread_of_the_data() -> None:
    """The same as the exact propagation says, with random numbers in place of unit vectors."""
    generator = torch.Generator().manual_seed(5)

    def draw(_k: int = 0) -> Tensor:
        return torch.randn(4000, *SHAPE, generator=generator, dtype=torch.float64)

    drawn = sample("midpoint", denoise, draw(), EDM().sampling_noise_levels(20), churn=EXACT, fresh=draw).reshape(-1, 4)
    torch.testing.assert_close(torch.linalg.eigvalsh(drawn.T.cov()).sqrt(), STDS, rtol=0.05, atol=0)


def test_without_fresh_noise_there_is_no_churn() -> None:
    with pytest.raises(ConfigError, match="churn without fresh noise; give fresh"):
        sample("euler", denoise, torch.zeros(1, *SHAPE), torch.tensor([1.0, 0.0]), churn=Churn())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"rate": 0.0}, "rate = 0, expected 0 < rate < inf"),
        ({"inflation": -1.0}, "inflation = -1"),
        ({"s_min": 2.0, "s_max": 1.0}, "s_min = 2, expected -inf < s_min < 1"),
    ],
)
def test_settings_that_mean_nothing_are_refused(wrong: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Churn(**wrong)
