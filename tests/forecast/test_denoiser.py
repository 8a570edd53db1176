"""The denoiser and its loss."""

from __future__ import annotations

import pytest
import torch

from forecast.denoiser import Denoiser
from forecast.process import EDM, FlowMatching, Process

SHAPE = (3, 2, 4, 8)


class Linear(torch.nn.Module):
    """A network that says a multiple of the noisy part, and remembers what it was shown."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor
        self.shown: torch.Tensor = torch.empty(0)
        self.label: torch.Tensor = torch.empty(0)

    def forward(self, fields: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        self.shown, self.label = fields, label
        return self.factor * fields[:, : SHAPE[1]]


@pytest.fixture(params=[FlowMatching(), EDM()], ids=["flow", "edm"])
def process(request: pytest.FixtureRequest) -> Process:
    process: Process = request.param
    return process


def test_network_is_shown_scaled_noisy_data_then_the_condition(process: Process) -> None:
    noisy, condition, s = torch.randn(SHAPE), torch.randn(3, 5, 4, 8), torch.tensor([0.1, 1.0, 9.0])
    network = Linear(0.0)
    Denoiser(network, process)(noisy, s, condition)
    c = process.coefficients(s)
    assert torch.equal(network.shown, torch.cat([c.c_in[:, None, None, None] * noisy, condition], 1))
    assert torch.equal(network.label, c.c_noise)


def test_loss_is_the_denoisers_error_over_c_out(process: Process) -> None:
    clean, noise = torch.randn(2, *SHAPE).unbind()
    condition, s = torch.zeros(3, 1, 4, 8), torch.tensor([0.1, 1.0, 9.0])
    weights = torch.rand(4, 1)
    denoiser = Denoiser(Linear(0.3), process)
    error = denoiser(clean + s[:, None, None, None] * noise, s, condition) - clean
    expected = (weights * (error / process.coefficients(s).c_out[:, None, None, None]) ** 2).mean()
    torch.testing.assert_close(denoiser.loss(clean, noise, s, condition, weights), expected, rtol=1e-4, atol=1e-5)


def test_zero_network_of_flow_matching_has_loss_two() -> None:
    """The velocity e - x of independent unit noise and data has variance 2."""
    clean, noise = torch.randn(2, 500, 2, 4, 8).unbind()
    denoiser = Denoiser(Linear(0.0), FlowMatching())
    loss = denoiser.loss(clean, noise, torch.rand(500) * 9, torch.zeros(500, 1, 4, 8), torch.ones(4, 1))
    assert loss.item() == pytest.approx(2.0, rel=0.03)


def test_loss_is_float32_under_autocast(process: Process) -> None:
    network = torch.nn.Sequential()
    network.forward = lambda fields, _label: fields[:, :2].bfloat16()  # type: ignore[method-assign]
    denoiser = Denoiser(network, process)
    clean, noise = torch.randn(2, *SHAPE).unbind()
    condition = torch.zeros(3, 1, 4, 8)
    assert denoiser.loss(clean, noise, torch.ones(3), condition, torch.ones(4, 1)).dtype == torch.float32
    assert denoiser(clean, torch.ones(3), condition).dtype == torch.float32
