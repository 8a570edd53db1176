"""Damaged fields under tracks: named where they stop a score, passed over, listed and marked where they may be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

from data_pipeline.errors import DataError, ScoreError
from evaluation.tracks import TrackSettings, find_tracks, merge_track_scores, score_tracks
from forecast.cli_tracks import tracks_app
from tests.evaluation.vortices import GRID, forecast, states, straight

if TYPE_CHECKING:
    from pathlib import Path

PRESSURE = "mean_sea_level_pressure"
OPTIONS = TrackSettings.extratropical(maximum_height=None, minimum_vorticity=None, match_km=600.0)


@pytest.fixture
def truth() -> xr.Dataset:
    return states([straight(45.0, 200.0, 3.0, 0.0, 24)])


def written(path: Path, data: xr.Dataset) -> Path:
    """A file of which HDF5 refuses a field that is damaged."""
    sizes = tuple(1 if dim not in {"latitude", "longitude"} else size for dim, size in data[PRESSURE].sizes.items())
    data.to_netcdf(path, engine="netcdf4", encoding={PRESSURE: {"fletcher32": True, "chunksizes": sizes}})
    return path


def damage(path: Path, field: xr.DataArray) -> None:
    """Loses every copy of one field of a file."""
    content, lost = path.read_bytes(), field.values.tobytes()
    assert content.count(lost) >= 1
    path.write_bytes(content.replace(lost, bytes(len(lost))))


def runs(folder: Path, truth: xr.Dataset) -> list[Path]:
    """Of three starts two days after each other, of two members that are right; six leads."""
    return [
        written(folder / f"{start}.nc", forecast([truth.isel(time=slice(start, start + 7))] * 2))
        for start in (0, 8, 16)
    ]


def test_a_damaged_field_is_named_or_its_run_is_left_out(truth: xr.Dataset, tmp_path: Path) -> None:
    paths = runs(tmp_path, truth)
    damage(paths[1], truth[PRESSURE].isel(time=10))
    place = rf"^{PRESSURE} of 2020-01-03T12: {paths[1]} cannot be read \(NetCDF: HDF error\); a file is damaged: copy"
    with pytest.raises(DataError, match=rf"{place}.* again, or pass --allow-missing to score the rest$"):
        score_tracks(paths, truth, OPTIONS)
    with pytest.raises(DataError, match=rf"{place}.* again$"):
        find_tracks(xr.open_dataset(paths[1], engine="netcdf4").pipe(_as_run, paths[1]), OPTIONS)
    found = score_tracks(paths, truth, OPTIONS, allow_missing=True)
    assert found.attrs["missing"] == (
        f"{PRESSURE} of 2020-01-03T12: {paths[1]} cannot be read (NetCDF: HDF error), so 1 run does not count"
    )
    assert found.attrs["runs_left_out"] == "1 of 3"
    xr.testing.assert_equal(found, score_tracks([paths[0], paths[2]], truth, OPTIONS))
    with pytest.raises(
        ScoreError, match=r"^nothing to score: .* so 1 run does not count; give whole files, and states"
    ):
        score_tracks([paths[1]], truth, OPTIONS, allow_missing=True)


def _as_run(data: xr.Dataset, path: Path) -> xr.Dataset:
    """A member of the file as states."""
    return data.isel(realization=0).assign_attrs(path=str(path))


def test_a_damaged_truth_leaves_out_what_verifies_there_and_ends_histories(truth: xr.Dataset, tmp_path: Path) -> None:
    paths, path = runs(tmp_path, truth), written(tmp_path / "truth.nc", truth)
    damage(path, truth[PRESSURE].isel(time=10))
    damage(path, truth[PRESSURE].isel(time=15))
    with xr.open_dataset(path, engine="netcdf4", chunks=None, cache=False) as known:
        with pytest.raises(
            DataError, match=rf"^{PRESSURE} of 2020-01-03T12: {path} cannot .*, or pass --allow-missing"
        ):
            score_tracks(paths, known, OPTIONS)
        found = score_tracks(paths, known, OPTIONS, allow_missing=True)
    assert found.attrs["missing"] == (
        f"{PRESSURE} of 2020-01-03T12: {path} cannot be read (NetCDF: HDF error), so 1 run does not count; "
        f"{PRESSURE} of 2020-01-04T18: {path} cannot be read (NetCDF: HDF error), so forecasts have no earlier history"
    )
    assert found["initial_time"].size == 2
    short = truth.isel(time=slice(16, None))
    twin = merge_track_scores([score_tracks([paths[0]], truth, OPTIONS), score_tracks([paths[2]], short, OPTIONS)])
    xr.testing.assert_equal(found, twin)


def test_runs_that_the_truth_does_not_cover_are_left_out_if_they_may_be(truth: xr.Dataset, tmp_path: Path) -> None:
    paths, early = runs(tmp_path, truth), truth.isel(time=slice(None, 20))
    with pytest.raises(
        ScoreError, match=r"^the truth lacks 3 valid times, the first 2020-01-06T00; give states that .* or"
    ):
        score_tracks(paths, early, OPTIONS)
    found = score_tracks(paths, early, OPTIONS, allow_missing=True)
    assert found.attrs["missing"] == ("the truth lacks 3 valid times, the first 2020-01-06T00, so 1 run does not count")
    merged = merge_track_scores([found, score_tracks([paths[2]], truth, OPTIONS)])
    assert merged.attrs["runs_left_out"] == "1 of 4"
    assert merged.attrs["missing"] == found.attrs["missing"]
    xr.testing.assert_equal(
        merged, merge_track_scores([score_tracks(paths[:2], early, OPTIONS), score_tracks(paths[2:], truth, OPTIONS)])
    )


def test_damaged_ground_is_named(truth: xr.Dataset, tmp_path: Path) -> None:
    truth["geopotential_at_surface"] = truth[PRESSURE].isel(time=0, drop=True) * 0 + np.float32(7.0)
    path = tmp_path / "truth.nc"
    truth.to_netcdf(
        path, engine="netcdf4", encoding={"geopotential_at_surface": {"fletcher32": True, "chunksizes": GRID.shape}}
    )
    damage(path, truth["geopotential_at_surface"])
    low = TrackSettings.extratropical(minimum_vorticity=None)
    with (
        xr.open_dataset(path, engine="netcdf4", chunks=None, cache=False) as known,
        pytest.raises(DataError, match=rf"^{path} cannot be read \(NetCDF: HDF error\)"),
    ):
        score_tracks(runs(tmp_path, truth), known, low, allow_missing=True)


def test_the_command_marks_what_is_partial(truth: xr.Dataset, tmp_path: Path) -> None:
    paths, out = runs(tmp_path, truth), tmp_path / "scores.nc"
    damage(paths[0], truth[PRESSURE].isel(time=3))
    paths[1].write_bytes(paths[1].read_bytes()[:2000])
    truth.to_netcdf(tmp_path / "truth.nc", engine="netcdf4")
    words = ["score", *map(str, (*paths, tmp_path / "truth.nc")), "--out", str(out)]
    ended = CliRunner().invoke(tracks_app, words)
    assert isinstance(ended.exception, DataError)
    assert not out.exists()
    ended = CliRunner().invoke(tracks_app, [*words, "--allow-missing"])
    assert ended.stdout == f"scores: {out} (partial: 1 of 2 runs left out; attribute 'missing')\n"
    assert f"sphercast: warning: not scored: {paths[1]} cannot be read" in ended.stderr
    assert (
        f"; {PRESSURE} of 2020-01-01T18: {paths[0]} cannot be read (NetCDF: HDF error), so 1 run does" in ended.stderr
    )
    assert "without the criteria" in ended.stderr
    with xr.open_dataset(out, engine="netcdf4") as scores:
        assert scores.attrs["runs_left_out"] == "1 of 2"
