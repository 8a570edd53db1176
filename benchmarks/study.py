"""The study: one network, one budget, several generators, scored on a year that none of them has seen.

``python -m benchmarks.study`` trains what is not trained yet (benchmarks/planet/study.yaml), forecasts and scores;
``python -m benchmarks.study_table`` makes the table and the figure of docs/study.md from what this wrote.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from benchmarks.study_scores import climatology_crps, scores_of
from data_pipeline.forcings import forcings
from data_pipeline.store import open_store
from data_pipeline.times import HOUR
from forecast.checkpoint import load_checkpoint
from forecast.config import CHECKPOINT, SamplerConfig, load_experiment
from forecast.devices import choose_device
from forecast.harmonics import SphericalTransform
from forecast.training.loop import train

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from torch import Tensor

    from data_pipeline.store import TrainingStore
    from forecast.config import Experiment
    from forecast.forecaster import Forecaster


class Generator(NamedTuple):
    """A trained stage and how it is sampled: as it says itself, or otherwise; in steps of ``hours``, or its own."""

    stage: str
    sampler: SamplerConfig | None = None
    hours: int | None = None
    members: int | None = None


GENERATORS = {
    "mean": Generator("mean", members=1),
    "crps-1": Generator("crps"),
    "crps-1 12 h": Generator("crps", hours=12),
    "best-1": Generator("best"),
    "flow-4": Generator("flow", SamplerConfig(name="euler", steps=4)),
    "flow-5": Generator("flow", SamplerConfig(name="midpoint", steps=3, rho=3)),
    "flow-8": Generator("flow", SamplerConfig(name="euler", steps=8)),
    "flow-9": Generator("flow", SamplerConfig(name="midpoint", steps=5, rho=2)),
    "flow-25": Generator("flow", SamplerConfig(name="midpoint", steps=13, rho=2)),
    "edm-39": Generator("edm", SamplerConfig(name="dpmpp_2s", steps=20, churn=2.5)),
    "edm-39 no churn": Generator("edm", SamplerConfig(name="dpmpp_2s", steps=20)),
    "crps-1 white": Generator("crps_white"),
    "crps-1 global": Generator("crps_global"),
    "crps-1 one state": Generator("crps_one_state"),
}
"""By name; the number is that of network evaluations in a step."""


def main() -> None:
    """Train, forecast and score."""
    options = _options()
    experiment = load_experiment(options.config)
    device = torch.device(choose_device())
    wanted = {name: each for name, each in GENERATORS.items() if each.stage in (options.stages or experiment.stages)}
    for stage in dict.fromkeys(each.stage for each in wanted.values()):
        if not _checkpoint(experiment, stage).exists():
            train(experiment.stage(stage))
    test = Test.of(open_store(experiment.data.store), options.start, options.stop, options.initial_times, options.days)
    options.out.mkdir(parents=True, exist_ok=True)
    for name, generator in wanted.items():
        forecaster = load_checkpoint(_checkpoint(experiment, generator.stage)).to(device)
        sampler = generator.sampler or forecaster.sampler
        forecaster = replace(forecaster, sampler=sampler.model_copy(update={"bfloat16": options.bfloat16}))
        scores = score(forecaster, test, generator.members or options.members, generator.hours, options.seed)
        np.savez(options.out / f"{name.replace(' ', '_')}.npz", **scores)
        print(json.dumps({"generator": name, **_summary(scores, forecaster)}), flush=True)
    if not (options.out / "climatology.npz").exists():
        stores = [open_store(path) for path in (experiment.data.store, *experiment.training.more_stores)]
        known = climatology_crps(stores, experiment.data.training_period, test, device)
        np.savez(options.out / "climatology.npz", crps=known, channels=test.store.channels.names)


class Test(NamedTuple):
    """Initial times, by their positions in a store, and how many days are forecast."""

    store: TrainingStore
    positions: NDArray[np.int64]
    days: int

    @classmethod
    def of(cls, store: TrainingStore, start: str, stop: str, count: int, days: int) -> Test:
        """Initial times spread evenly, so that whole forecasts lie between ``start`` and ``stop``."""
        day = int(np.timedelta64(24, "h") // store.interval)
        inside = np.flatnonzero((store.times >= np.datetime64(start)) & (store.times <= np.datetime64(stop)))
        first, last = inside[0] + day, inside[-1] - days * day
        return cls(store, np.unique(np.linspace(first, last, count).astype(int)), days)

    def truth(self, hours: int, device: torch.device) -> Tensor:
        """States (initial time, channel, latitude, longitude) so many hours after the initial times."""
        lag = int(np.timedelta64(hours, "h") // self.store.interval)
        return torch.from_numpy(self.store.read(self.positions + lag)).to(device)


@torch.inference_mode()
def score(forecaster: Forecaster, test: Test, members: int, hours: int | None, seed: int) -> dict[str, Any]:
    """Scores (lead, initial time, channel), spectra (lead, channel, degree), leads in days, and the seconds it took."""
    device = forecaster.static.device
    transform, weights = SphericalTransform(forecaster.grid), forecaster.grid.area_weights()
    area = torch.as_tensor(weights, dtype=torch.float32, device=device)[:, None]
    every = 24 // (hours or forecaster.model.step_hours)
    parts: list[dict[str, NDArray[np.float64]]] = []
    began, spent = time.perf_counter(), 0.0
    for step, states in enumerate(rollout(forecaster, test, members, hours, seed), 1):
        if device.type == "cuda":
            torch.cuda.synchronize()
        spent += time.perf_counter() - began
        if step % every == 0:
            truth = test.truth(24 * step // every, device)
            parts.append(scores_of(states, truth, area, transform))
        began = time.perf_counter()
    joined = {name: np.stack([part[name] for part in parts]) for name in parts[0]}
    cost = spent / (members * len(test.positions) * test.days)
    leads = np.arange(1, test.days + 1)
    return {**joined, "lead_days": leads, "channels": test.store.channels.names, "seconds_per_member_day": cost}


def rollout(forecaster: Forecaster, test: Test, members: int, hours: int | None, seed: int) -> Iterator[Tensor]:
    """States (initial time, member, channel, latitude, longitude) after each step; noise is drawn on the device."""
    device, model = forecaster.static.device, forecaster.model
    length = hours or model.step_hours
    back = model.step_hours // length
    generator = torch.Generator(device).manual_seed(seed)
    count, times = len(test.positions), test.store.times[test.positions]
    past = [test.truth(-length * lag, device).repeat_interleave(members, 0) for lag in range(back, -1, -1)]
    numbers = (count * members, *forecaster.noise.shape_of_numbers(len(forecaster.channels)))

    def draw(_: int = 0) -> Tensor:
        return forecaster.noise.of_normal(torch.randn(numbers, generator=generator, device=device))

    for step in range(1, test.days * 24 // length + 1):
        ends = [forcings(now + step * length * HOUR, length * HOUR, forecaster.grid) for now in times]
        forcing = torch.from_numpy(np.stack(ends)).to(device).repeat_interleave(members, 0)
        known = forecaster.known(past[0], past[-1], forcing)
        state = forecaster.advance(past[-1], known, draw(), hours=hours, fresh=draw)
        past = [*past[1:], state]
        yield state.unflatten(0, (count, members))  # type: ignore[no-untyped-call]


def _checkpoint(experiment: Experiment, stage: str) -> Path:
    return experiment.stage(stage).training.folder / CHECKPOINT


def _summary(scores: dict[str, Any], forecaster: Forecaster) -> dict[str, Any]:
    channel = forecaster.channels.names.index("geopotential_500")
    crps = scores["crps"][..., channel].mean(1) / 9.80665
    ratio = np.sqrt(scores["variance"][..., channel].mean(1) / scores["squared_error"][..., channel].mean(1))
    days = [day for day in (1, 3, 5, 7, 10) if day <= len(crps)]
    return {
        "z500_crps_m": {day: round(float(crps[day - 1]), 2) for day in days},
        "z500_spread_skill": {day: round(float(ratio[day - 1]), 3) for day in days},
        "ms_per_member_day": round(1000 * scores["seconds_per_member_day"], 3),
    }  # fmt: skip


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", default="benchmarks/planet/study.yaml")
    parser.add_argument("--stages", nargs="*", help="only the generators of these stages")
    parser.add_argument("--members", type=int, default=20)
    parser.add_argument("--initial-times", type=int, default=36, help="how many, evenly spread")
    parser.add_argument("--days", type=int, default=10)
    parser.add_argument("--start", default="2006-04-01", help="of the test")
    parser.add_argument("--stop", default="2007-03-31T12", help="of the test")
    parser.add_argument("--bfloat16", action="store_true", help="compute networks in half precision")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/speedy/study"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
