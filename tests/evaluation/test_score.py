"""Scores of files from end to end, against the same scores written out by hand with numpy and properscoring."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr

from data_pipeline.errors import ScoreError
from data_pipeline.grid import Grid
from evaluation.answer import merge
from evaluation.baselines import GaussianClimatology
from evaluation.climate import Season
from evaluation.kept import Kept, keeping
from evaluation.metrics.registry import DEFAULT_METRICS, METRICS, STATISTICS, needed_statistics
from evaluation.pairs import match
from evaluation.question import Question
from evaluation.readers import open_runs
from evaluation.score import score
from evaluation.score_files import read_scores, write_scores
from evaluation.tally import Tally
from tests.evaluation.conftest import START

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from evaluation.answer import Answer
    from evaluation.pairs import Match
    from evaluation.sums import Sums
    from tests.evaluation.conftest import RisingClimatology

with warnings.catch_warnings():  # properscoring 0.1 predates the deprecations of numpy and numba
    warnings.simplefilter("ignore")
    import properscoring


def answered(
    paths: list[Path], truth: xr.Dataset, *, climatology=None, progress=False, kept=None, **question
) -> Answer:
    asked = {name: tuple(value) if isinstance(value, list) else value for name, value in question.items()}
    return score(paths, truth, Question(**asked), climatology=climatology, progress=progress, kept=kept)


def scored(paths: list[Path], truth: xr.Dataset, **options) -> xr.Dataset:
    """The scores of the whole globe."""
    return answered(paths, truth, **options).scores.isel(region=0, drop=True)


def area_mean(field: np.ndarray) -> float:
    """The mean over a 6x8 grid, weights of the cells written out: differences of sines over 30 degrees."""
    weights = -np.diff(np.sin(np.deg2rad([90, 60, 30, 0, -30, -60, -90])))
    return float((field * weights[:, np.newaxis]).sum() / (8 * weights.sum()))


@pytest.fixture
def pooled(ensemble: Callable[..., xr.Dataset], truth: xr.Dataset) -> dict[str, np.ndarray]:
    """Geopotential at 850 hPa after 24 hours, of two runs: members, the truth, the truth at the start."""
    runs = [ensemble(start=start)["geopotential"].sel(level=850).isel(time=1) for start in (0, 5)]
    exact = truth["geopotential"].sel(level=850).values.astype(np.float64)
    return {
        "members": np.stack([run.values.astype(np.float64) for run in runs], axis=1),
        "truth": np.stack([exact[2], exact[7]]),
        "start": np.stack([exact[0], exact[5]]),
    }


@pytest.fixture
def two_runs(written: Callable[..., Path]) -> list[Path]:
    return [written(start=0), written(start=5)]


@pytest.fixture
def scores(two_runs: list[Path], truth: xr.Dataset, climatology: RisingClimatology) -> xr.Dataset:
    return scored(two_runs, truth, climatology=climatology)


def of(scores: xr.Dataset, metric: str, model: str) -> float:
    return float(scores[f"{metric}_geopotential"].sel(model=model, lead_time=24.0, level=850))


def test_ensemble_scores_by_hand(scores: xr.Dataset, pooled: dict[str, np.ndarray]) -> None:
    members, truth, size = pooled["members"], pooled["truth"], len(pooled["members"])
    error = members.mean(axis=0) - truth
    standard = properscoring.crps_ensemble(truth, np.moveaxis(members, 0, -1))
    pairs = np.abs(members[:, np.newaxis] - members).sum(axis=(0, 1))
    fair = standard + pairs / (2 * size**2) - pairs / (2 * size * (size - 1))
    rmse = np.sqrt(area_mean(np.square(error).mean(axis=0)))
    spread = np.sqrt(area_mean(members.var(axis=0, ddof=1).mean(axis=0)))
    assert of(scores, "crps", "forecast") == pytest.approx(area_mean(fair.mean(axis=0)), rel=1e-10)
    assert of(scores, "rmse", "forecast") == pytest.approx(rmse, rel=1e-10)
    assert of(scores, "spread", "forecast") == pytest.approx(spread, rel=1e-10)
    assert of(scores, "spread_skill", "forecast") == pytest.approx(np.sqrt(5 / 4) * spread / rmse, rel=1e-10)
    assert of(scores, "bias", "forecast") == pytest.approx(area_mean(error.mean(axis=0)), rel=1e-8)


def test_persistence_scores_by_hand(scores: xr.Dataset, pooled: dict[str, np.ndarray]) -> None:
    error = pooled["start"] - pooled["truth"]
    assert of(scores, "crps", "persistence") == pytest.approx(area_mean(np.abs(error).mean(axis=0)), rel=1e-10)
    rmse = np.sqrt(area_mean(np.square(error).mean(axis=0)))
    assert of(scores, "rmse", "persistence") == pytest.approx(rmse, rel=1e-10)
    assert np.isnan(of(scores, "spread", "persistence"))
    assert np.isnan(of(scores, "spread_skill", "persistence"))


def test_climatology_scores_by_hand(
    scores: xr.Dataset, pooled: dict[str, np.ndarray], climatology: RisingClimatology
) -> None:
    mean, std = (part["geopotential"].sel(level=850).values for part in (climatology.mean, climatology.std))
    rising = np.stack([mean + 1.0, mean + 3.5])  # a day for each day to the valid time
    crps = properscoring.crps_gaussian(pooled["truth"], rising, std.astype(np.float64))
    assert of(scores, "crps", "climatology") == pytest.approx(area_mean(crps.mean(axis=0)), rel=1e-10)
    spread = np.sqrt(area_mean(std.astype(np.float64) ** 2))
    assert of(scores, "spread", "climatology") == pytest.approx(spread, rel=1e-10)
    ratio = spread / of(scores, "rmse", "climatology")
    assert of(scores, "spread_skill", "climatology") == pytest.approx(ratio, rel=1e-10)


def test_labels_and_attributes(scores: xr.Dataset) -> None:
    assert scores["model"].values.tolist() == ["forecast", "persistence", "climatology"]
    assert scores["lead_time"].values.tolist() == [12.0, 24.0, 36.0]
    assert scores["lead_time"].attrs["units"] == "hour"
    assert scores["level"].values.tolist() == [500, 850]
    assert scores["crps_geopotential"].dims == ("model", "lead_time", "level")
    assert scores["crps_2m_temperature"].dims == ("model", "lead_time")
    for name in DEFAULT_METRICS:
        for variable, units in (("geopotential", "m2 s-2"), ("2m_temperature", "K")):
            attributes = scores[f"{name}_{variable}"].attrs
            assert attributes["units"] == ("1" if name == "spread_skill" else units)
            assert (attributes["metric"], attributes["variable"]) == (name, variable)
            assert attributes["direction"] == METRICS[name].direction
            assert attributes["long_name"]
            assert attributes["formula"]
    assert scores.attrs["initial_times"] == "2020-01-01T00:00 2020-01-03T12:00"
    assert (scores.attrs["ensemble_size"], scores.attrs["missing"], scores.attrs["invalid_values"]) == (
        "4", "none", "none")  # fmt: skip
    assert np.all(scores["sample_size_geopotential"] == 2)


def test_scores_survive_the_file(two_runs: list[Path], truth: xr.Dataset, tmp_path: Path) -> None:
    path, answer = tmp_path / "deep" / "scores.nc", answered(two_runs, truth)
    write_scores(answer, path)
    with xr.open_dataset(path, decode_timedelta=True) as again:  # hours stay numbers even when timedeltas are decoded
        xr.testing.assert_identical(again.load(), answer.scores)
    assert again.attrs["Conventions"] == "CF-1.11"
    assert [file.name for file in path.parent.iterdir()] == ["scores.nc"]


def test_a_failed_write_leaves_what_was_there(two_runs: list[Path], truth: xr.Dataset, tmp_path: Path) -> None:
    path, answer = tmp_path / "deep" / "scores.nc", answered(two_runs, truth)
    write_scores(answer, path)
    before = path.read_bytes()
    with pytest.raises(TypeError):
        write_scores(replace(answer, scores=answer.scores.assign_attrs(bad=object())), path)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["scores.nc"]


def test_the_order_of_runs_does_not_change_a_bit(
    two_runs: list[Path], truth: xr.Dataset, scores: xr.Dataset, climatology: RisingClimatology
) -> None:
    backwards = scored(two_runs[::-1], truth, climatology=climatology)
    xr.testing.assert_equal(backwards, scores)


def test_the_order_of_members_does_not_change_a_bit(
    written: Callable[..., Path], truth: xr.Dataset, scores: xr.Dataset
) -> None:
    shuffled = [written(lambda data: data.isel(realization=[2, 0, 3, 1]), start=start) for start in (0, 5)]
    again = scored(shuffled, truth)
    xr.testing.assert_equal(again, scores.sel(model=again["model"]))


@pytest.mark.parametrize("count", [2, 3, 5])
@pytest.mark.parametrize("by", [None, "hour"])
def test_any_parts_make_the_same_scores(
    written: Callable[..., Path], truth: xr.Dataset, tmp_path: Path, count: int, by: str | None
) -> None:
    paths = [written(start=start) for start in (0, 1, 4, 5, 9)]
    whole = answered(paths, truth, by=by, regions=["global", "tropics"]).scores
    files = []
    for number in range(count, 0, -1):
        files.append(tmp_path / f"part{number}.nc")
        part = answered(paths, truth, by=by, regions=["global", "tropics"], part=(number, count))
        write_scores(part, files[-1])
    merged = merge(files).scores
    xr.testing.assert_equal(merged, whole)
    assert {name: text for name, text in merged.attrs.items() if name != "forecasts"} == {
        name: text for name, text in whole.attrs.items() if name != "forecasts"
    }


def test_parts_that_do_not_fit_are_refused(two_runs: list[Path], truth: xr.Dataset, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.nc", "b.nc", "plain.nc")]
    write_scores(answered(two_runs[:1], truth), files[0])
    write_scores(answered(two_runs[1:], truth, regions=["tropics"]), files[1])
    xr.Dataset({"x": 1.0}).to_netcdf(files[2], engine="netcdf4")
    with pytest.raises(ScoreError, match=r"b.nc was asked regions \('tropics',\), the first \('global',\); score all"):
        merge(files[:2])
    with pytest.raises(ScoreError, match="several parts hold the initial time 2020-01-01T00:00; give each part once"):
        merge([files[0], files[0]])
    with pytest.raises(ScoreError, match=r"plain.nc holds no sums, expected a file of 'sphercast score'"):
        merge(files[2:])
    with pytest.raises(ScoreError, match=r"absent.nc cannot be read .*; expected a file of 'sphercast score'"):
        read_scores(tmp_path / "absent.nc")
    with pytest.raises(ScoreError, match="got part 3/2, expected i/n with 1 <= i <= n"):
        Question(part=(3, 2))


def test_a_killed_score_goes_on_from_its_last_run(
    two_runs: list[Path], truth: xr.Dataset, scores: xr.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, question = tmp_path / "scores.nc", Question()
    scored_runs = []
    run = Tally.run

    def dies_in_the_second(self: Tally, matches: list[Match]) -> Sums:
        scored_runs.append(matches[0].initial_time)
        if len(scored_runs) == 2:
            raise KeyboardInterrupt
        return run(self, matches)

    monkeypatch.setattr(Tally, "run", dies_in_the_second)
    with pytest.raises(KeyboardInterrupt), keeping(out, question, {}) as kept:
        answered(two_runs, truth, kept=kept)
    with keeping(out, question, {}) as kept:
        again = answered(two_runs, truth, kept=kept).scores.isel(region=0, drop=True)
    assert len(scored_runs) == 3, "the second run twice, the first once"
    xr.testing.assert_equal(again, scores.sel(model=again["model"]))
    assert not (tmp_path / "scores.nc.partial").exists()


def test_what_was_kept_of_another_question_or_is_torn_is_not_used(
    two_runs: list[Path], truth: xr.Dataset, tmp_path: Path
) -> None:
    out, time = tmp_path / "scores.nc", START
    sums = answered(two_runs[:1], truth).sums
    Kept(tmp_path, "one").keep(time, sums)
    assert Kept(tmp_path, "one").find(time) is not None
    assert Kept(tmp_path, "two").find(time) is None
    (file,) = tmp_path.glob("*-one.nc")
    file.write_bytes(file.read_bytes()[:500])
    assert Kept(tmp_path, "one").find(time) is None
    digests = set()
    for question, inputs in ((Question(), {}), (Question(by="hour"), {}), (Question(), {"truth": "another"})):
        with keeping(out, question, inputs) as kept:
            digests.add(kept.digest)
    assert len(digests) == 3


def test_seasons_and_hours_stand_beside_each_other(written: Callable[..., Path], truth: xr.Dataset) -> None:
    paths = [written(start=start) for start in (0, 1, 4, 5, 9)]
    by_hour = scored(paths, truth, by="hour")
    assert by_hour["group"].values.tolist() == ["00", "12"]
    alone = scored([paths[1], paths[3], paths[4]], truth)
    xr.testing.assert_equal(by_hour["crps_geopotential"].sel(group="12", drop=True), alone["crps_geopotential"])
    by_season = scored(paths, truth, by="season")
    assert by_season["group"].values.tolist() == ["DJF"]
    np.testing.assert_array_equal(
        by_season["rmse_geopotential"].isel(group=0), scored(paths, truth)["rmse_geopotential"]
    )
    with pytest.raises(ScoreError, match="got --by 'day', expected one of season, month, hour"):
        scored(paths, truth, by="day")


def test_every_statistic_is_averaged_only_when_a_metric_needs_it(two_runs: list[Path], truth: xr.Dataset) -> None:
    scores = scored(two_runs, truth, metrics=["mae", "missing"], variables=["2m_temperature"])
    assert set(scores.data_vars) == {"mae_2m_temperature", "missing_2m_temperature", "sample_size_2m_temperature"}
    assert "level" not in scores.coords
    assert needed_statistics(["mae"]) == ("absolute_error", "missing")


def test_metrics_need_known_statistics() -> None:
    assert {name for metric in METRICS.values() for name in metric.statistics} == set(STATISTICS)


def test_missing_observations_weigh_nothing(two_runs: list[Path], truth: xr.Dataset, scores: xr.Dataset) -> None:
    holes = truth.copy(deep=True)
    holes["2m_temperature"][:, 0, :] = np.nan
    holed = scored(two_runs, holes)
    assert np.isfinite(holed["crps_2m_temperature"]).all()
    assert not np.allclose(holed["crps_2m_temperature"][0], scores["crps_2m_temperature"][0])
    xr.testing.assert_equal(holed["crps_geopotential"], scores["crps_geopotential"].sel(model=holed["model"]))
    assert holed.attrs["invalid_values"] == "none"


def test_a_truth_of_nan_only_has_no_score(two_runs: list[Path], truth: xr.Dataset) -> None:
    blank = truth.assign({"2m_temperature": truth["2m_temperature"] * np.nan})
    scores = scored(two_runs, blank)
    for name in DEFAULT_METRICS:
        assert np.isnan(scores[f"{name}_2m_temperature"]).all()


def test_a_missing_member_is_seen_and_counted(written: Callable[..., Path], truth: xr.Dataset) -> None:
    def blow_up(data: xr.Dataset) -> xr.Dataset:
        data["2m_temperature"][1, 2, 3, 4] = np.inf
        return data

    scores = scored([written(blow_up)], truth)
    crps = scores["crps_2m_temperature"].sel(model="forecast")
    assert np.isnan(crps.values).tolist() == [False, False, True]
    where, share = scores.attrs["invalid_values"].split(": ")
    assert where == "forecast 2m_temperature +36 h"
    row = -np.diff(np.sin(np.deg2rad([0, -30])))[0] / 2  # the area of row 3, of the whole sphere
    assert float(share) == pytest.approx(row / 8 / 4, rel=2e-3), "one of 4 members in one of 8 columns"


def test_ensembles_of_different_sizes_pool(written: Callable[..., Path], truth: xr.Dataset) -> None:
    small, large = written(start=0, members=2), written(start=5, members=7)
    scores, parts = scored([small, large], truth), [scored([path], truth) for path in (small, large)]
    assert scores.attrs["ensemble_size"] == "2 7"
    name = "crps_2m_temperature"
    np.testing.assert_allclose(scores[name], (parts[0][name] + parts[1][name]) / 2)
    spread, rmse = ([float(part[f"{metric}_2m_temperature"][0, 0]) for part in parts] for metric in ("spread", "rmse"))
    expected = np.sqrt((3 / 2 * spread[0] ** 2 + 8 / 7 * spread[1] ** 2) / (rmse[0] ** 2 + rmse[1] ** 2))
    assert float(scores["spread_skill_2m_temperature"][0, 0]) == pytest.approx(expected, rel=1e-12)


def test_one_member_has_no_fair_score_but_others(written: Callable[..., Path], truth: xr.Dataset) -> None:
    path = written(members=1)
    with pytest.raises(ScoreError, match=r"crps, spread, spread_skill cannot be had from 1 member.*standard_crps"):
        scored([path], truth)
    scores = scored([path], truth, metrics=["standard_crps", "mae"])
    np.testing.assert_array_equal(scores["standard_crps_2m_temperature"], scores["mae_2m_temperature"])


def test_a_perfect_forecast_is_perfect(written: Callable[..., Path], truth: xr.Dataset) -> None:
    def perfect(data: xr.Dataset) -> xr.Dataset:
        exact = truth.sel(time=data["time"]).expand_dims(realization=4)
        return data.assign({name: exact[name] for name in data.data_vars})

    scores = scored([written(perfect)], truth).sel(model="forecast")
    for name in ("crps", "rmse", "spread", "bias"):
        np.testing.assert_array_equal(scores[f"{name}_geopotential"], 0.0)
    assert np.isnan(scores["spread_skill_geopotential"]).all(), "0/0: without spread and error there is no ratio"


def test_what_is_missing_raises_or_is_listed(written: Callable[..., Path], truth: xr.Dataset) -> None:
    paths, short = [written(start=0), written(start=14)], truth.isel(time=slice(0, 17))
    with pytest.raises(ScoreError, match=r"^the truth lacks 2020-01-09T12:00; pass --allow-missing to score only"):
        scored(paths, short)
    scores = scored(paths, short, allow_missing=True)
    assert scores.attrs["missing"] == "the truth lacks 2020-01-09T12:00"
    assert scores["sample_size_2m_temperature"].values.tolist() == [2, 2, 1]
    assert np.isfinite(scores["crps_geopotential"]).all()


def test_nothing_in_common_is_an_error_in_any_case(written: Callable[..., Path], truth: xr.Dataset) -> None:
    with pytest.raises(ScoreError, match="nothing to score: no valid time is in both"):
        scored([written()], truth.isel(time=slice(10, None)), allow_missing=True)


def test_persistence_needs_the_initial_time(written: Callable[..., Path], truth: xr.Dataset) -> None:
    paths, late = [written(start=0), written(start=5)], truth.isel(time=slice(1, None))
    with pytest.raises(ScoreError, match="the truth lacks the initial time 2020-01-01T00:00, which persistence needs"):
        scored(paths, late)
    scores = scored(paths, late, allow_missing=True)
    assert np.isnan(scores["crps_geopotential"].sel(model="persistence")).all(), "never over fewer times than others"
    assert np.isfinite(scores["crps_geopotential"].sel(model="forecast")).all()


def test_climatology_must_know_the_fields_and_the_grid(
    two_runs: list[Path], truth: xr.Dataset, climatology: RisingClimatology
) -> None:
    full = climatology.mean
    climatology.mean = full.sel(level=[500])
    with pytest.raises(ScoreError, match="the climatology lacks geopotential_850"):
        scored(two_runs, truth, climatology=climatology)
    crps = scored(two_runs, truth, climatology=climatology, allow_missing=True)["crps_geopotential"]
    assert np.isnan(crps.sel(model="climatology", level=850)).all()
    assert np.isfinite(crps.sel(model="climatology", level=500)).all()
    climatology.mean = full.isel(longitude=slice(0, 4))
    with pytest.raises(ScoreError, match="the climatology is on a 6x4 grid"):
        GaussianClimatology(Season(climatology, Grid.of(truth))).lacks(match(open_runs(two_runs[0]), truth)[0])


def test_unknown_metrics_are_refused(two_runs: list[Path], truth: xr.Dataset) -> None:
    with pytest.raises(ScoreError, match=r"unknown metric 'accuracy'; expected one of: crps, "):
        scored(two_runs, truth, metrics=["accuracy"])


def test_the_truth_may_be_lazy_and_its_source_is_kept(
    two_runs: list[Path], truth: xr.Dataset, scores: xr.Dataset
) -> None:
    lazy = truth.chunk(time=1).assign_attrs(source="a drifting world")
    again = scored(two_runs, lazy)
    assert again.attrs["truth_source"] == "a drifting world"
    xr.testing.assert_equal(again["rmse_geopotential"], scores["rmse_geopotential"].sel(model=again["model"]))


def test_progress_is_shown_only_when_asked(
    two_runs: list[Path], truth: xr.Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    scored(two_runs, truth)
    assert capsys.readouterr() == ("", "")
    scored(two_runs, truth, progress=True)
    assert "2 of 2 runs" in capsys.readouterr().err
