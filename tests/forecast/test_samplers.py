"""The samplers against the exact flow of correlated Gaussian data (gaussian_data.py)."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, get_args

import pytest
import torch

from forecast.process import EDM, FlowMatching
from forecast.samplers import STEPS, SamplerName, sample
from tests.forecast.gaussian_data import DATA, SHAPE, denoise, sampled, transported

if TYPE_CHECKING:
    from forecast.process import Process
    from tests.forecast.gaussian_data import Moments

ORDERS: dict[SamplerName, int] = {"euler": 1, "heun": 2, "midpoint": 2, "dpmpp_2s": 2}

every_process = pytest.mark.parametrize(
    "process", [FlowMatching(), FlowMatching(rho=2.0), EDM()], ids=["flow", "flow-rho-2", "edm"]
)
every_sampler = pytest.mark.parametrize("name", STEPS)


def limit(process: Process) -> Moments:
    """What infinitely many steps would draw."""
    return transported(process.largest_noise_level, process.sigma_min if isinstance(process, EDM) else 0.0)


def error(name: SamplerName, process: Process, steps: int) -> float:
    return sampled(name, process.sampling_noise_levels(steps)).distance(limit(process))


def test_every_sampler_has_its_step() -> None:
    assert set(STEPS) == set(ORDERS) == set(get_args(SamplerName))


@every_process
def test_the_exact_flow_ends_at_the_data(process: Process) -> None:
    """But for the start, which is noise alone, and for the level of the last clean estimate."""
    assert limit(process).distance(DATA) < 0.03
    assert transported(1e6).distance(DATA) < 1e-5


@every_process
@pytest.mark.parametrize(("name", "order"), ORDERS.items())
def test_halving_the_step_divides_the_error_by_two_to_the_order(
    name: SamplerName, order: int, process: Process
) -> None:
    ratio = error(name, process, 128) / error(name, process, 256)
    assert ratio > 2**order * 0.95
    assert ratio < 2**order * 1.05 or name == "midpoint"


@pytest.mark.parametrize("process", [FlowMatching(rho=2.0), EDM()], ids=["flow-rho-2", "edm"])
def test_the_midpoint_is_of_third_order_for_gaussian_data(process: Process) -> None:
    assert error("midpoint", process, 128) / error("midpoint", process, 256) == pytest.approx(8, rel=0.05)


@every_process
@every_sampler
def test_samples_have_the_mean_and_covariance_of_the_data(name: SamplerName, process: Process) -> None:
    assert error(name, process, 256) < (0.08 if ORDERS[name] == 1 else 2e-3)


@every_process
@every_sampler
def test_more_steps_are_better_from_the_first(name: SamplerName, process: Process) -> None:
    errors = [error(name, process, steps) for steps in (1, 2, 4, 8, 16, 32)]
    assert all(more < fewer for fewer, more in pairwise(errors)), errors


def spread_error(name: SamplerName, process: Process, std: float) -> float:
    """Of one-dimensional Gaussian data with mean 0, in 8 steps."""
    drawn = sample(
        name,
        lambda x, s: std**2 / (std**2 + s[:, None] ** 2) * x,
        torch.ones(1, 1, dtype=torch.float64),
        process.sampling_noise_levels(8),
    )
    return abs(drawn.item()) / std - 1


@pytest.mark.parametrize(("process", "worst"), [(FlowMatching(), 0.03), (EDM(), 0.06)], ids=["flow", "edm"])
def test_heun_in_eight_steps_keeps_the_spread_of_unit_data(process: Process, worst: float) -> None:
    """What the shipped experiments use: a trapezoid in s instead of t would be 20 % off."""
    assert spread_error("heun", process, 1.0) == pytest.approx(0, abs=worst)


def test_midpoint_with_levels_near_the_data_keeps_the_spread_of_narrow_data() -> None:
    worst = max(abs(spread_error("midpoint", FlowMatching(rho=2.0), std)) for std in (0.1, 0.2, 0.5, 1.0, 1.5))
    assert worst < 0.02
    assert spread_error("midpoint", FlowMatching(), 0.1) == pytest.approx(-0.42, abs=0.01)


@every_sampler
def test_one_step_is_the_clean_estimate_of_pure_noise(name: SamplerName) -> None:
    noise = torch.randn(2, *SHAPE, dtype=torch.float64)
    got = sample(name, denoise, noise, torch.tensor([7.0, 0.0], dtype=torch.float64))
    assert torch.equal(got, denoise(7 * noise, torch.full((2,), 7.0)))


@every_sampler
def test_one_step_takes_noise_of_any_shape(name: SamplerName) -> None:
    """A global vector conditions one-step models (FGN); what comes out is a field."""
    vector = torch.randn(3, 5, dtype=torch.float64)

    def generate(x: torch.Tensor, s: torch.Tensor) -> torch.Tensor:
        return (x / s[:, None]).sum(1)[:, None, None, None] * torch.ones(SHAPE)

    got = sample(name, generate, vector, torch.tensor([80.0, 0.0], dtype=torch.float64))
    torch.testing.assert_close(got[:, 0, 0, 0], vector.sum(1))
    assert got.shape == (3, *SHAPE)


@pytest.mark.parametrize(("name", "of_twenty"), [("euler", 20), ("heun", 39), ("midpoint", 39), ("dpmpp_2s", 39)])
@pytest.mark.parametrize("process", [FlowMatching(), EDM()], ids=["flow", "edm"])
def test_number_of_evaluations(name: SamplerName, of_twenty: int, process: Process) -> None:
    seen = []

    def counted(x: torch.Tensor, s: torch.Tensor) -> torch.Tensor:
        assert s.shape == (x.shape[0],)
        assert s.dtype == x.dtype
        seen.append(float(s[0]))
        return denoise(x, s).float()

    sample(name, counted, torch.randn(2, *SHAPE), process.sampling_noise_levels(20))
    assert len(seen) == of_twenty
    assert min(seen) > 0, "the denoiser is never asked at noise level 0"
    assert max(seen) == seen[0] == pytest.approx(process.largest_noise_level)


@every_sampler
def test_precision_and_shape_are_those_of_the_noise(name: SamplerName) -> None:
    noise = torch.randn(2, *SHAPE)
    drawn = sample(name, lambda x, s: denoise(x, s).float(), noise, EDM().sampling_noise_levels(4))
    assert drawn.dtype == torch.float32
    assert drawn.shape == noise.shape


@every_sampler
def test_no_value_of_the_samples_is_ever_read(name: SamplerName) -> None:
    """Tensors without values stand for those of a GPU, which every reading would wait for."""
    noise = torch.randn(2, *SHAPE, device="meta")
    drawn = sample(name, lambda x, s: x / (1 + s[:, None, None, None]), noise, FlowMatching().sampling_noise_levels(4))
    assert drawn.device.type == "meta"


@every_sampler
def test_gradients_reach_the_denoiser(name: SamplerName) -> None:
    """Training on the samples of a few steps needs them."""
    gain = torch.ones((), dtype=torch.float64, requires_grad=True)
    noise = torch.randn(2, *SHAPE, dtype=torch.float64)
    drawn = sample(name, lambda x, s: gain * denoise(x, s), noise, FlowMatching().sampling_noise_levels(3))
    (slope,) = torch.autograd.grad(drawn.sum(), gain)
    assert slope.isfinite()
    assert slope != 0


def test_a_batch_is_sampled_one_by_one() -> None:
    noise = torch.randn(3, *SHAPE, dtype=torch.float64)
    levels = EDM().sampling_noise_levels(6)
    together = sample("dpmpp_2s", denoise, noise, levels)
    alone = torch.cat([sample("dpmpp_2s", denoise, one[None], levels) for one in noise])
    torch.testing.assert_close(together, alone)
