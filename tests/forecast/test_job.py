"""A job: batches into a file that does not depend on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr

from data_pipeline.errors import ConfigError
from forecast.job import Job, run, steps_for

if TYPE_CHECKING:
    from pathlib import Path

    from forecast.forecaster import Forecaster
    from forecast.rollout import InitialState


def forecast(path: Path, forecaster: Forecaster, job: Job) -> xr.Dataset:
    run(job, forecaster, path, {}, progress=False)
    with xr.open_dataset(path, engine="netcdf4", decode_timedelta=False) as opened:
        return opened.load()


def test_batch_size_does_not_change_the_members(tmp_path: Path, forecaster: Forecaster, initial: InitialState) -> None:
    sets = [forecast(tmp_path / f"{n}.nc", forecaster, Job(initial, 5, 2, seed=1, batch=n)) for n in (1, 2, 5, 9)]
    for other in sets[1:]:
        xr.testing.assert_allclose(other, sets[0], rtol=1e-4, atol=1e-5)


def test_file_is_complete(tmp_path: Path, forecaster: Forecaster, initial: InitialState) -> None:
    written = forecast(tmp_path / "f.nc", forecaster, Job(initial, 3, 2, batch=2))
    stacked = forecaster.channels.stack(written)
    assert stacked.sizes["realization"] == 3
    assert np.isfinite(stacked).all()
    assert written["time"].values[0] == initial.time + np.timedelta64(12, "h")


def test_more_members_extend_the_ensemble(tmp_path: Path, forecaster: Forecaster, initial: InitialState) -> None:
    few, many = (forecast(tmp_path / f"{n}.nc", forecaster, Job(initial, n, 1)) for n in (2, 4))
    xr.testing.assert_allclose(many.isel(realization=slice(2)), few, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("days", "steps"), [(0.5, 1), (1, 2), (10, 20), (1.5, 3)])
def test_steps_for_days(forecaster: Forecaster, days: float, steps: int) -> None:
    assert steps_for(forecaster, days) == steps


@pytest.mark.parametrize("days", [0, 0.1, 0.7, -1, float("nan"), float("inf")])
def test_days_that_are_no_steps(forecaster: Forecaster, days: float) -> None:
    with pytest.raises(ConfigError, match="days, expected a multiple of the model's step of 12 h"):
        steps_for(forecaster, days)
