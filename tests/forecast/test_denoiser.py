"""The denoiser and its loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from forecast.denoiser import Denoiser
from forecast.process import EDM, FlowMatching, Process

if TYPE_CHECKING:
    from forecast.networks.embedding import Condition

SHAPE = (3, 2, 4, 8)
STEP = torch.tensor([1.0, 0.5, 1.0])


class Linear(torch.nn.Module):
    """A network that says a multiple of the noisy part, and remembers what it was shown."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor
        self.shown: torch.Tensor = torch.empty(0)
        self.condition: Condition | None = None

    def forward(self, fields: torch.Tensor, condition: Condition) -> torch.Tensor:
        self.shown, self.condition = fields, condition
        return self.factor * fields[:, : SHAPE[1]]


@pytest.fixture(params=[FlowMatching(), EDM()], ids=["flow", "edm"])
def process(request: pytest.FixtureRequest) -> Process:
    process: Process = request.param
    return process


def test_network_is_shown_scaled_noisy_data_then_what_is_known(process: Process) -> None:
    noisy, known, s = torch.randn(SHAPE), torch.randn(3, 5, 4, 8), torch.tensor([0.1, 1.0, 9.0])
    network = Linear(0.0)
    Denoiser(network, process)(noisy, s, known, STEP)
    c = process.coefficients(s)
    assert torch.equal(network.shown, torch.cat([c.c_in[:, None, None, None] * noisy, known], 1))
    assert network.condition is not None
    assert torch.equal(network.condition.noise_label, c.c_noise)
    assert torch.equal(network.condition.step, STEP)
    assert network.condition.latent is None


def test_global_noise_conditions_and_the_fields_are_what_is_known(process: Process) -> None:
    """The estimate is c_out F: there is no noisy field to keep a part of."""
    noisy, known, s = torch.randn(3, 6), torch.randn(3, 5, 4, 8), torch.tensor([0.1, 1.0, 9.0])
    network = Linear(0.3)
    estimate = Denoiser(network, process)(noisy, s, known, STEP)
    c = process.coefficients(s)
    assert torch.equal(network.shown, known)
    assert network.condition is not None
    assert network.condition.latent is not None
    assert torch.equal(network.condition.latent, c.c_in[:, None] * noisy)
    torch.testing.assert_close(estimate, c.c_out[:, None, None, None] * 0.3 * known[:, :2])


def test_loss_is_the_denoisers_error_over_c_out(process: Process) -> None:
    clean, noise = torch.randn(2, *SHAPE).unbind()
    known, s = torch.zeros(3, 1, 4, 8), torch.tensor([0.1, 1.0, 9.0])
    weights = torch.rand(4, 1)
    denoiser = Denoiser(Linear(0.3), process)
    error = denoiser(clean + s[:, None, None, None] * noise, s, known, STEP) - clean
    expected = (weights * (error / process.coefficients(s).c_out[:, None, None, None]) ** 2).mean()
    torch.testing.assert_close(denoiser.loss(clean, noise, s, known, STEP, weights), expected, rtol=1e-4, atol=1e-5)


def test_zero_network_of_flow_matching_has_loss_two() -> None:
    """The velocity e - x of independent unit noise and data has variance 2."""
    clean, noise = torch.randn(2, 500, 2, 4, 8).unbind()
    denoiser = Denoiser(Linear(0.0), FlowMatching())
    loss = denoiser.loss(
        clean, noise, torch.rand(500) * 9, torch.zeros(500, 1, 4, 8), torch.ones(500), torch.ones(4, 1)
    )
    assert loss.item() == pytest.approx(2.0, rel=0.03)


def test_loss_is_float32_under_autocast(process: Process) -> None:
    network = torch.nn.Sequential()
    network.forward = lambda fields, _condition: fields[:, :2].bfloat16()  # type: ignore[method-assign]
    denoiser = Denoiser(network, process)
    clean, noise = torch.randn(2, *SHAPE).unbind()
    known = torch.zeros(3, 1, 4, 8)
    assert denoiser.loss(clean, noise, torch.ones(3), known, STEP, torch.ones(4, 1)).dtype == torch.float32
    assert denoiser(clean, torch.ones(3), known, STEP).dtype == torch.float32
    assert denoiser(torch.randn(3, 6), torch.ones(3), torch.randn(3, 5, 4, 8), STEP).dtype == torch.float32
