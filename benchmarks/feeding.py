"""Whether the network waits for its samples, as JSON: the loader alone, beside a training of the default U-Net.

    python -m benchmarks.feeding [--steps 12] [--states 400] [--device cuda] [--folder DIR]

A store of 22 channels on 48x96 points is built from a planet in closed form, and learnt from in batches of 16 with its
states in memory, on disk and, where there is a GPU, on it. ``share_waiting`` is the share of the wall time of training
steps that goes by until the next batch is there. On a GPU, whose work is only queued, that says little, and
``speed_against_one_batch`` is the training speed over that with one batch again and again, which needs no loader.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch

from data_pipeline.building.build import build
from data_pipeline.dataset import Request
from data_pipeline.grid import Grid
from forecast.config import Experiment
from forecast.devices import choose_device
from forecast.training.loop import Run
from forecast.training.preparing import prepare
from tests.mock_world import mock_states, mock_static, mock_times

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from data_pipeline.dataset import Sample
    from data_pipeline.joined_dataset import JoinedDataset
    from forecast.training.config import TrainingConfig
    from forecast.training.preparing import Prepared

LEVELS = [250, 500, 700, 850]
VARIABLES: dict[str, list[int] | None] = {
    **dict.fromkeys(
        ("geopotential", "temperature", "u_component_of_wind", "v_component_of_wind", "specific_humidity"), LEVELS
    ),
    "2m_temperature": None,
    "mean_sea_level_pressure": None,
}
LATITUDES, BATCH, WARM_UP = 48, 16, 2


def main() -> None:
    """Measure and print."""
    options = _options()
    device = choose_device(options.device)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        experiment = experiment_in(Path(folder), options.states, options.steps + WARM_UP + 1, device)
        build(experiment.data, progress=False)
        residences = ["memory", "disk"] + ["device"] * (device != "cpu")
        result: dict[str, Any] = {name: measured(experiment, name) for name in residences}
    name = torch.cuda.get_device_name(device) if device.startswith("cuda") else "cpu"
    print(json.dumps({"device": name, "threads": torch.get_num_threads(), "batch": BATCH, **result}, indent=2))


@dataclass
class Watched:
    """Samples that note when a batch is asked for, and how long it takes; the ``same`` one each time if asked."""

    samples: JoinedDataset
    same: bool = False
    asked: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.samples)

    def batches(self, order: Iterable[Request]) -> Iterator[Sample]:
        """As of ``JoinedDataset``."""
        first = self.samples.batch(Request(torch.arange(BATCH)))
        source = (first for _ in order) if self.same else self.samples.batches(order)
        while True:
            self.asked.append(time.perf_counter())
            batch = next(source, None)
            if batch is None:
                return
            self.waits.append(time.perf_counter() - self.asked[-1])
            yield batch

    def speed(self) -> float:
        """Training samples a second, but for the first steps, and the last, which ends with validation."""
        return BATCH * (len(self.asked) - 2 - WARM_UP) / (self.asked[-2] - self.asked[WARM_UP])

    def share_waiting(self) -> float:
        """Of the wall time of the same steps."""
        return sum(self.waits[WARM_UP:-1]) / (self.asked[-2] - self.asked[WARM_UP])


def measured(experiment: Experiment, residence: str) -> dict[str, Any]:
    """Samples a second of the loader, of the training that it feeds, and of one that needs none."""
    training = experiment.training.model_copy(update={"residence": residence})
    prepared = prepare(experiment.model_copy(update={"training": training}))
    alone = loading_speed(prepared.samples, training.steps)
    fed = Watched(prepared.samples)
    fit(prepared, training, fed)
    result: dict[str, Any] = {
        "lives": prepared.samples.describe(),
        "loader_samples_per_second": round(alone),
        "training_samples_per_second": round(fed.speed(), 2),
        "loader_over_training": round(alone / fed.speed(), 1),
        "share_waiting": round(fed.share_waiting(), 5),
    }
    if training.device != "cpu":
        unfed = Watched(prepared.samples, same=True)
        fit(prepared, training, unfed)
        result["speed_against_one_batch"] = round(fed.speed() / unfed.speed(), 3)
    return result


def fit(prepared: Prepared, training: TrainingConfig, samples: Watched) -> None:
    """Train with these samples, in a folder of its own."""
    config = training.model_copy(update={"folder": training.folder / f"{training.residence}-{samples.same}"})
    run = Run.begin(prepared, config, {})
    replace(run, samples=cast("JoinedDataset", samples)).fit(progress=False)


def loading_speed(samples: JoinedDataset, batches: int) -> float:
    """Samples a second, nothing being done with them; the first batches do not count."""
    order = (Request(torch.randint(len(samples), (BATCH,))) for _ in range(4 * batches + WARM_UP))
    source = samples.batches(order)
    for _ in range(WARM_UP):
        next(source)
    start = time.perf_counter()
    count = sum(len(batch.current) for batch in source)
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return count / (time.perf_counter() - start)


def experiment_in(folder: Path, states: int, steps: int, device: str) -> Experiment:
    """Of the default U-Net and objective, on a planet whose states are written into ``folder``."""
    grid, times = Grid.equiangular(LATITUDES, 2 * LATITUDES, poles=False), mock_times("2001-01-01", states)
    source = folder / "planet.nc"
    mock_states(grid, times, VARIABLES).merge(mock_static(grid)).to_netcdf(source, engine="netcdf4")
    first, split, after, last = (str(times[place])[:13] for place in (0, -BATCH - 10, -BATCH - 9, -1))
    return Experiment.model_validate({
        "data": {
            "sources": [{"kind": "files", "path": str(source)}], "store": folder / "store.zarr", "variables": VARIABLES,
            "static": ["geopotential_at_surface", "land_sea_mask"], "climatology": None, "interval_hours": 6,
            "grid": {"kind": "equiangular", "latitudes": LATITUDES, "longitudes": 2 * LATITUDES},
            "period": {"start": first, "stop": last}, "training_period": {"start": first, "stop": split},
            "accept": ["latitude-against-labels", "mirrored-against-labels", "rolled-against-labels"],  # not the Earth
        },
        "model": {"step_hours": 24},
        "training": {
            "folder": folder / "run", "steps": steps, "batch_size": BATCH, "device": device, "log_every": steps,
            "save_every": steps, "warmup_steps": 0, "validation_period": {"start": after, "stop": last},
        },
    })  # fmt: skip


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=12, help="that are timed")
    parser.add_argument("--states", type=int, default=400)
    parser.add_argument("--device", help="default: a GPU, if there is one")
    parser.add_argument("--folder", type=Path, help="where temporary files go")
    return parser.parse_args()


if __name__ == "__main__":
    main()
