"""Scores of files from end to end, against the same scores written out by hand with numpy and properscoring."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr

from data_pipeline.errors import ScoreError
from evaluation.metrics.registry import DEFAULT_METRICS, METRICS, STATISTICS, needed_statistics
from evaluation.score_files import write_scores
from tests.evaluation.whole_scores import answered, scored

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.evaluation.conftest import RisingClimatology

with warnings.catch_warnings():  # properscoring 0.1 predates the deprecations of numpy and numba
    warnings.simplefilter("ignore")
    import properscoring


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
            assert set(attributes) == {"units", "metric", "variable", "direction", "long_name", "formula"}
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


def test_seasons_and_hours_stand_beside_each_other(written: Callable[..., Path], truth: xr.Dataset) -> None:
    paths = [written(start=start) for start in (0, 1, 4, 5, 9)]
    by_hour = scored(paths, truth, by="hour")
    assert by_hour["group"].values.tolist() == ["00", "12"]
    alone = scored([paths[1], paths[3], paths[4]], truth)
    xr.testing.assert_equal(by_hour["crps_geopotential"].sel(group="12", drop=True), alone["crps_geopotential"])
    by_season = scored(paths, truth, by="season")
    assert by_season["group"].values.tolist() == ["DJF"]
    sizes = by_hour["sample_size_geopotential"]
    assert sizes.dims == ("group", "lead_time", "level")
    assert sizes.isel(lead_time=0, level=0).values.tolist() == [2, 3], "not the five of both groups"
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


def test_a_perfect_forecast_is_perfect(written: Callable[..., Path], truth: xr.Dataset) -> None:
    def perfect(data: xr.Dataset) -> xr.Dataset:
        exact = truth.sel(time=data["time"]).expand_dims(realization=4)
        return data.assign({name: exact[name] for name in data.data_vars})

    scores = scored([written(perfect)], truth).sel(model="forecast")
    for name in ("crps", "rmse", "spread", "bias"):
        np.testing.assert_array_equal(scores[f"{name}_geopotential"], 0.0)
    assert np.isnan(scores["spread_skill_geopotential"]).all(), "0/0: without spread and error there is no ratio"


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
