"""One forecast: members in batches through the rollout into a file."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.errors import ConfigError
from data_pipeline.progress import track
from forecast.rollout import Forecast, InitialState, rollout
from forecast.writer import EnsembleLayout, writing_ensemble

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from forecast.forecaster import Forecaster


@dataclass(frozen=True)
class Job:
    """What to forecast: ``members`` members for ``steps`` steps from one initial state."""

    initial: InitialState
    members: int
    steps: int
    seed: int = 0
    batch: int = 10

    def layout(self, forecaster: Forecaster) -> EnsembleLayout:
        """The axes of the file."""
        times = self.initial.time + np.arange(1, self.steps + 1) * forecaster.step_length
        return EnsembleLayout(forecaster.channels, forecaster.grid, range(self.members), self.initial.time, times)


def run(job: Job, forecaster: Forecaster, out: Path, attributes: Mapping[str, str], *, progress: bool = True) -> None:
    """Forecast and write ``out``; until it is complete the file has another name."""
    total = job.steps * -(-job.members // job.batch)
    with writing_ensemble(out, job.layout(forecaster), attributes) as writer:
        for members, forecast in track(_forecasts(job, forecaster), "forecast", "step", total=total, enabled=progress):
            writer.write(members, forecast.time, forecast.states.numpy())


def _forecasts(job: Job, forecaster: Forecaster) -> Iterator[tuple[range, Forecast]]:
    for first in range(0, job.members, job.batch):
        members = range(first, min(first + job.batch, job.members))
        for forecast in rollout(forecaster, job.initial, members=members, steps=job.steps, seed=job.seed):
            yield members, forecast


def steps_for(forecaster: Forecaster, days: float) -> int:
    """How many steps make ``days``; a ConfigError if they are no whole number of steps."""
    steps = days * 24 / forecaster.model.step_hours
    if not 1 <= steps < math.inf or not math.isclose(steps, round(steps), rel_tol=0, abs_tol=1e-6):
        hours = forecaster.model.step_hours
        raise ConfigError(f"got {days:g} days, expected a multiple of the model's step of {hours} h; change --days")
    return round(steps)
