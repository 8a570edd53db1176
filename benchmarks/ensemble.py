"""What a whole ensemble forecast costs, as JSON: 50 members for 15 days at 24-hour steps on 48x96, into a file.

    python -m benchmarks.ensemble [--members 50] [--days 15] [--latitudes 48] [--steps 1]

The network is that of the shipped configs, untrained: it forecasts that nothing changes, at the cost of one that has
learnt something. Every part of ``sphercast forecast`` is in the time: noise, network, guards, writing, checksums.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from data_pipeline.channels import Channels
from data_pipeline.grid import Grid
from forecast.config import ModelConfig, SamplerConfig
from forecast.devices import choose_device
from forecast.forecaster import Forecaster, static_features
from forecast.job import Job, run
from forecast.normalizer import Normalizer
from forecast.output import OutputConfig
from forecast.rollout import InitialState

if TYPE_CHECKING:
    from argparse import Namespace

LEVELS = [250, 500, 700, 850]
VARIABLES: dict[str, list[int] | None] = {
    "geopotential": LEVELS, "temperature": LEVELS, "u_component_of_wind": LEVELS, "v_component_of_wind": LEVELS,
    "specific_humidity": LEVELS, "2m_temperature": None, "mean_sea_level_pressure": None,
}  # fmt: skip
TYPICAL = {
    "geopotential": 5e4, "temperature": 270.0, "specific_humidity": 5e-3, "2m_temperature": 285.0,
    "mean_sea_level_pressure": 101300.0,
}  # fmt: skip
START = np.datetime64("2001-01-05T00", "ns")


def main() -> None:
    """Measure and print."""
    options = _options()
    results: dict[str, Any] = {
        "threads": torch.get_num_threads(), "members": options.members, "days": options.days,
        "grid": [options.latitudes, 2 * options.latitudes], "sampler_steps": options.steps,
    }  # fmt: skip
    for name in ("float32", "bfloat16"):
        seconds = measured(options, SamplerConfig(name="euler", steps=options.steps, bfloat16=name == "bfloat16"))
        results[name] = {
            "seconds": round(seconds, 1),
            "seconds_per_member_day": round(seconds / options.members / options.days, 4),
        }
    results["peak_memory_gb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2)
    print(json.dumps(results, indent=1))


def measured(options: Namespace, sampler: SamplerConfig) -> float:
    """Seconds of one forecast."""
    forecaster = untrained(options.latitudes, sampler).to(choose_device())
    fields = torch.stack(
        [torch.full(forecaster.grid.shape, TYPICAL.get(c.variable_name, 1.0)) for c in forecaster.channels]
    )
    state = InitialState.at(START, [fields, fields])
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        began = time.perf_counter()
        job = Job(state, options.members, options.days)
        run(job, forecaster, Path(folder), [OutputConfig()], progress=False)
        return time.perf_counter() - began


def untrained(latitudes: int, sampler: SamplerConfig) -> Forecaster:
    """The shipped configs' network for 22 channels on an equiangular grid."""
    grid, channels = Grid.equiangular(latitudes, 2 * latitudes, poles=False), Channels.of(VARIABLES)
    scales = torch.ones(len(channels), 1, 1)
    return Forecaster.create(
        channels, grid, normalizer=Normalizer(0 * scales, scales, 1e-5 * scales),
        static=static_features(np.random.default_rng(0).normal(size=(2, *grid.shape)), grid),
        model=ModelConfig(process="edm", step_hours=24), sampler=sampler,
    )  # fmt: skip


def _options() -> Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", type=int, default=50)
    parser.add_argument("--days", type=int, default=15)
    parser.add_argument("--latitudes", type=int, default=48)
    parser.add_argument("--steps", type=int, default=1, help="of the sampler: one evaluation each")
    parser.add_argument("--folder", type=Path, help="where the temporary file goes")
    return parser.parse_args()


if __name__ == "__main__":
    main()
