"""What the repository ships works together: sample, checkpoint, configs; and the ERA5 recipe builds the real files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import data_pipeline.sample
from data_pipeline.building.build import build
from data_pipeline.channels import Channels
from data_pipeline.config import DataConfig
from data_pipeline.grid import Grid
from data_pipeline.quality import check_values
from data_pipeline.reading import SAMPLE, find_climatology, open_states
from data_pipeline.store import open_store
from evaluation.question import Question
from evaluation.score import score
from forecast.checkpoint import load_checkpoint, provenance, shipped
from forecast.config import load_experiment
from forecast.initial import initial_state, parse_time
from forecast.job import Job, run

if TYPE_CHECKING:
    import xarray as xr

REAL_DATA = Path(__file__).parents[2] / "shared" / "data"
MEGABYTE = 10**6
FIRST_INIT = "2001-01-10"


@pytest.fixture(scope="module")
def sample() -> xr.Dataset:
    return open_states(SAMPLE)


def test_sizes() -> None:
    files = list(Path(data_pipeline.sample.__file__).parent.glob("*.nc"))
    assert len(files) == 2
    assert sum(file.stat().st_size for file in files) <= 10 * MEGABYTE
    assert all(path.stat().st_size <= 20 * MEGABYTE for path in shipped().values())


def test_the_sample_holds_whole_plausible_states(sample: xr.Dataset) -> None:
    channels = load_checkpoint(shipped()["planet"]).channels
    check_values(channels.stack(channels.select(sample)).load(), channels)
    assert {"geopotential_at_surface", "land_sea_mask"} <= set(sample.data_vars)


def test_the_checkpoint_has_not_seen_the_sample(sample: xr.Dataset) -> None:
    period = load_experiment("planet").data.training_period
    assert not period.contains(sample["time"].values).any()
    assert period.stop in provenance(shipped()["planet"])["trained_on"]


def test_the_shipped_checkpoint_beats_its_baselines(sample: xr.Dataset, tmp_path: Path) -> None:
    forecaster = load_checkpoint(shipped()["planet"])
    initial = initial_state(forecaster, sample, parse_time(FIRST_INIT))
    run(Job(initial, members=4, steps=2, batch=4), forecaster, tmp_path, progress=False)
    names = ["geopotential", "temperature", "u_component_of_wind"]
    question = Question(variables=tuple(names))
    scores = score([tmp_path / "forecast.nc"], sample, question, climatology=find_climatology(SAMPLE)).scores.isel(
        region=0
    )
    for name, level in zip(names, (500, 850, 850), strict=True):
        crps = scores[f"crps_{name}"].sel(level=level)
        forecast, baselines = crps.sel(model="forecast"), crps.sel(model=["persistence", "climatology"])
        assert bool((forecast < 0.7 * baselines.min("model")).all())


def test_era5_stores_become_the_recipes_training_store(tmp_path: Path) -> None:
    if not REAL_DATA.is_dir():
        pytest.skip(f"no real data at {REAL_DATA}")
    config = load_experiment("era5_msl").data.model_dump()
    for source in config["sources"]:
        source["path"] = str(REAL_DATA / Path(source["path"]).name)
    store = open_store(build(DataConfig.model_validate({**config, "store": tmp_path / "store.zarr"}), progress=False))
    assert store.channels == Channels.of({"mean_sea_level_pressure": None, "vorticity": [850]})
    fields = store.read(range(len(store.times)))
    assert fields.shape == (360, 2, 32, 64)
    for position, source in enumerate(config["sources"]):
        (field,) = open_states(source["path"]).squeeze(drop=True).data_vars.values()
        means = field.values.astype(np.float64).mean(-1) @ Grid.of(field).area_weights() / field.sizes["latitude"]
        kept = fields[:, position].astype(np.float64).mean(-1) @ store.grid.area_weights() / store.grid.shape[0]
        np.testing.assert_allclose(kept, means, rtol=1e-6, atol=1e-10)
