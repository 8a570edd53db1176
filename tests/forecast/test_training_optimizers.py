"""The learning rate, AdamW and Muon, and the average of the weights."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
import torch

from data_pipeline.config import Period
from forecast.training.config import TrainingConfig
from forecast.training.ema import MovingAverage
from forecast.training.optimizers import Optimizers, learning_rate

if TYPE_CHECKING:
    from collections.abc import Callable

    from forecast.denoiser import Denoiser
    from forecast.forecaster import Forecaster

INSIDE = ("down.", "up.", "middle.")


def config(**changes: Any) -> TrainingConfig:
    values: dict[str, Any] = {
        "folder": "run", "steps": 100, "learning_rate": 0.1, "warmup_steps": 10,
        "validation_period": Period(start="2000-01-01", stop="2000-02-01"),
    }  # fmt: skip
    return TrainingConfig(**{**values, **changes})


def copied(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in module.named_parameters()}


def stepped(denoiser: Denoiser, optimizers: Optimizers, step: int) -> None:
    """One step along gradients that are functions of the step."""
    generator = torch.Generator().manual_seed(step)
    for value in denoiser.parameters():
        value.grad = torch.randn(value.shape, generator=generator).to(memory_format=torch.preserve_format)
    optimizers.step(step)


@pytest.fixture
def denoiser(make_forecaster: Callable[..., Forecaster]) -> Denoiser:
    made = make_forecaster().denoiser
    made.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return made


# the learning rate


@pytest.mark.parametrize("schedule", ["cosine", "cooldown"])
def test_warm_up_is_linear(schedule: str) -> None:
    made = config(schedule=schedule, steps=10**6)
    assert [learning_rate(step, made) for step in range(10)] == pytest.approx([0.01 * n for n in range(1, 11)])
    assert learning_rate(0, config(schedule=schedule, warmup_steps=0)) == 0.1


def test_cosine_has_its_closed_form() -> None:
    made = config(warmup_steps=0)
    assert learning_rate(50, made) == pytest.approx(0.05)
    assert learning_rate(25, made) == pytest.approx(0.1 * (2 + math.sqrt(2)) / 4)
    assert learning_rate(99, made) == pytest.approx(0.1 * math.sin(math.pi / 200) ** 2)


def test_cooldown_is_constant_then_linear_to_zero() -> None:
    made = config(schedule="cooldown", cooldown_share=0.2)
    assert {learning_rate(step, made) for step in range(9, 81)} == {0.1}
    assert [learning_rate(step, made) for step in (85, 90, 99)] == pytest.approx([0.075, 0.05, 0.005])
    assert learning_rate(100, made) == 0


def test_a_warm_up_that_meets_the_cooldown_is_multiplied() -> None:
    made = config(schedule="cooldown", cooldown_share=1.0, warmup_steps=99)
    assert learning_rate(49, made) == pytest.approx(0.1 * (50 / 99) * 0.51)


def test_the_optimisers_follow_the_schedule(denoiser: Denoiser) -> None:
    made = config(optimizer="muon", warmup_steps=4)
    optimizers = Optimizers(denoiser, made)
    for step in (0, 1):
        stepped(denoiser, optimizers, step)
        rates = {group["lr"] for one in optimizers.all for group in one.param_groups}
        assert rates == {learning_rate(step, made)}


# AdamW and Muon


def places(optimizers: Optimizers) -> list[set[int]]:
    """Where in memory the weights of each optimiser lie."""
    return [{value.data_ptr() for group in one.param_groups for value in group["params"]} for one in optimizers.all]


def test_adamw_has_all_weights(denoiser: Denoiser) -> None:
    (own,) = places(Optimizers(denoiser, config()))
    assert own == {value.data_ptr() for value in denoiser.parameters()}


def test_every_weight_is_of_one_optimiser_and_muon_has_the_inner_layers(denoiser: Denoiser) -> None:
    adamw, muon = places(Optimizers(denoiser, config(optimizer="muon")))
    assert adamw.isdisjoint(muon)
    assert adamw | muon == {value.data_ptr() for value in denoiser.parameters()}
    of_muon = {name for name, value in denoiser.named_parameters() if value.data_ptr() in muon}
    layers = {name for name, value in denoiser.named_parameters() if value.ndim >= 2}
    assert of_muon == {name for name in layers if name.removeprefix("network.").startswith(INSIDE)}
    assert of_muon < layers, "first and last layers and the embedding are AdamW's"


def test_muon_moves_the_weights_themselves(denoiser: Denoiser) -> None:
    before = copied(denoiser)
    stepped(denoiser, Optimizers(denoiser, config(optimizer="muon")), 20)
    assert all(not torch.equal(before[name], value) for name, value in denoiser.named_parameters())


def test_muon_refuses_kernels_that_it_would_have_to_copy(make_forecaster: Callable[..., Forecaster]) -> None:
    with pytest.raises(RuntimeError, match="view size is not compatible"):
        Optimizers(make_forecaster().denoiser, config(optimizer="muon"))


def test_muon_makes_steps_that_are_orthogonal(denoiser: Denoiser) -> None:
    """Singular values of about one each, scaled to the size of AdamW's steps."""
    (name,) = [name for name, _ in denoiser.named_parameters() if name.endswith("middle.project.weight")]
    before = copied(denoiser)[name]
    stepped(denoiser, Optimizers(denoiser, config(optimizer="muon", weight_decay=0.0)), 20)
    moved = before - denoiser.get_parameter(name).detach()
    singular = torch.linalg.svdvals(moved)
    assert singular.min() > 0.3 * singular.max()
    assert moved.square().mean().sqrt().item() == pytest.approx(0.2 * learning_rate(20, config()), rel=0.3)


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_restored_optimisers_go_on_bit_for_bit(make_forecaster: Callable[..., Forecaster], optimizer: str) -> None:
    made = config(optimizer=optimizer)
    whole, again = (make_forecaster().denoiser for _ in range(2))
    for one in (whole, again):
        one.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    first, second = (Optimizers(one, made) for one in (whole, again))
    for step in range(3):
        stepped(whole, first, step)
    again.load_state_dict(whole.state_dict())
    second.load({name: value.clone() for name, value in first.tensors().items()})
    for step in (3, 4):
        stepped(whole, first, step)
        stepped(again, second, step)
    assert all(torch.equal(value, whole.state_dict()[name]) for name, value in again.state_dict().items())


# the average


def test_moving_average_has_its_closed_form() -> None:
    module = torch.nn.Linear(1, 1, bias=False)
    average = MovingAverage(module, horizon=5)
    expected = module.weight.item()
    for step in range(1, 60):
        with torch.no_grad():
            module.weight.fill_(float(step))
        average.update(module, step)
        decay = min(1 - 1 / 5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * step
    assert average.weights["weight"].item() == pytest.approx(expected, rel=1e-6)
    assert average.weights["weight"].item() == pytest.approx(59 - 4, abs=0.01), "a ramp lags by horizon - 1 steps"


def test_moving_average_of_constant_weights_is_constant() -> None:
    module = torch.nn.Linear(3, 2)
    average = MovingAverage(module, horizon=100)
    for step in range(1, 5):
        average.update(module, step)
    assert all(torch.equal(average.weights[name], value) for name, value in module.state_dict().items())
