"""A job: files that do not depend on batches, a manifest, and what is refused."""

from __future__ import annotations

import hashlib
import json
from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
import xarray as xr

from data_pipeline.errors import ConfigError, DataError, SphercastError
from data_pipeline.publish import only_one_in
from forecast import job as jobs
from forecast.job import Job, Origin, run, steps_for
from forecast.noise import SphericalNoise
from forecast.output import OutputConfig, read_manifest

if TYPE_CHECKING:
    from pathlib import Path

    from forecast.forecaster import Forecaster
    from forecast.rollout import InitialState


def forecast(folder: Path, forecaster: Forecaster, job: Job) -> xr.Dataset:
    run(job, forecaster, folder, progress=False)
    with xr.open_dataset(folder / "forecast.nc", engine="netcdf4", decode_timedelta=False) as opened:
        return opened.load()


def test_batch_size_does_not_change_the_members(tmp_path: Path, forecaster: Forecaster, initial: InitialState) -> None:
    sets = [forecast(tmp_path / f"{n}", forecaster, Job(initial, 5, 2, seed=1, batch=n)) for n in (1, 2, 5, 9)]
    for other in sets[1:]:
        xr.testing.assert_allclose(other, sets[0], rtol=1e-4, atol=1e-5)


def test_file_is_complete(tmp_path: Path, forecaster: Forecaster, initial: InitialState) -> None:
    written = forecast(tmp_path, forecaster, Job(initial, 3, 2, batch=2))
    stacked = forecaster.channels.stack(written)
    assert stacked.sizes["realization"] == 3
    assert np.isfinite(stacked).all()
    assert written["time"].values[0] == initial.time + np.timedelta64(12, "h")


def test_more_members_extend_the_ensemble(tmp_path: Path, forecaster: Forecaster, initial: InitialState) -> None:
    few, many = (forecast(tmp_path / f"{n}", forecaster, Job(initial, n, 1)) for n in (2, 4))
    xr.testing.assert_allclose(many.isel(realization=slice(2)), few, rtol=1e-4, atol=1e-5)


def test_the_manifest_says_what_is_there(tmp_path: Path, forecaster: Forecaster, initial: InitialState) -> None:
    origin = Origin("small.safetensors", "abc", "states.nc", "none")
    manifest = run(Job(initial, 3, 2, seed=4, origin=origin), forecaster, tmp_path, progress=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["forecast.manifest.json", "forecast.nc"]
    assert read_manifest(tmp_path) == manifest
    assert (manifest.complete, manifest.steps, manifest.hours_complete, manifest.seed) == (True, 2, 24, 4)
    assert (manifest.checkpoint, manifest.checkpoint_sha256, manifest.initial_data) == (
        "small.safetensors", "abc", "states.nc",
    )  # fmt: skip
    assert manifest.initial_sha256 == initial.sha256()
    assert manifest.files[0].sha256 == hashlib.sha256((tmp_path / "forecast.nc").read_bytes()).hexdigest()


def spoil(monkeypatch: pytest.MonkeyPatch, ill: dict[int, list[int]]) -> None:
    """Put a NaN into the noise at the drawings numbered so, for the members at these positions."""
    draw, calls = SphericalNoise.draw, []

    def spoiled(self: SphericalNoise, *args: object) -> torch.Tensor:
        noise = draw(self, *args)  # type: ignore[arg-type]
        noise[ill.get(len(calls), []), 0] = torch.nan
        calls.append(1)
        return noise

    monkeypatch.setattr(SphericalNoise, "draw", spoiled)


def test_a_stopped_member_is_missing_and_the_others_keep_their_bits(
    tmp_path: Path, forecaster: Forecaster, initial: InitialState, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    job = Job(initial, 4, 3, batch=2)
    sound = forecast(tmp_path / "sound", forecaster, job)
    spoil(monkeypatch, {3: [1]})  # step 2 of the second batch
    written = forecast(tmp_path / "ill", forecaster, job)
    assert written["steps_completed"].values.tolist() == [3, 3, 3, 1]
    assert written.attrs["stopped_members"].startswith("member 3 stopped at step 2 (2000-01-04T00): ")
    others = {"realization": [0, 1, 2]}
    assert (forecaster.channels.stack(written).isel(others) == forecaster.channels.stack(sound).isel(others)).all()
    assert np.isnan(forecaster.channels.stack(written).isel(realization=3, time=slice(1, None))).all()
    manifest = read_manifest(tmp_path / "ill")
    assert (manifest.complete, manifest.hours_complete, manifest.stopped[0].member) == (False, 12, 3)
    assert caplog.messages == [f"{manifest.stopped[0].reason}; the others go on"]


def test_all_members_stopped(
    tmp_path: Path, forecaster: Forecaster, initial: InitialState, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch, {2: [0, 1], 3: [0]})
    with pytest.raises(DataError, match=r"all members stopped, the first: member 0 stopped at step 2 .*; check"):
        run(Job(initial, 3, 3, batch=2), forecaster, tmp_path, progress=False)
    assert list(tmp_path.iterdir()) == []


def test_what_is_published_is_not_done_again(
    tmp_path: Path, forecaster: Forecaster, initial: InitialState, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = Job(initial, 2, 1)
    first = run(job, forecaster, tmp_path, progress=False)
    with monkeypatch.context() as patch:
        patch.setattr(jobs, "_begin", None)
        assert run(replace(job, batch=1, memory=10**12), forecaster, tmp_path, progress=False) == first
    other = run(replace(job, seed=1), forecaster, tmp_path, progress=False)
    assert other.run_sha256 != first.run_sha256
    (tmp_path / "forecast.manifest.json").write_text("{")
    assert run(job, forecaster, tmp_path, progress=False).run_sha256 == first.run_sha256
    (tmp_path / "forecast.nc").unlink()
    run(job, forecaster, tmp_path, progress=False)
    assert (tmp_path / "forecast.nc").exists()


def test_forecasts_of_another_model_are_made_anew(
    tmp_path: Path, forecaster: Forecaster, initial: InitialState
) -> None:
    """Also where nobody says which model it is."""
    job, other = Job(initial, 2, 1), deepcopy(forecaster)
    first = run(job, forecaster, tmp_path, progress=False)
    assert run(job, other, tmp_path, progress=False) == first, "the same weights"
    next(other.denoiser.parameters()).data.add_(0.1)
    assert run(job, other, tmp_path, progress=False).run_sha256 != first.run_sha256
    assert Origin().checkpoint_sha256 == "unknown"


def test_two_at_once(tmp_path: Path, forecaster: Forecaster, initial: InitialState) -> None:
    with (
        only_one_in(tmp_path / ".forecast.partial"),
        pytest.raises(SphercastError, match="another process is at work in"),
    ):
        run(Job(initial, 2, 1), forecaster, tmp_path, progress=False)


@pytest.mark.parametrize("name", ["x.nc", "x.zarr"])
def test_no_folder_of_anybody_is_replaced(
    tmp_path: Path, forecaster: Forecaster, initial: InitialState, name: str
) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "thesis.tex").touch()
    with pytest.raises(SphercastError, match=f"{name} is a folder or a device, expected the name of a file"):
        run(Job(initial, 2, 1), forecaster, tmp_path, [OutputConfig(name=name)], progress=False)
    assert (tmp_path / name / "thesis.tex").exists()


def test_a_store_does_not_replace_a_file(tmp_path: Path, forecaster: Forecaster, initial: InitialState) -> None:
    (tmp_path / "x.zarr").touch()
    with pytest.raises(SphercastError, match=r"x\.zarr is a file, expected the name of a Zarr store to write; give an"):
        run(Job(initial, 2, 1), forecaster, tmp_path, [OutputConfig(name="x.zarr")], progress=False)
    assert [path.name for path in tmp_path.iterdir()] == ["x.zarr"]


def test_a_zarr_store_is_replaced_by_another(tmp_path: Path, forecaster: Forecaster, initial: InitialState) -> None:
    outputs = [OutputConfig(name="x.zarr")]
    first, second = (run(Job(initial, 2, 1, s), forecaster, tmp_path, outputs, progress=False) for s in (0, 1))
    assert first.files[0].sha256 != second.files[0].sha256
    assert sorted(path.name for path in tmp_path.iterdir()) == ["forecast.manifest.json", "x.zarr"]


def test_contents_of_a_list_of_stations_name_the_forecast(
    tmp_path: Path, forecaster: Forecaster, initial: InitialState
) -> None:
    outputs, stations = [OutputConfig(points=tmp_path / "s.csv")], tmp_path / "s.csv"
    names = []
    for place in ("10,20", "30,40"):
        stations.write_text(f"name,latitude,longitude\nHere,{place}\n")
        names.append(run(Job(initial, 1, 1), forecaster, tmp_path, outputs, progress=False).run_sha256)
    assert names[0] != names[1]
    assert json.loads((tmp_path / "forecast.manifest.json").read_text())["run_sha256"] == names[1]


@pytest.mark.parametrize(("days", "steps"), [(0.5, 1), (1, 2), (10, 20), (1.5, 3)])
def test_steps_for_days(forecaster: Forecaster, days: float, steps: int) -> None:
    assert steps_for(forecaster, days) == steps


@pytest.mark.parametrize("days", [0, 0.1, 0.7, -1, float("nan"), float("inf")])
def test_days_that_are_no_steps(forecaster: Forecaster, days: float) -> None:
    with pytest.raises(ConfigError, match="days, expected a multiple of the model's step of 12 h"):
        steps_for(forecaster, days)
