"""What a whole ensemble forecast costs, as JSON: 50 members for 15 days at 24-hour steps on 48x96, into a file.

    python -m benchmarks.ensemble [--members 50] [--days 15] [--latitudes 48] [--steps 1]

The network is that of the shipped configs with random weights: it costs what one that has learnt something costs. It
starts from random smooth fields and changes them a little, so that the file is as hard to compress as a real one.
Every part of ``sphercast forecast`` is in the time: noise, network, guards, writing, checksums.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from data_pipeline.channels import Channels
from data_pipeline.grid import Grid
from forecast.config import ModelConfig, SamplerConfig
from forecast.devices import choose_device
from forecast.forecaster import Forecaster, static_features
from forecast.global_means import CYCLE, GlobalMeans, Memory
from forecast.harmonics import SphericalTransform
from forecast.job import Job, run
from forecast.normalizer import Normalizer
from forecast.output import OutputConfig
from forecast.persistence import Persistence
from forecast.rollout import InitialState

if TYPE_CHECKING:
    from argparse import Namespace

    from torch import Tensor

LEVELS = [250, 500, 700, 850]
VARIABLES: dict[str, list[int] | None] = {
    "geopotential": LEVELS, "temperature": LEVELS, "u_component_of_wind": LEVELS, "v_component_of_wind": LEVELS,
    "specific_humidity": LEVELS, "2m_temperature": None, "mean_sea_level_pressure": None,
}  # fmt: skip
TYPICAL = {
    "geopotential": (5e4, 1500.0), "temperature": (270.0, 12.0), "specific_humidity": (5e-3, 1e-3),
    "2m_temperature": (285.0, 12.0), "mean_sea_level_pressure": (101300.0, 1000.0),
}  # fmt: skip
"""Mean and standard deviation; winds have ``WIND``."""
WIND = 0.0, 10.0
SLOPE = 3
"""Of the power of a harmonic by its degree: that of large-scale flow."""
INCREMENT, WEIGHT = 0.1, 0.3
"""The increments' scale over the fields'; and random weights in place of zeros, over 1 / sqrt(inputs)."""
START = np.datetime64("2001-01-05T00", "ns")


def main() -> None:
    """Measure and print."""
    options = _options()
    results: dict[str, Any] = {
        "threads": torch.get_num_threads(), "members": options.members, "days": options.days,
        "grid": [options.latitudes, 2 * options.latitudes], "sampler_steps": options.steps,
    }  # fmt: skip
    for name in ("float32", "bfloat16"):
        sampler = SamplerConfig(name="euler", steps=options.steps, bfloat16=name == "bfloat16")
        seconds, size = measured(options, sampler)
        results[name] = {
            "seconds": round(seconds, 1),
            "seconds_per_member_day": round(seconds / options.members / options.days, 4),
            "written_mb": round(size / 1e6, 1),
        }
    results["peak_memory_gb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2)
    print(json.dumps(results, indent=1))


def measured(options: Namespace, sampler: SamplerConfig) -> tuple[float, int]:
    """Seconds of one forecast, and bytes of what it wrote."""
    forecaster = with_random_weights(options.latitudes, sampler).to(choose_device())
    state = InitialState.at(START, [random_fields(forecaster, seed=0)] * 2)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        began = time.perf_counter()
        job = Job(state, options.members, options.days)
        run(job, forecaster, Path(folder), [OutputConfig()], progress=False)
        seconds = time.perf_counter() - began
        return seconds, sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())


def with_random_weights(latitudes: int, sampler: SamplerConfig) -> Forecaster:
    """The shipped configs' network for 22 channels on an equiangular grid, also where training starts from zeros."""
    grid, channels = Grid.equiangular(latitudes, 2 * latitudes, poles=False), Channels.of(VARIABLES)
    scales = [TYPICAL.get(channel.variable_name, WIND) for channel in channels]
    mean, std = torch.tensor(scales).T[..., None, None]
    torch.manual_seed(0)
    forecaster = Forecaster.create(
        channels, grid, normalizer=Normalizer(mean, std, INCREMENT * std),
        static=static_features(np.random.default_rng(0).normal(size=(2, *grid.shape)), grid),
        model=ModelConfig(process="edm", step_hours=24), sampler=sampler,
    )  # fmt: skip
    for weight in forecaster.denoiser.parameters():
        if weight.ndim > 1 and not weight.any():
            torch.nn.init.normal_(weight, std=WEIGHT * weight[0].numel() ** -0.5)
    return _with_climate(forecaster)


def _with_climate(forecaster: Forecaster) -> Forecaster:
    """Where all of a state stays, and global means do not change."""
    channels, truncation = len(forecaster.channels), forecaster.truncation
    mean = forecaster.normalizer.mean
    cycle = torch.cat([mean[:, :, 0], torch.zeros(channels, CYCLE - 1)], dim=1)
    memory = {forecaster.model.step_hours: Memory(cycle, torch.ones(channels), torch.zeros(channels, channels))}
    kept = torch.ones(channels, truncation.shares)
    return replace(
        forecaster,
        persistence=Persistence(truncation, mean.expand(channels, *forecaster.grid.shape).contiguous(), {None: kept}),
        global_means=GlobalMeans.of(forecaster.channels, forecaster.grid, memory),
    )


def random_fields(forecaster: Forecaster, seed: int) -> Tensor:
    """Isotropic fields (channel, latitude, longitude) in physical units, smooth as the atmosphere's are."""
    transform = SphericalTransform(forecaster.grid)
    power = (1.0 + transform.degrees) ** -SLOPE
    normal = torch.randn(len(forecaster.channels), len(power), generator=torch.Generator().manual_seed(seed))
    fields = transform.fields(normal * (power / power.sum()).sqrt())
    scales = forecaster.normalizer.to("cpu")
    return scales.mean + scales.std * fields


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
