"""What trained models know of a linear world, x' = m x + sqrt(1 - m^2) noise in units of the standard deviation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch

from data_pipeline.building.build import build
from data_pipeline.dataset import Request, StoreDataset
from data_pipeline.store import open_store
from forecast.checkpoint import load_checkpoint, provenance
from forecast.config import load_experiment
from forecast.rollout import InitialState, rollout
from forecast.training.loop import train
from forecast.training.scores import almost_fair_crps
from tests.forecast.conftest import MEMORY
from tests.forecast.trainings import log

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from forecast.config import Experiment
    from forecast.forecaster import Forecaster

SPREAD = (1 - MEMORY**2) ** 0.5
"""Of the next state, when this one is known."""

CHANGES: dict[str, Any] = {
    "data__variables": {"2m_temperature": None}, "model__widths": [16], "model__past_states": 1,
    "training__steps": 250, "training__batch_size": 16, "training__save_every": 50, "training__ema_steps": 40,
    "training__warmup_steps": 20, "training__learning_rate": 5e-3,
}  # fmt: skip
STAGES: dict[str, Any] = {
    "stages__mean": {
        "training": {"objective": {"kind": "mean"}, "steps": 100, "schedule": "cooldown", "optimizer": "muon"},
        "sampler": {"name": "mean"},
    },
    "stages__crps": {
        "training": {"objective": {"kind": "crps"}, "start": "mean", "steps": 100},
        "sampler": {"name": "euler", "steps": 1},
    },
}  # fmt: skip


@pytest.fixture
def built(tmp_path: Path, write_config: Callable[..., Path]) -> Callable[..., Experiment]:
    """The world's temperature alone, in a store of its own."""

    def make(**changes: Any) -> Experiment:
        config = load_experiment(write_config(tmp_path, **CHANGES, **changes))
        build(config.data, progress=False)
        return config

    return make


def drawn(trained: Forecaster, config: Experiment, members: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Standardised next states (member, case, latitude, longitude), and the states now and then."""
    held_out = StoreDataset(open_store(config.data.store), config.training.validation_period, trained.step_length)
    cases = []
    for index in (5, 12, 20, 28, 35):
        sample = held_out.batch(Request(torch.tensor([index])))
        start = InitialState(sample.previous[0], sample.current[0], held_out.times[index + 1])
        (step,) = rollout(trained, start, members=range(members), steps=1, seed=0)
        fields = torch.cat([step.states, sample.current, sample.following[0]])
        cases.append(trained.normalizer.state(fields)[:, 0])
    together = torch.stack(cases, dim=1)
    return together[:-2], together[-2], together[-1]


def test_denoising_learns_the_conditional_mean_and_spread(built: Callable[..., Experiment]) -> None:
    config = built(sampler__steps=8)
    path = train(config, progress=False)
    losses = [line["validation_loss"] for line in log(path.parent) if "validation_loss" in line]
    assert losses[-1] < 1.5, "an untrained network has 2, the best that can be has 1.25"
    states, now, _ = drawn(load_checkpoint(path), config, members=24)
    slope = (states.mean(0) * now).mean() / now.square().mean()
    assert slope.item() == pytest.approx(MEMORY, abs=0.12)
    assert states.var(0).mean().sqrt().item() == pytest.approx(SPREAD, rel=0.12)


def test_crps_stage_draws_an_ensemble_from_the_mean_in_one_evaluation(built: Callable[..., Experiment]) -> None:
    """Theory: the mean's absolute error is sqrt(2 / pi) SPREAD = 0.69, the best CRPS SPREAD / sqrt(pi) = 0.49."""
    config = built(**STAGES)
    paths = {name: train(config.stage(name), progress=False) for name in ("mean", "crps")}
    assert {name: provenance(path)["objective"] for name, path in paths.items()} == {"mean": "mean", "crps": "crps"}
    point, _, then = drawn(load_checkpoint(paths["mean"]), config.stage("mean"), members=2)
    assert torch.equal(point[0], point[1]), "the mean draws nothing"
    error = (point[0] - then).abs().mean().item()
    assert error == pytest.approx(0.69, abs=0.05)
    trained = load_checkpoint(paths["crps"])
    calls: list[int] = []
    trained.denoiser.network.register_forward_hook(lambda *_: calls.append(1))  # type: ignore[union-attr]
    states, now, then = drawn(trained, config.stage("crps"), members=16)
    assert len(calls) == 5, "one for each case"
    assert almost_fair_crps(states - then, 1.0).mean().item() < 0.8 * error
    assert states.var(0).mean().sqrt().item() == pytest.approx(SPREAD, rel=0.25)
    slope = (states.mean(0) * now).mean() / now.square().mean()
    assert slope.item() == pytest.approx(MEMORY, abs=0.12)
