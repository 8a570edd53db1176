"""Members that are left out of forecasts: of any layout, before anything is asked of a run, and said in the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

import forecast.cli_score_joint  # noqa: F401, it registers its command
from data_pipeline.errors import ScoreError
from evaluation.answer import merge
from evaluation.question import Question
from evaluation.readers import open_forecasts
from evaluation.score_files import write_scores
from forecast.cli_score import score_app
from forecast.cli_score_words import members_of
from tests.evaluation.layouts import LAYOUTS
from tests.evaluation.whole_scores import answered

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Write = Callable[..., Path]
    Ensemble = Callable[..., xr.Dataset]


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("without", [(0,), (1,), (0, 3)])
def test_members_are_left_out_of_every_layout(
    ensemble: Ensemble, tmp_path: Path, layout: Callable, without: tuple[int, ...]
) -> None:
    runs = [ensemble(start=0), ensemble(start=4)]
    kept = [number for number in range(4) if number not in without]
    for opened, run in zip(open_forecasts(layout(runs, tmp_path), without=without)[0], runs, strict=True):
        assert opened["realization"].values.tolist() == kept
        order = ("realization", "lead_time", "level", "latitude", "longitude")
        expected = run.sel(realization=kept)
        for name, field in expected.data_vars.items():
            found = opened[name].transpose(*order, missing_dims="ignore")
            np.testing.assert_allclose(found, field, rtol=1e-6)


def test_members_without_numbers_count_from_0(written: Write, ensemble: Ensemble) -> None:
    path = written(lambda data: data.drop_vars("realization").rename(realization="member"))
    (run,), _ = open_forecasts([path], without=[0, 2])
    expected = ensemble()["2m_temperature"].isel(realization=[1, 3])
    np.testing.assert_array_equal(run["2m_temperature"].transpose("realization", ...), expected)


def test_a_control_of_other_fields_is_put_aside_first(ensemble: Ensemble, tmp_path: Path) -> None:
    """It has more than the others, so that without this it alone would be whole."""
    run = ensemble()
    run.isel(realization=[0]).to_netcdf(tmp_path / "control.nc")
    run[["geopotential"]].isel(realization=slice(1, None)).to_netcdf(tmp_path / "perturbed.nc")
    (opened,), left_out = open_forecasts([tmp_path], without=[0])
    assert opened["realization"].values.tolist() == [1, 2, 3]
    assert list(opened.data_vars) == ["geopotential"]
    assert left_out == []


def test_members_that_are_not_there_or_all_there_is(written: Write, ensemble: Ensemble, tmp_path: Path) -> None:
    two, four = written(members=2), written(start=5)
    with pytest.raises(ScoreError, match="no member 4, 6-7 to leave out, the forecasts have the members 0-3; choose"):
        open_forecasts([four], without=[4, 6, 7])
    runs, _ = open_forecasts([two, four], without=[3])
    assert [run.sizes["realization"] for run in runs] == [2, 3], "it need not be in every run"
    with pytest.raises(ScoreError, match=rf"{two} has no members but 0-1, which are to be left out, expected at least"):
        open_forecasts([two, four], without=[0, 1])
    single = written(lambda data: data.isel(realization=0, drop=True))
    with pytest.raises(ScoreError, match="no member 0 to leave out, the forecasts have no numbered members; choose"):
        open_forecasts([single], without=[0])
    control = tmp_path / "control.nc"
    ensemble().isel(realization=0).to_netcdf(control)
    with pytest.raises(ScoreError, match=r"control\.nc has no members but 0, which are to be left out"):
        open_forecasts([control], without=[0])
    folder = tmp_path / "apart"
    folder.mkdir()
    for number in range(2):
        ensemble().isel(realization=[number]).to_netcdf(folder / f"{number}.nc")
    with pytest.raises(ScoreError, match=r"0\.nc has no members but 0-1, which are to be left out"):
        open_forecasts([folder], without=[0, 1])


def test_scores_without_a_member_are_those_of_an_ensemble_without_it(
    written: Write, truth: xr.Dataset, tmp_path: Path
) -> None:
    path, twin = written(), written(lambda data: data.isel(realization=slice(1, None)))
    answers = answered([path], truth, without_members=(0,)), answered([twin], truth)
    xr.testing.assert_equal(answers[0].scores, answers[1].scores)
    assert answers[0].scores.attrs["ensemble_size"] == "3"
    assert answers[0].scores.attrs["members_left_out"] == "0"
    assert answers[1].scores.attrs["members_left_out"] == "none"
    files = [tmp_path / "one.nc", tmp_path / "other.nc"]
    write_scores(answers[0], files[0])
    write_scores(answered([written(start=5)], truth), files[1])
    with pytest.raises(ScoreError, match=r"other.nc was asked without_members \(\), the first \(0,\); score all"):
        merge(files)


def test_the_commands_leave_members_out_and_say_so(written: Write, truth: xr.Dataset, tmp_path: Path) -> None:
    states, out = tmp_path / "truth.nc", tmp_path / "out.nc"
    truth.to_netcdf(states, engine="netcdf4")
    words = [str(written()), str(states), "--out", str(out)]
    ended = CliRunner().invoke(score_app, [*words, "--without-member", "0,2-3", "--scores", "mae", "--quiet"])
    assert ended.exit_code == 0, ended
    with xr.open_dataset(out, engine="netcdf4", decode_timedelta=False) as scores:
        assert (scores.attrs["members_left_out"], scores.attrs["ensemble_size"]) == ("0 2 3", "1")
    fields = ["--fields", "2m_temperature,geopotential_500"]
    assert CliRunner().invoke(score_app, ["joint", *words, *fields, "--without-member", "1"]).exit_code == 0
    with xr.open_dataset(out, engine="netcdf4", decode_timedelta=False) as joint:
        assert joint.attrs["members_left_out"] == "1"


@pytest.mark.parametrize("word", ["x", "3-1", "-1", "1-", "1-2-3"])
def test_words_that_are_no_members(word: str) -> None:
    with pytest.raises(ScoreError, match=rf"got --without-member {word}, expected numbers, e.g. 0 or 0,10-19"):
        members_of([word])


def test_a_member_is_left_out_once() -> None:
    with pytest.raises(ScoreError, match=r"got the members \(0, 0\) to leave out, expected each once"):
        Question(without_members=(0, 0))
