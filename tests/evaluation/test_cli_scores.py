"""``sphercast score`` and ``tracks`` say what they did not do, and replace nothing that they read."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
import xarray as xr
from typer.testing import CliRunner

import forecast.cli_score_joint
import forecast.cli_score_list
import forecast.cli_scorecard  # noqa: F401, these register their commands
from data_pipeline.errors import ScoreError
from forecast.cli_score import score_app
from forecast.cli_tracks import tracks_app

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result


def invoked(*words: object, app=score_app) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def refusal(*words: object, app=score_app) -> str:
    error = invoked(*words, app=app).exception
    assert isinstance(error, ScoreError), error
    return str(error)


@pytest.fixture
def states(truth: xr.Dataset, tmp_path: Path) -> Path:
    path = tmp_path / "truth.nc"
    truth.to_netcdf(path, engine="netcdf4")
    return path


def test_what_is_read_is_never_replaced(two_runs: list[Path], states: Path, tmp_path: Path) -> None:
    before = [path.read_bytes() for path in (two_runs[1], states)]
    climatology = tmp_path / "climatology.nc"
    shutil.copy(states, climatology)
    pattern = tmp_path / "forecast_*.nc"
    for out in (two_runs[1], states, climatology):
        said = refusal(pattern, states, "--out", out, "--climatology", climatology)
        assert said == f"got --out {out}, which is also read and would be lost; give another name"
    assert [path.read_bytes() for path in (two_runs[1], states)] == before
    part = tmp_path / "part.nc"
    assert invoked(two_runs[0], states, "--out", part, "--quiet").exit_code == 0
    assert "which is also read and would be lost" in refusal("merge", part, "--out", part)
    assert "would be lost" in refusal("compare", part, "--out", part)
    assert "would be lost" in refusal("joint", pattern, states, "--fields", "a,b", "--out", two_runs[0])
    assert "would be lost" in refusal("find", two_runs[0], "--out", two_runs[0], app=tracks_app)
    assert "would be lost" in refusal("score", two_runs[0], states, "--out", states, app=tracks_app)
    assert [path.read_bytes() for path in (two_runs[1], states)] == before
    assert invoked(two_runs[0], states, "--out", part, "--quiet").exit_code == 0, "an old result may be replaced"


def test_regions_stand_with_commas(two_runs: list[Path], states: Path, tmp_path: Path) -> None:
    out = tmp_path / "scores.nc"
    words = ("--regions", "tropics,box:20,60,-10,40,land&tropics", "--regions", "global,tropics", "--quiet")
    assert invoked(two_runs[0], states, "--out", out, *words).exit_code == 0
    with xr.open_dataset(out, engine="netcdf4") as scores:
        assert scores["region"].values.tolist() == ["tropics", "box:20,60,-10,40", "land&tropics", "global"]
    said = refusal(two_runs[0], states, "--out", out, "--regions", "global,map")
    assert said.endswith("or several joined by &; map, alone, is every point by itself")
    assert "map, alone" in invoked("list", "regions").output


def test_what_was_not_scored_is_said(written: Callable[..., Path], states: Path, tmp_path: Path) -> None:
    late, out = written(start=15, leads=2), tmp_path / "scores.nc"
    short = tmp_path / "short.nc"
    with xr.open_dataset(states, engine="netcdf4") as truth:
        truth.isel(time=slice(0, -1)).to_netcdf(short, engine="netcdf4")
    words = (late, short, "--out", out, "--scores", "rmse", "--quiet")
    assert "the truth lacks 2020-01-09T12:00; pass --allow-missing" in refusal(*words)
    ended = invoked(*words, "--allow-missing")
    assert "warning: not scored: the truth lacks 2020-01-09T12:00 (attribute 'missing')" in ended.stderr
    clean = invoked(written(), short, "--out", out, "--scores", "rmse", "--quiet")
    assert "warning" not in clean.stderr


def test_long_lists_of_what_was_not_scored_are_cut(
    capsys: pytest.CaptureFixture[str],
) -> None:
    from forecast.cli_score_words import warn_of_missing

    for count, end in ((10, "lack 9 (attribute 'missing')\n"), (25, "lack 9; and 15 more (attribute 'missing')\n")):
        warn_of_missing("; ".join(f"lack {number}" for number in range(count)))
        assert capsys.readouterr().err.endswith(end)


def test_a_lost_part_is_not_merged_away(written: Callable[..., Path], states: Path, tmp_path: Path) -> None:
    runs = [written(start=start) for start in (0, 3, 6)]
    parts = [tmp_path / f"p{number}.nc" for number in (1, 2, 3)]
    for number, part in enumerate(parts, 1):
        assert invoked(*runs, states, "--part", f"{number}/3", "--out", part, "--quiet").exit_code == 0
    out = tmp_path / "merged.nc"
    said = refusal("merge", parts[0], parts[2], "--out", out)
    assert said == "part 2/3 is not there; score and give all parts, or pass --allow-missing to merge the others"
    assert "parts 2/3, 3/3 are not there" in refusal("merge", parts[0], "--out", out)
    ended = invoked("merge", parts[0], parts[2], "--out", out, "--allow-missing")
    assert "warning: not scored: part 2/3 is not there" in ended.stderr
    with xr.open_dataset(out, engine="netcdf4") as scores:
        assert scores.attrs["missing"] == "part 2/3 is not there"
    assert invoked("merge", *parts, "--out", out).stderr == ""
    said = refusal(*runs, states, "--part", "4/5", "--out", out)
    assert said == "part 4/5 is empty, as there are 3 initial times; ask for at most 3 parts"


def test_thresholds_of_what_is_not_scored_are_refused(two_runs: list[Path], states: Path, tmp_path: Path) -> None:
    said = refusal(two_runs[0], states, "--out", tmp_path / "s.nc", "--threshold", "2t>280")
    assert said.startswith("there are thresholds for 2t, expected variables that are scored: 2m_temperature, geopot")


def test_a_member_of_an_ensemble_is_the_truth(two_runs: list[Path], truth: xr.Dataset, tmp_path: Path) -> None:
    ensemble, out = tmp_path / "analyses.nc", tmp_path / "scores.nc"
    members = xr.concat([truth + 5, truth], "realization").assign_coords(realization=[0, 1])
    for name, field in truth.data_vars.items():
        members[name].attrs = field.attrs
    members.to_netcdf(ensemble, engine="netcdf4")
    error = invoked(two_runs[0], ensemble, "--out", out, "--quiet").exception
    assert "(--member)" in str(error)
    biases = []
    for member in (0, 1):
        assert invoked(two_runs[0], ensemble, "--out", out, "--member", member, "--quiet").exit_code == 0
        with xr.open_dataset(out, engine="netcdf4") as scores:
            biases.append(scores["bias_2m_temperature"].sel(model="forecast").values)
    assert (abs(biases[1] - biases[0] - 5) < 1e-4).all()


def test_tracks_say_what_cannot_be_read_and_what_would_help(two_runs: list[Path], tmp_path: Path) -> None:
    said = refusal("score", two_runs[0], tmp_path / "nope.csv", app=tracks_app)
    assert "nope.csv cannot be read" in said
    assert said.endswith("expected tracks of 'tracks find' or IBTrACS as CSV")
    said = refusal("find", two_runs[0], "--kind", "tropical", "--ground", "sample", "--out", tmp_path / "t.csv",
                   app=tracks_app)  # fmt: skip
    assert "; pass --allow-missing to leave them out" in said


def test_tracks_as_a_forecast_and_several_runs_in_one_file_are_refused(two_runs: list[Path], tmp_path: Path) -> None:
    said = refusal("score", tmp_path / "ours.csv", tmp_path / "theirs.csv", app=tracks_app)
    assert said.endswith("then the truth, which may be tracks; e.g. sphercast tracks score forecast.nc best-tracks.csv")
    assert f"got the tracks {tmp_path / 'ours.csv'} as a forecast, expected forecasts" in said
    (tmp_path / "broken.nc").write_bytes(b"CDF")
    error = invoked("find", tmp_path / "broken.nc", "--out", tmp_path / "t.csv", app=tracks_app).exception
    assert "is neither a run of a forecast (" in str(error)
    assert ") nor states (" in str(error)
