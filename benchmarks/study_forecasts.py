"""Forecasts of the study: many initial times and members at once, in parts that fit in memory."""

from __future__ import annotations

import time
from functools import cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from benchmarks.study_scores import scores_of
from data_pipeline.forcings import forcings
from data_pipeline.times import HOUR, hour_of_day
from forecast.harmonics import SphericalTransform

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray
    from torch import Tensor

    from data_pipeline.store import TrainingStore
    from forecast.forecaster import Forecaster


class Trial(NamedTuple):
    """Initial times, by their positions in a store, and how many days are forecast."""

    store: TrainingStore
    positions: NDArray[np.int64]
    days: int

    @classmethod
    def of(cls, store: TrainingStore, start: str, stop: str, count: int, days: int) -> Trial:
        """Initial times spread evenly, so that whole forecasts lie between ``start`` and ``stop``."""
        day = int(np.timedelta64(24, "h") // store.interval)
        inside = np.flatnonzero((store.times >= np.datetime64(start)) & (store.times <= np.datetime64(stop)))
        first, last = inside[0] + day, inside[-1] - days * day
        return cls(store, np.unique(np.linspace(first, last, count).astype(int)), days)

    def truth(self, hours: int, device: torch.device) -> Tensor:
        """States (initial time, channel, latitude, longitude) so many hours after the initial times."""
        lag = int(np.timedelta64(hours, "h") // self.store.interval)
        return torch.from_numpy(self.store.read(self.positions + lag)).to(device)


class Ensemble(NamedTuple):
    """Members of a forecast from each initial time; steps of ``hours``, or the model's own.

    At most ``at_once`` states go through the network together, which changes the result by rounding only.
    """

    members: int
    hours: int | None = None
    seed: int = 0
    at_once: int = 128


@torch.inference_mode()
def score(forecaster: Forecaster, test: Trial, ensemble: Ensemble, scored: int | None = None) -> dict[str, Any]:
    """Scores (lead, initial time, channel), spectra (lead, channel, degree), leads in days, and the seconds it took.

    The first ``scored`` members are scored, all by default. The seconds are those of the whole ensemble, after one
    step that does not count, so that generators of one member cost what they cost in the same batch as others.
    """
    device = forecaster.static.device
    transform, weights = SphericalTransform(forecaster.grid), forecaster.grid.area_weights()
    area = torch.as_tensor(weights, dtype=torch.float32, device=device)[:, None]
    every = 24 // (ensemble.hours or forecaster.model.step_hours)
    next(rollout(forecaster, test, ensemble))
    parts: list[dict[str, NDArray[np.float64]]] = []
    began, spent = _now(device), 0.0
    for step, states in enumerate(rollout(forecaster, test, ensemble), 1):
        spent += _now(device) - began
        if step % every == 0:
            truth = test.truth(24 * step // every, device)
            parts.append(scores_of(states[:, :scored], truth, area, transform))
        began = _now(device)
    joined = {name: np.stack([part[name] for part in parts]) for name in parts[0]}
    cost = spent / (ensemble.members * len(test.positions) * test.days)
    leads = np.arange(1, test.days + 1)
    return {**joined, "lead_days": leads, "channels": test.store.channels.names, "seconds_per_member_day": cost}


def rollout(forecaster: Forecaster, test: Trial, ensemble: Ensemble) -> Iterator[Tensor]:
    """States (initial time, member, channel, latitude, longitude) after each step.

    Noise is drawn on the device, for all states at once: it does not depend on the parts that they are computed in.
    """
    device, model, members = forecaster.static.device, forecaster.model, ensemble.members
    length = ensemble.hours or model.step_hours
    back = model.step_hours // length
    generator = torch.Generator(device).manual_seed(ensemble.seed)
    count, times = len(test.positions), test.store.times[test.positions]
    past = [test.truth(-length * lag, device).repeat_interleave(members, 0) for lag in range(back, -1, -1)]
    numbers = (count * members, *forecaster.noise.shape_of_numbers(len(forecaster.channels)))

    def draw(_: int) -> Tensor:
        return forecaster.noise.of_normal(torch.randn(numbers, generator=generator, device=device))

    for step in range(1, test.days * 24 // length + 1):
        ends = [forcings(now + step * length * HOUR, length * HOUR, forecaster.grid) for now in times]
        hours = hour_of_day(times + step * length * HOUR)
        forcing, hour = (
            torch.from_numpy(each).to(device).repeat_interleave(members, 0) for each in (np.stack(ends), hours)
        )
        state = _advanced(forecaster, (past[0], past[-1], forcing, hour), cache(draw), ensemble)
        past = [*past[1:], state]
        yield state.unflatten(0, (count, members))  # type: ignore[no-untyped-call]


def _advanced(
    forecaster: Forecaster, known: tuple[Tensor, ...], noise: Callable[[int], Tensor], ensemble: Ensemble
) -> Tensor:
    """The states after ``known`` (before, now, forcing, hour), part by part.

    ``noise(k)`` is for all states, the first -1.
    """
    out = []
    for first in range(0, len(known[0]), ensemble.at_once):
        part = slice(first, first + ensemble.at_once)
        before, now, forcing, hour = (values[part] for values in known)
        drawn = partial(_part_of, noise, part)
        inputs = forecaster.known(before, now, forcing)
        out.append(forecaster.advance(now, inputs, drawn(-1), hour, hours=ensemble.hours, fresh=drawn))
    return torch.cat(out)


def _part_of(noise: Callable[[int], Tensor], part: slice, k: int) -> Tensor:
    return noise(k)[part]


def _now(device: torch.device) -> float:
    """Seconds, when the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
