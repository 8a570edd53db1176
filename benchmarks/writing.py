"""Writing forecasts, as JSON: beside the disk's own rate, what it costs a run of the demo's model, and peak memory.

``python -m benchmarks.writing [--megabytes 400] [--steps 4] [--folder DIR] [--peak]`` writes made-up smooth fields
of 20 channels and 10 members on 64x32 and 240x121 points, fsync included, and the same bytes by plain ``write`` and
fsync in turns with it; then runs the shipped checkpoint with and without writing, in turns. Each figure is the best
of three in this one run. With ``--peak`` also the peak memory of ``sphercast forecast`` with 50 members for 15
days, which takes minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from data_pipeline.channels import Channels
from data_pipeline.grid import Grid
from data_pipeline.reading import open_states
from forecast.checkpoint import find_checkpoint, load_checkpoint
from forecast.ensemble import Ensemble, here
from forecast.initial import first_time, initial_state
from forecast.job import Job, run
from forecast.memory import plan_batches
from forecast.output import EnsembleLayout, OutputConfig, open_sinks
from forecast.running import Running

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

MEMBERS, REPEATS = 10, 3
START = np.datetime64("2001-01-05T00", "ns")
PRESSURES = [200, 500, 700, 850, 925]
CHANNELS = Channels.of(
    dict.fromkeys(("geopotential", "temperature", "u_component_of_wind", "v_component_of_wind"), PRESSURES)
)
GRIDS = {
    "64x32": Grid.equiangular(32, 64, poles=False),
    "240x121": Grid.equiangular(121, 240, poles=True),
}
KINDS = {
    "netcdf": OutputConfig(compression=0),
    "zarr": OutputConfig(name="forecast.zarr", compression=0),
    "netcdf_compressed": OutputConfig(),
    "zarr_compressed": OutputConfig(name="forecast.zarr"),
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=400)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--peak", action="store_true", help="measure the peak memory of a large forecast too")
    parser.add_argument("--folder", type=Path, help="where temporary files go")
    options = parser.parse_args()
    results: dict[str, Any] = {"threads": torch.get_num_threads(), "cores": len(os.sched_getaffinity(0))}
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for name, grid in GRIDS.items():
            results[name] = rates(grid, Path(folder) / "out", options.megabytes)
        results["demo_model"] = slowdown(Path(folder) / "run", options.steps)
        if options.peak:
            results["peak_megabytes"] = peak_megabytes(Path(folder) / "forecast.nc")
    print(json.dumps(results, indent=2))


def rates(grid: Grid, folder: Path, megabytes: int) -> dict[str, float]:
    """Megabytes of float32 a second for every kind of output and for the disk, and the ratio of the two."""
    states = smooth_states(grid)
    steps = max(1, round(megabytes * 1e6 / states.nbytes))
    seconds: dict[str, list[float]] = {}
    for _ in range(REPEATS):
        seconds.setdefault("disk", []).append(timed(lambda: write_plainly(folder, states, steps), folder))
        for kind, output in KINDS.items():
            seconds.setdefault(kind, []).append(timed(lambda: write(folder, output, grid, states, steps), folder))  # noqa: B023
    speeds = {f"{kind}_megabytes_per_second": round(steps * states.nbytes / 1e6 / min(took), 1)
              for kind, took in seconds.items()}  # fmt: skip
    over_disk = {
        f"{kind}_over_disk": round(min(seconds["disk"]) / min(seconds[kind]), 2) for kind in ("netcdf", "zarr")
    }
    return {**speeds, **over_disk}


def smooth_states(grid: Grid) -> NDArray[np.float32]:
    """Waves with a little noise, which compress about as the atmosphere does."""
    random = np.random.default_rng(0)
    latitude, longitude = np.deg2rad(grid.latitude)[:, None], np.deg2rad(grid.longitude)
    waves = 280 + 30 * np.cos(latitude) + 3 * np.sin(3 * longitude) * np.cos(latitude)
    noise = random.normal(0, 0.3, (MEMBERS, len(CHANNELS), *grid.shape))
    return (waves + noise).astype(np.float32)


def write(folder: Path, output: OutputConfig, grid: Grid, states: NDArray[np.float32], steps: int) -> None:
    """One forecast through its sink."""
    times = START + np.arange(1, steps + 1) * np.timedelta64(12, "h")
    layout = EnsembleLayout(CHANNELS, grid, range(MEMBERS), START, times)
    (sink,) = open_sinks([output], layout, {}, folder, 0)
    for advance in range(steps):
        sink.write(advance, range(MEMBERS), advance + 1, states)
    sink.finish({})


def write_plainly(folder: Path, states: NDArray[np.float32], steps: int) -> None:
    """The same bytes, one after the other."""
    folder.mkdir()
    with (folder / "plain").open("wb", buffering=0) as file:
        for _ in range(steps):
            file.write(states.data)
        os.fsync(file.fileno())


def timed(work: Callable[[], object], folder: Path) -> float:
    """Seconds that ``work`` takes, which leaves its files in ``folder``; they are removed."""
    return timed_twice(work, folder)[0]


def timed_twice(work: Callable[[], object], folder: Path) -> tuple[float, float]:
    """Seconds by the clock, and of all cores together."""
    start, cores = time.perf_counter(), time.process_time()
    work()
    took = time.perf_counter() - start, time.process_time() - cores
    shutil.rmtree(folder)
    return took


def slowdown(folder: Path, steps: int) -> dict[str, float]:
    """Seconds of a run of the demo's model without files, with them, and with checks and publishing too."""
    forecaster = load_checkpoint(find_checkpoint("planet"))
    states = open_states("sample")
    initial = initial_state(forecaster, states, first_time(forecaster, states))
    job = Job(initial, MEMBERS, steps)
    plan = plan_batches(forecaster, MEMBERS, steps, batch=MEMBERS, memory=None, workers=1)
    ensemble = Ensemble(forecaster, initial, job.walk(forecaster), plan, job.seed, job.antithetic, folder)
    running = Running(ensemble, job.layout(forecaster), [OutputConfig()], {})
    ways: dict[str, Callable[[], object]] = {
        "compute": lambda: [folder.mkdir(), *(None for _ in here(ensemble))],
        "compute_and_write": lambda: running.finish(here, progress=False),
        "whole_run": lambda: run(job, forecaster, folder, progress=False),
    }
    seconds: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    for _ in range(REPEATS):
        for way, work in ways.items():
            seconds[way].append(timed_twice(work, folder))
    clock, cores = ({way: min(took[which] for took in every) for way, every in seconds.items()} for which in (0, 1))
    return {
        **{f"{way}_seconds": round(took, 3) for way, took in clock.items()},
        "writing_slows_by_percent": percent_more(clock["compute_and_write"], clock["compute"]),
        "writing_takes_more_of_the_cores_percent": percent_more(cores["compute_and_write"], cores["compute"]),
        "whole_run_takes_more_percent": percent_more(clock["whole_run"], clock["compute"]),
    }


def peak_megabytes(out: Path) -> float:
    """Of a process that forecasts 50 members of the shipped checkpoint for 15 days."""
    words = ["forecast", "planet", "--members", "50", "--days", "15", "--out", str(out), "--quiet"]
    subprocess.run([sys.executable, "-m", "forecast", *words], check=True, stdout=subprocess.DEVNULL)
    return round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e6, 1)


def percent_more(more: float, than: float) -> float:
    """The one over the other, less one."""
    return round(100 * (more / than - 1), 1)


if __name__ == "__main__":
    main()
