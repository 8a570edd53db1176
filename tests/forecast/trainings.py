"""Small trainings of every kind, for the tests of training."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from forecast.config import load_experiment
from forecast.training.loop import Run, train
from forecast.training.objectives import Task
from forecast.training.preparing import prepare
from tests.forecast.conftest import randomise

if TYPE_CHECKING:
    from pathlib import Path

    from data_pipeline.dataset import Request
    from forecast.config import Experiment

OBJECTIVES: dict[str, dict[str, Any]] = {
    "mean": {"training__objective": {"kind": "mean"}, "sampler__name": "mean", "training__rollout": {0: 1, 3: 2}},
    "denoising": {},
    "crps": {
        "training__objective": {"kind": "crps", "spectral": 0.2}, "training__rollout": {0: 1, 3: 2},
        "sampler__name": "euler", "sampler__steps": 2,
    },
}  # fmt: skip
"""Changes of the small experiment."""

EVERYTHING: dict[str, Any] = {
    "model__other_step_hours": [24], "model__dropout": 0.1, "training__mirror": True, "training__rotate": True,
    "training__accumulate": 2,
}  # fmt: skip
"""More changes: all that a resumed run must go on with."""


def run_in_one_thread(path: Path) -> None:
    """Train as a process of its own."""
    torch.set_num_threads(1)
    train(load_experiment(path), progress=False)


def begun(experiment: Experiment) -> Run:
    """A run at its first step, its weights random, so that every input counts."""
    run = Run.begin(prepare(experiment), experiment.training, {})
    torch.manual_seed(0)
    randomise(run.denoiser)
    return run


def task_of(run: Run, request: Request) -> Task:
    """Samples to learn from."""
    return Task(run.samples.batch(request), run._static(len(request.indices)), request.hours)


def persistence_errors(run: Run, task: Task) -> torch.Tensor:
    """Of what stays of the state now as a forecast of each step, over the tendency: (step, batch, channel, ...)."""
    forecaster, state, forecasts = run.learner.forecaster, task.sample.current, []
    for _ in task.sample.following:
        state = forecaster.persisted(state, task.hours)
        forecasts.append(state)
    return (torch.stack(forecasts) - task.sample.following) / forecaster.normalizer.tendency(task.hours)


def states(folder: Path) -> list[Path]:
    """The kept states of a training, oldest first."""
    return sorted(folder.glob("state-*.safetensors"))


def log(folder: Path) -> list[dict[str, float]]:
    """The lines of the log."""
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def left_by(folder: Path) -> tuple[bytes, bytes]:
    """Checkpoint and log of a finished training."""
    return (folder / "checkpoint.safetensors").read_bytes(), (folder / "metrics.jsonl").read_bytes()


def gradients(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """By name of the weight; all have one."""
    return {name: value.grad.clone() for name, value in module.named_parameters() if value.grad is not None}


def standard_normal(seed: int, *shape: int) -> torch.Tensor:
    """Reproducible numbers."""
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape, dtype=np.float32))
