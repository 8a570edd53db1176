"""A small world for the tests of the model: autoregressive noise on an 8x16 grid, and forecasters that fit it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
import yaml

from data_pipeline.building.build import build
from data_pipeline.channels import Channels
from data_pipeline.grid import Grid
from data_pipeline.store import TrainingStore, open_store
from data_pipeline.variables import variable
from forecast import cli
from forecast.checkpoint import save_checkpoint
from forecast.config import ModelConfig, SamplerConfig, load_experiment
from forecast.forecaster import Forecaster, static_features
from forecast.global_means import CYCLE, GlobalMeans, Memory
from forecast.noise import SphericalNoise
from forecast.normalizer import Normalizer
from forecast.persistence import Persistence
from forecast.rollout import InitialState

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr

    from forecast.config import Experiment

MEMORY = 0.5
"""Correlation of a state of the world with the one 12 h before."""

VARIABLES: dict[str, list[int] | None] = {
    "geopotential": [500],
    "u_component_of_wind": [850, 200],
    "v_component_of_wind": [850, 200],
    "specific_humidity": [700],
    "2m_temperature": None,
}
SCALES = {
    "geopotential": (5.5e4, 1e3),
    "u_component_of_wind": (10.0, 8.0),
    "v_component_of_wind": (0.0, 5.0),
    "specific_humidity": (5e-3, 1e-3),
    "2m_temperature": (280.0, 10.0),
}
START = np.datetime64("2000-01-01T00", "ns")
TIME = np.datetime64("2000-01-03T00", "ns")


@pytest.fixture(autouse=True)
def _random_numbers_are_the_same_in_every_run() -> None:
    torch.manual_seed(0)


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def grid() -> Grid:
    return Grid.equiangular(8, 16, poles=False)


@pytest.fixture(scope="session")
def channels() -> Channels:
    return Channels.of(VARIABLES)


def standard_fields(channels: Channels, grid: Grid, count: int, seed: int = 0) -> np.ndarray:
    """Unit-variance isotropic noise (time, channel, latitude, longitude) with the memory of ``MEMORY``."""
    fresh = SphericalNoise(grid).draw([np.random.default_rng(seed)], count * len(channels))[0].numpy()
    fields = fresh.reshape(count, len(channels), *grid.shape).astype(np.float64)
    for now in range(1, count):
        fields[now] = MEMORY * fields[now - 1] + np.sqrt(1 - MEMORY**2) * fields[now]
    return fields


def in_units(channels: Channels, fields: np.ndarray) -> np.ndarray:
    """Standard fields (..., channel, latitude, longitude) in physical units."""
    mean, std = np.array([SCALES[channel.variable_name] for channel in channels]).T[:, :, None, None]
    return (mean + std * fields).astype(np.float32)


@pytest.fixture(scope="session")
def world(channels: Channels, grid: Grid) -> xr.Dataset:
    """Canonical data of 120 days every 12 h, with orography."""
    times = START + np.arange(240) * np.timedelta64(12, "h")
    coords = {"time": times, "latitude": list(grid.latitude), "longitude": list(grid.longitude)}
    states = in_units(channels, standard_fields(channels, grid, len(times)))
    data = channels.unstack(states, coords, ("time", "channel", "latitude", "longitude"))
    entry = variable("geopotential_at_surface")
    heights = np.random.default_rng(1).uniform(0, 3e4, grid.shape).astype(np.float32)
    data[entry.name] = (("latitude", "longitude"), heights, {"units": entry.units})
    return data


@pytest.fixture(scope="session")
def world_file(world: xr.Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("world") / "world.nc"
    world.to_netcdf(path, engine="netcdf4")
    return path


@pytest.fixture(scope="session")
def config_values(world_file: Path) -> Callable[[Path], dict[str, Any]]:
    """The experiment as plain values, everything that it writes under the given folder."""

    def values(folder: Path) -> dict[str, Any]:
        return {
            "data": {
                "sources": [{"kind": "files", "path": str(world_file)}],
                "store": str(folder / "store.zarr"),
                "variables": VARIABLES,
                "static": ["geopotential_at_surface"],
                "grid": {"kind": "equiangular", "latitudes": 8, "longitudes": 16},
                "period": {"start": "2000-01-01", "stop": "2000-04-29"},
                "training_period": {"start": "2000-01-01", "stop": "2000-03-31"},
                "interval_hours": 12,
            },
            "model": {"widths": [8, 16], "step_hours": 12},
            "training": {
                "folder": str(folder / "run"), "steps": 6, "batch_size": 4, "save_every": 2, "warmup_steps": 2,
                "ema_steps": 10, "validation_period": {"start": "2000-04-02", "stop": "2000-04-29"}, "bfloat16": False,
            },
            "sampler": {"name": "heun", "steps": 4},
        }  # fmt: skip

    return values


@pytest.fixture(scope="session")
def write_config(config_values: Callable[[Path], dict[str, Any]]) -> Callable[..., Path]:
    """Write the experiment as YAML; keywords ``section__key=value`` change it."""

    def write(folder: Path, **changes: Any) -> Path:
        values = config_values(folder)
        for name, value in changes.items():
            section, _, key = name.partition("__")
            values.setdefault(section, {})[key] = value
        path = folder / "experiment.yaml"
        path.write_text(yaml.safe_dump(values, sort_keys=False))
        return path

    return write


@pytest.fixture(scope="session")
def store(write_config: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> TrainingStore:
    config = load_experiment(write_config(tmp_path_factory.mktemp("store")))
    return open_store(build(config.data, progress=False))


@pytest.fixture
def experiment(tmp_path: Path, write_config: Callable[..., Path], store: TrainingStore) -> Callable[..., Experiment]:
    """The small experiment on the session's store; keywords change it."""

    def make(**changes: Any) -> Experiment:
        return load_experiment(write_config(tmp_path, data__store=str(store.path), **changes))

    return make


@pytest.fixture(scope="session")
def make_forecaster(channels: Channels, grid: Grid) -> Callable[..., Forecaster]:
    """Forecasters with random weights (the zero-initialised ones too), so that every input counts."""

    def make(seed: int = 0, sampler: SamplerConfig | None = None, **model: Any) -> Forecaster:
        torch.manual_seed(seed)
        mean, std = torch.tensor([SCALES[c.variable_name] for c in channels]).T[:, :, None, None]
        others = {hours: 0.2 * hours**0.5 * std for hours in model.get("other_step_hours", ())}
        created = Forecaster.create(
            channels, grid, normalizer=Normalizer(mean, std, 0.7 * std, others),
            static=static_features(np.random.default_rng(2).normal(size=(1, *grid.shape)), grid),
            model=ModelConfig(**{"widths": (8, 16), "step_hours": 12, **model}),
            sampler=sampler or SamplerConfig(name="heun", steps=3),
        )  # fmt: skip
        randomise(created.denoiser)
        created.denoiser.eval()
        return with_climate(created) if created.model.damped else created

    return make


def with_climate(forecaster: Forecaster) -> Forecaster:
    """What stays of the world after a step, other in each channel and degree; global means that follow a season."""
    channels, generator = len(forecaster.channels), torch.Generator().manual_seed(3)
    mean, std, model = forecaster.normalizer.mean, forecaster.normalizer.std[:, 0, 0], forecaster.model
    lengths = {None: model.step_hours, **{hours: hours for hours in model.other_step_hours}}
    share = 0.3 + 0.4 * torch.rand(channels, forecaster.truncation.shares, generator=generator)
    kept = {key: share ** (hours / 12) for key, hours in lengths.items()}
    cycle = torch.cat([mean[:, 0], 0.1 * std[:, None] * torch.rand(channels, CYCLE - 1, generator=generator)], dim=1)
    memory = {
        hours: Memory(cycle, 0.9 ** (share[:, 0] * hours), torch.diag(0.01 * hours**0.5 * std))
        for hours in lengths.values()
    }
    return replace(
        forecaster,
        persistence=Persistence(
            forecaster.truncation, mean.expand(channels, *forecaster.grid.shape).contiguous(), kept
        ),
        global_means=GlobalMeans.of(forecaster.channels, forecaster.grid, memory),
    )


def randomise(module: torch.nn.Module) -> None:
    """Give the weights that start at zero some value."""
    with torch.no_grad():
        for value in module.parameters():
            if not value.any():
                value.normal_(std=0.05)


@pytest.fixture(scope="session")
def forecaster(make_forecaster: Callable[..., Forecaster]) -> Forecaster:
    return make_forecaster()


@pytest.fixture(scope="session")
def initial(channels: Channels, grid: Grid) -> InitialState:
    previous, current = torch.from_numpy(in_units(channels, standard_fields(channels, grid, 2, seed=5)))
    return InitialState(previous, current, TIME)


@pytest.fixture
def environment() -> dict[str, str]:
    """For subprocesses: one thread, warnings as errors are pytest's matter."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONPATH": os.getcwd()}


@dataclass
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str


Run = Callable[..., Outcome]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Run ``sphercast`` with these words, in ``tmp_path``."""

    def command(*words: object) -> Outcome:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["sphercast", *map(str, words)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as caught:
            cli.main()
        captured = capfd.readouterr()
        code = caught.value.code
        if isinstance(code, str):
            return Outcome(1, captured.out, captured.err + code + "\n")
        return Outcome(code or 0, captured.out, captured.err)

    return command


@pytest.fixture
def fails(run: Run, tmp_path: Path) -> Callable[..., str]:
    """Run a command that must fail with one sentence and write nothing; the sentence."""

    def command(*words: object) -> str:
        before = sorted(tmp_path.rglob("*"))
        outcome = run(*words)
        assert outcome.code == 1
        assert outcome.out == ""
        (line,) = outcome.err.splitlines()
        assert line.startswith("sphercast: ")
        assert len(line) < 600
        assert sorted(tmp_path.rglob("*")) == before, "nothing half-written stays"
        return line

    return command


@pytest.fixture
def checkpoint(forecaster: Forecaster, tmp_path: Path) -> Path:
    path = tmp_path / "small.safetensors"
    save_checkpoint(forecaster, path, {"trained_on": "nothing"})
    return path


@pytest.fixture
def states(world_file: Path, tmp_path: Path) -> Path:
    return shutil.copy(world_file, tmp_path / "states.nc")
