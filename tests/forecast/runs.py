"""Small forecasts in processes of their own, which tests may kill."""

from __future__ import annotations

import hashlib
import multiprocessing
from typing import TYPE_CHECKING, Any

import torch

from forecast.checkpoint import load_checkpoint, read_tensors
from forecast.job import Job, run
from forecast.output import OutputConfig
from forecast.products import ProductsConfig
from forecast.rollout import InitialState

from .conftest import TIME

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MEMBERS, STEPS, BATCH = 5, 6, 2
OUTPUTS = (
    OutputConfig(), OutputConfig(name="forecast.zarr"), OutputConfig(name="low.nc", keep_bits=7, levels=(850,)),
    ProductsConfig(variables=("2m_temperature",), quantiles=(0.5,), windows=("12-36",)),
)  # fmt: skip
"""Every kind of sink."""

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.forecast.runs"])


def forecast_in(folder: Path) -> None:
    """Begin a small forecast, or go on with it; ``small.safetensors`` and ``initial.safetensors`` lie beside."""
    torch.set_num_threads(1)
    tensors = read_tensors(folder.parent / "initial.safetensors")[1]
    initial = InitialState(tensors["previous"], tensors["current"], TIME)
    job = Job(initial, MEMBERS, STEPS, seed=3, batch=BATCH)
    run(job, load_checkpoint(folder.parent / "small.safetensors"), folder, OUTPUTS, progress=False)


def start(folder: Path) -> Any:
    """A process that runs ``forecast_in``."""
    process = FORKS.Process(target=forecast_in, args=(folder,), daemon=True)
    process.start()
    return process


def hashes(folder: Path) -> Mapping[str, str]:
    """Of every file that is published, but the manifest, which has times."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix != ".json"]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
