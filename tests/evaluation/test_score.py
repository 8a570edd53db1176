"""Scores of files from end to end, against the same scores written out by hand with numpy and properscoring."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr

from data_pipeline.errors import ScoreError
from data_pipeline.grid import Grid
from evaluation import score as scoring
from evaluation.aggregate import AggregationState
from evaluation.assemble import to_dataset
from evaluation.baselines import GaussianClimatology, Persistence
from evaluation.metrics.registry import DEFAULT_METRICS, METRICS, STATISTICS, needed_statistics
from evaluation.pairs import match
from evaluation.readers import open_runs
from evaluation.score import score, tally, write_scores

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


@pytest.fixture
def two_runs(written: Callable[..., Path]) -> list[Path]:
    return [written(start=0), written(start=5)]


@pytest.fixture
def scores(two_runs: list[Path], truth: xr.Dataset, climatology: RisingClimatology) -> xr.Dataset:
    return score(two_runs, truth, climatology=climatology)


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


def test_scores_survive_the_file(scores: xr.Dataset, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "scores.nc"
    write_scores(scores, path)
    with xr.open_dataset(path, decode_timedelta=True) as again:  # hours stay numbers even when timedeltas are decoded
        xr.testing.assert_identical(again.load(), scores)
    assert again.attrs["Conventions"] == "CF-1.11"
    assert [file.name for file in path.parent.iterdir()] == ["scores.nc"]


def test_a_failed_write_leaves_what_was_there(scores: xr.Dataset, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "scores.nc"
    write_scores(scores, path)
    before = path.read_bytes()
    with pytest.raises(TypeError):
        write_scores(scores.assign_attrs(bad=object()), path)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["scores.nc"]


def test_blocks_runs_and_order_do_not_change_a_score(
    two_runs: list[Path],
    truth: xr.Dataset,
    scores: xr.Dataset,
    climatology: RisingClimatology,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scoring, "BLOCK_VALUES", 1)  # row by row
    xr.testing.assert_allclose(score(two_runs, truth, climatology=climatology), scores, rtol=1e-12)
    backwards = score(two_runs[::-1], truth, climatology=climatology)
    xr.testing.assert_allclose(backwards.drop_vars(["model"]), scores.drop_vars(["model"]), rtol=1e-12)


def test_tallies_of_parts_add_up(two_runs: list[Path], truth: xr.Dataset, scores: xr.Dataset) -> None:
    runs, statistics = [run for path in two_runs for run in open_runs(path)], needed_statistics(DEFAULT_METRICS)
    matches, _ = match(runs, truth)
    parts = [tally(matches[part::3], truth, [Persistence(truth)], statistics) for part in range(3)]
    keys = {key for part in parts for key in part}
    total = {key: sum((part.get(key, AggregationState()) for part in parts), AggregationState()) for key in keys}
    ordered = dict(sorted(total.items(), key=lambda item: (item[0].model, item[0].channel.name)))
    merged = to_dataset(ordered, DEFAULT_METRICS, {"geopotential": "m2 s-2", "2m_temperature": "K"})
    for name, field in merged.data_vars.items():
        xr.testing.assert_allclose(field, scores[name].sel(model=["forecast", "persistence"]), rtol=1e-12)


def test_every_statistic_is_averaged_only_when_a_metric_needs_it(two_runs: list[Path], truth: xr.Dataset) -> None:
    scores = score(two_runs, truth, metrics=["mae", "missing"], variables=["2m_temperature"])
    assert set(scores.data_vars) == {"mae_2m_temperature", "missing_2m_temperature", "sample_size_2m_temperature"}
    assert "level" not in scores.coords
    assert needed_statistics(["mae"]) == ("absolute_error", "missing")


def test_metrics_need_known_statistics() -> None:
    assert {name for metric in METRICS.values() for name in metric.statistics} == set(STATISTICS)


def test_missing_observations_weigh_nothing(two_runs: list[Path], truth: xr.Dataset, scores: xr.Dataset) -> None:
    holes = truth.copy(deep=True)
    holes["2m_temperature"][:, 0, :] = np.nan
    holed = score(two_runs, holes)
    assert np.isfinite(holed["crps_2m_temperature"]).all()
    assert not np.allclose(holed["crps_2m_temperature"][0], scores["crps_2m_temperature"][0])
    xr.testing.assert_equal(holed["crps_geopotential"], scores["crps_geopotential"].sel(model=holed["model"]))
    assert holed.attrs["invalid_values"] == "none"


def test_a_truth_of_nan_only_has_no_score(two_runs: list[Path], truth: xr.Dataset) -> None:
    blank = truth.assign({"2m_temperature": truth["2m_temperature"] * np.nan})
    scores = score(two_runs, blank)
    for name in DEFAULT_METRICS:
        assert np.isnan(scores[f"{name}_2m_temperature"]).all()


def test_a_missing_member_is_seen_and_counted(written: Callable[..., Path], truth: xr.Dataset) -> None:
    def blow_up(data: xr.Dataset) -> xr.Dataset:
        data["2m_temperature"][1, 2, 3, 4] = np.inf
        return data

    scores = score([written(blow_up)], truth)
    crps = scores["crps_2m_temperature"].sel(model="forecast")
    assert np.isnan(crps.values).tolist() == [False, False, True]
    where, share = scores.attrs["invalid_values"].split(": ")
    assert where == "forecast 2m_temperature +36 h"
    row = -np.diff(np.sin(np.deg2rad([0, -30])))[0] / 2  # the area of row 3, of the whole sphere
    assert float(share) == pytest.approx(row / 8 / 4, rel=2e-3), "one of 4 members in one of 8 columns"


def test_ensembles_of_different_sizes_pool(written: Callable[..., Path], truth: xr.Dataset) -> None:
    small, large = written(start=0, members=2), written(start=5, members=7)
    scores, parts = score([small, large], truth), [score([path], truth) for path in (small, large)]
    assert scores.attrs["ensemble_size"] == "2 7"
    name = "crps_2m_temperature"
    np.testing.assert_allclose(scores[name], (parts[0][name] + parts[1][name]) / 2)
    spread, rmse = ([float(part[f"{metric}_2m_temperature"][0, 0]) for part in parts] for metric in ("spread", "rmse"))
    expected = np.sqrt((3 / 2 * spread[0] ** 2 + 8 / 7 * spread[1] ** 2) / (rmse[0] ** 2 + rmse[1] ** 2))
    assert float(scores["spread_skill_2m_temperature"][0, 0]) == pytest.approx(expected, rel=1e-12)


def test_one_member_has_no_fair_score_but_others(written: Callable[..., Path], truth: xr.Dataset) -> None:
    path = written(members=1)
    with pytest.raises(ScoreError, match=r"crps, spread, spread_skill cannot be had from 1 member.*standard_crps"):
        score([path], truth)
    scores = score([path], truth, metrics=["standard_crps", "mae"])
    np.testing.assert_array_equal(scores["standard_crps_2m_temperature"], scores["mae_2m_temperature"])


def test_a_perfect_forecast_is_perfect(written: Callable[..., Path], truth: xr.Dataset) -> None:
    def perfect(data: xr.Dataset) -> xr.Dataset:
        exact = truth.sel(time=data["time"]).expand_dims(realization=4)
        return data.assign({name: exact[name] for name in data.data_vars})

    scores = score([written(perfect)], truth).sel(model="forecast")
    for name in ("crps", "rmse", "spread", "bias"):
        np.testing.assert_array_equal(scores[f"{name}_geopotential"], 0.0)
    assert np.isnan(scores["spread_skill_geopotential"]).all(), "0/0: without spread and error there is no ratio"


def test_what_is_missing_raises_or_is_listed(written: Callable[..., Path], truth: xr.Dataset) -> None:
    paths, short = [written(start=0), written(start=14)], truth.isel(time=slice(0, 17))
    with pytest.raises(ScoreError, match=r"^the truth lacks 2020-01-09T12:00; pass --allow-missing to score only"):
        score(paths, short)
    scores = score(paths, short, allow_missing=True)
    assert scores.attrs["missing"] == "the truth lacks 2020-01-09T12:00"
    assert scores["sample_size_2m_temperature"].values.tolist() == [2, 2, 1]
    assert np.isfinite(scores["crps_geopotential"]).all()


def test_nothing_in_common_is_an_error_in_any_case(written: Callable[..., Path], truth: xr.Dataset) -> None:
    with pytest.raises(ScoreError, match="nothing to score: the truth lacks 2020-01-01T12:00"):
        score([written()], truth.isel(time=slice(10, None)), allow_missing=True)


def test_persistence_needs_the_initial_time(written: Callable[..., Path], truth: xr.Dataset) -> None:
    paths, late = [written(start=0), written(start=5)], truth.isel(time=slice(1, None))
    with pytest.raises(ScoreError, match="the truth lacks the initial time 2020-01-01T00:00, which persistence needs"):
        score(paths, late)
    scores = score(paths, late, allow_missing=True)
    assert np.isnan(scores["crps_geopotential"].sel(model="persistence")).all(), "never over fewer times than others"
    assert np.isfinite(scores["crps_geopotential"].sel(model="forecast")).all()


def test_climatology_must_know_the_fields_and_the_grid(
    two_runs: list[Path], truth: xr.Dataset, climatology: RisingClimatology
) -> None:
    full = climatology.mean
    climatology.mean = full.sel(level=[500])
    with pytest.raises(ScoreError, match="the climatology lacks geopotential_850"):
        score(two_runs, truth, climatology=climatology)
    crps = score(two_runs, truth, climatology=climatology, allow_missing=True)["crps_geopotential"]
    assert np.isnan(crps.sel(model="climatology", level=850)).all()
    assert np.isfinite(crps.sel(model="climatology", level=500)).all()
    climatology.mean = full.isel(longitude=slice(0, 4))
    with pytest.raises(ScoreError, match="the climatology is on a 6x4 grid"):
        GaussianClimatology(climatology, Grid.of(truth)).lacks(match(open_runs(two_runs[0]), truth)[0])


def test_unknown_metrics_are_refused(two_runs: list[Path], truth: xr.Dataset) -> None:
    with pytest.raises(ScoreError, match=r"unknown metric 'acc'; expected one of: crps, "):
        score(two_runs, truth, metrics=["acc"])


def test_the_truth_may_be_lazy_and_its_source_is_kept(
    two_runs: list[Path], truth: xr.Dataset, scores: xr.Dataset
) -> None:
    lazy = truth.chunk(time=1).assign_attrs(source="a drifting world")
    again = score(two_runs, lazy)
    assert again.attrs["truth_source"] == "a drifting world"
    xr.testing.assert_equal(again["rmse_geopotential"], scores["rmse_geopotential"].sel(model=again["model"]))


def test_progress_is_shown_only_when_asked(
    two_runs: list[Path], truth: xr.Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    score(two_runs, truth)
    assert capsys.readouterr() == ("", "")
    score(two_runs, truth, progress=True)
    assert "18 of 18 fields" in capsys.readouterr().err
