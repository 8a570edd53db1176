"""The processes: preconditioning identities, noise-level distributions and schedules."""

from __future__ import annotations

import math

import pytest
import torch

from data_pipeline.errors import ConfigError
from forecast.denoiser import Denoiser
from forecast.noise_levels import LogNormal, NoiseLevels, RhoSchedule, Uniform
from forecast.process import EDM, PROCESSES, FlowMatching, Process

LEVELS = torch.tensor([0.01, 0.3, 1.0, 5.0, 80.0], dtype=torch.float64)


@pytest.fixture(
    params=[FlowMatching(), FlowMatching(rho=2.0), EDM(), EDM(sigma_data=0.5)],
    ids=["flow", "flow-rho-2", "edm", "edm-half"],
)
def process(request: pytest.FixtureRequest) -> Process:
    process: Process = request.param
    return process


class Exact(torch.nn.Module):
    """The network that knows the answer: (clean - c_skip noisy) / c_out."""

    def __init__(self, process: Process, clean: torch.Tensor, noisy: torch.Tensor, s: torch.Tensor) -> None:
        super().__init__()
        c = process.coefficients(s)
        self.answer = (clean - c.c_skip[:, None, None, None] * noisy) / c.c_out[:, None, None, None]

    def forward(self, _fields: torch.Tensor, _condition: object) -> torch.Tensor:
        return self.answer


def test_exact_network_makes_an_exact_denoiser(process: Process) -> None:
    clean, noise = torch.randn(2, len(LEVELS), 1, 4, 8, dtype=torch.float64).unbind()
    noisy = clean + LEVELS[:, None, None, None] * noise
    denoiser = Denoiser(Exact(process, clean, noisy, LEVELS), process)
    got = denoiser(noisy, LEVELS, torch.zeros(len(LEVELS), 2, 4, 8), torch.ones(len(LEVELS)))
    torch.testing.assert_close(got, clean, rtol=1e-9, atol=1e-9)


def test_flow_matching_network_predicts_the_velocity() -> None:
    clean, noise = torch.randn(2, len(LEVELS), 1, 4, 8, dtype=torch.float64).unbind()
    noisy = clean + LEVELS[:, None, None, None] * noise
    answer = Exact(FlowMatching(), clean, noisy, LEVELS).answer
    torch.testing.assert_close(answer, noise - clean, rtol=1e-9, atol=1e-9)


def test_flow_matching_shows_the_network_the_straight_path() -> None:
    clean, noise = torch.randn(2, len(LEVELS), dtype=torch.float64).unbind()
    t = LEVELS / (1 + LEVELS)
    c = FlowMatching().coefficients(LEVELS)
    torch.testing.assert_close(c.c_in * (clean + LEVELS * noise), (1 - t) * clean + t * noise)
    torch.testing.assert_close(c.c_noise, t)
    torch.testing.assert_close(c.c_skip, c.c_in)


@pytest.mark.parametrize("sigma_data", [0.5, 1.0, 2.0])
def test_edm_input_and_target_have_unit_variance(sigma_data: float) -> None:
    """Karras et al. 2022, appendix B.6, for independent data and noise."""
    c = EDM(sigma_data=sigma_data).coefficients(LEVELS)
    variance_in = c.c_in**2 * (sigma_data**2 + LEVELS**2)
    variance_target = ((1 - c.c_skip) ** 2 * sigma_data**2 + c.c_skip**2 * LEVELS**2) / c.c_out**2
    torch.testing.assert_close(variance_in, torch.ones_like(LEVELS))
    torch.testing.assert_close(variance_target, torch.ones_like(LEVELS))


def test_edm_skip_makes_the_network_error_smallest() -> None:
    """c_skip minimises |c_out|, which is why the target's variance is what it is."""
    c = EDM().coefficients(LEVELS)
    for nudge in (-1e-3, 1e-3):
        assert ((1 - c.c_skip - nudge) ** 2 + (c.c_skip + nudge) ** 2 * LEVELS**2 > c.c_out**2).all()


def test_median_noise_levels() -> None:
    median = torch.zeros(1)
    assert FlowMatching().draw_noise_levels(median).item() == pytest.approx(math.exp(0.6)), "t/(1-t) = exp(logit t)"
    assert EDM().draw_noise_levels(median).item() == pytest.approx(math.exp(-0.4))


@pytest.mark.parametrize("kind", PROCESSES.values(), ids=PROCESSES)
@pytest.mark.parametrize(
    "levels", [LogNormal(0.1, 0.2), Uniform(), RhoSchedule()], ids=["log-normal", "uniform", "rho"]
)
def test_any_process_trains_with_any_noise_levels(kind: type[Process], levels: NoiseLevels) -> None:
    normal = torch.linspace(-3, 3, 7)
    assert torch.equal(kind(levels=levels).draw_noise_levels(normal), levels.draw(normal))


def test_velocity_and_denoiser_are_one() -> None:
    """Of any denoiser's estimate, (y - D) / s - D is the velocity that flow matching turns into it."""
    noisy, estimate = torch.randn(2, len(LEVELS), dtype=torch.float64).unbind()
    velocity = (noisy - estimate) / LEVELS - estimate
    c = FlowMatching().coefficients(LEVELS)
    torch.testing.assert_close(c.c_skip * noisy + c.c_out * velocity, estimate)


@pytest.mark.parametrize("steps", [1, 2, 8, 50])
def test_sampling_levels_descend_to_zero(process: Process, steps: int) -> None:
    levels = process.sampling_noise_levels(steps)
    assert levels.shape == (steps + 1,)
    assert levels.dtype == torch.float64
    assert (levels.diff() < 0).all()
    assert levels[-1] == 0
    assert (levels[:-1] > 0).all()


def test_sampling_starts_at_the_largest_level(process: Process) -> None:
    assert process.sampling_noise_levels(5)[0].item() == pytest.approx(process.largest_noise_level, rel=1e-12)
    assert process.sampling_noise_levels(1)[0].item() == pytest.approx(process.largest_noise_level, rel=1e-12)


def test_largest_and_smallest_levels_by_number() -> None:
    assert EDM().largest_noise_level == 80.0
    assert EDM().sampling_noise_levels(5)[4].item() == pytest.approx(0.03)
    assert FlowMatching().largest_noise_level == pytest.approx(99.0)


def test_flow_levels_are_even_in_t() -> None:
    levels = FlowMatching().sampling_noise_levels(10)
    t = levels / (1 + levels)
    torch.testing.assert_close(t.diff(), torch.full((10,), -0.099, dtype=torch.float64))


def test_flow_levels_may_crowd_towards_the_data() -> None:
    levels = FlowMatching(rho=2.0).sampling_noise_levels(10)
    t = levels / (1 + levels)
    torch.testing.assert_close(t.sqrt().diff(), torch.full((10,), -math.sqrt(0.99) / 10, dtype=torch.float64))


def test_every_process_has_its_name() -> None:
    assert set(PROCESSES) == {"flow_matching", "edm"}
    assert all(isinstance(kind().coefficients(torch.ones(1)).c_in, torch.Tensor) for kind in PROCESSES.values())


@pytest.mark.parametrize(
    ("kind", "wrong", "message"),
    [
        (FlowMatching, {"t_max": 1.0}, "t_max = 1, expected 0 < t_max < 1"),
        (FlowMatching, {"rho": 0.0}, "rho = 0, expected"),
        (EDM, {"sigma_min": 90.0}, "sigma_min = 90, sigma_max = 80"),
        (EDM, {"sigma_data": -1.0}, "sigma_data = -1"),
        (EDM, {"rho": 0.0}, "rho = 0, expected"),
    ],
)
def test_constants_that_mean_nothing_are_refused(kind: type[Process], wrong: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        kind(**wrong)  # type: ignore[arg-type]
