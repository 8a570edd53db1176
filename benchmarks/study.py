"""The study: one network, one budget, several generators, scored on a year that none of them has seen.

``python -m benchmarks.study`` trains what is not trained yet (benchmarks/planet/study.yaml), forecasts and scores. It
writes an .npz for each generator, with the test that it is of, and goes on with a training that was stopped.
``python -m benchmarks.study_table`` makes the table and the figure of docs/study.md from what this wrote.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from benchmarks.sentences import in_a_sentence
from benchmarks.study_forecasts import Ensemble, Trial, score
from benchmarks.study_scores import climatology_crps
from data_pipeline.publish import publishing
from data_pipeline.store import open_store
from forecast.checkpoint import load_checkpoint
from forecast.config import CHECKPOINT, SamplerConfig, load_experiment
from forecast.devices import choose_device
from forecast.training.loop import train

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from forecast.config import Experiment
    from forecast.forecaster import Forecaster


class Generator(NamedTuple):
    """A trained stage and how it is sampled: as it says itself, or otherwise; in steps of ``hours``, or its own.

    ``members`` are scored, all by default.
    """

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

CLIMATOLOGY = "climatology.npz"


def main() -> None:
    """Train, forecast and score."""
    options = _options()
    experiment = load_experiment(options.config)
    device = torch.device(choose_device())
    wanted = generators_of(experiment, options.stages)
    checkpoints = checkpoints_of(experiment, options.stages, trained=options.trained)
    test = Trial.of(open_store(experiment.data.store), options.start, options.stop, options.initial_times, options.days)
    marker = _marker(experiment, options)
    climatology(experiment, test, options.out / CLIMATOLOGY, marker, device)
    for name, generator in wanted.items():
        forecaster = load_checkpoint(checkpoints[generator.stage]).to(device)
        sampler = generator.sampler or forecaster.sampler
        forecaster = replace(forecaster, sampler=sampler.model_copy(update={"bfloat16": options.bfloat16}))
        ensemble = Ensemble(options.members, generator.hours, options.seed, options.at_once)
        scores = score(forecaster, test, ensemble, generator.members)
        save(options.out / file_name(name), {**scores, "test": marker})
        print(json.dumps({"generator": name, **_summary(scores, forecaster)}), flush=True)


def generators_of(experiment: Experiment, stages: Sequence[str] | None) -> dict[str, Generator]:
    """The generators of some stages, or of all that the config has; those that it lacks are named on stderr."""
    lacking = [name for name, each in GENERATORS.items() if each.stage not in experiment.stages]
    if lacking and not stages:
        print(f"not studied, since the config has no such stages: {', '.join(lacking)}", file=sys.stderr)
    return {name: each for name, each in GENERATORS.items() if each.stage in (stages or experiment.stages)}


def with_starts(experiment: Experiment, stages: Sequence[str] | None) -> list[str]:
    """These stages, or all that have generators, and those that they start with, in the order of training.

    Raises ConfigError if the config has no such stage.
    """
    needed = set(stages or (each.stage for each in generators_of(experiment, list(experiment.stages)).values()))
    for name in needed:
        experiment.stage(name)
    for name in reversed(experiment.stages):  # each starts with one before it
        if name in needed:
            needed.add(str(experiment.stages[name].get("training", {}).get("start", experiment.training.start)))
    return [name for name in experiment.stages if name in needed]


def checkpoints_of(experiment: Experiment, stages: Sequence[str] | None, *, trained: bool) -> dict[str, Path]:
    """By stage. All are trained, which passes over what is finished, unless they are taken as they lie there."""
    named = [(name, experiment.stage(name)) for name in with_starts(experiment, stages)]
    return {name: each.training.folder / CHECKPOINT if trained else train(each) for name, each in named}


def climatology(experiment: Experiment, test: Trial, path: Path, marker: str, device: torch.device) -> None:
    """Score the climatology, unless it is there for the same test."""
    if path.exists():
        with np.load(path) as known:
            if str(known.get("test")) == marker:
                return
    stores = [open_store(store) for store in (experiment.data.store, *experiment.training.more_stores)]
    crps = climatology_crps(stores, experiment.data.training_period, test, device)
    save(path, {"crps": crps, "channels": test.store.channels.names, "test": marker})


def save(path: Path, arrays: Mapping[str, Any]) -> None:
    """An .npz, whole or not at all."""
    with publishing(path) as aside, aside.open("wb") as file:
        np.savez(file, **arrays)


def file_name(generator: str) -> str:
    """Of its scores."""
    return f"{generator.replace(' ', '_')}.npz"


def _marker(experiment: Experiment, options: argparse.Namespace) -> str:
    """What the scores are of, as text: those of other tests cannot be compared."""
    stores = [str(store) for store in (experiment.data.store, *experiment.training.more_stores)]
    names = "start", "stop", "days", "initial_times"
    told = {**{name: getattr(options, name) for name in names}, "stores": stores}
    return json.dumps({**told, "training_period": experiment.data.training_period.model_dump(mode="json")})


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
    parser.add_argument(
        "--trained", action="store_true", help="take the checkpoints that lie there, whatever made them"
    )
    parser.add_argument("--members", type=int, default=20)
    parser.add_argument("--initial-times", type=int, default=36, help="how many, evenly spread")
    parser.add_argument("--days", type=int, default=10)
    parser.add_argument("--start", default="2006-04-01", help="of the test")
    parser.add_argument("--stop", default="2007-03-31T12", help="of the test")
    parser.add_argument("--bfloat16", action="store_true", help="compute networks in half precision")
    parser.add_argument("--at-once", type=int, default=128, help="states in the network together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/speedy/study"))
    return parser.parse_args()


if __name__ == "__main__":
    with in_a_sentence():
        main()
