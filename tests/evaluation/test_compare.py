"""Models compared through files of scores: what is aligned, resampled, tested and marked."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from evaluation.compare import compare
from evaluation.estimates import Trial, estimate, has_series, only, score_of
from evaluation.improvement import improvement
from evaluation.metrics.registry import METRICS
from evaluation.scored import open_pair
from evaluation.significance import TESTS
from tests.evaluation.compared_pairs import gain, pair
from tests.evaluation.score_series import daily, series_sums, write_series


def joined(count: int = 30, **options) -> xr.Dataset:
    return only(series_sums(daily(count), **options), ["forecast", "climatology"])


def test_scores_from_sums_are_those_of_the_file(tmp_path):
    sums = {"2m_temperature": series_sums(daily(12))}
    scores = xr.open_dataset(write_series(tmp_path / "s.nc", sums))
    for name in ("crps", "rmse", "spread_skill", "bias"):
        found = score_of(sums["2m_temperature"], name)
        np.testing.assert_allclose(found, scores[f"{name}_2m_temperature"].transpose(*found.dims))


def test_the_series_of_a_mean_is_the_series_itself():
    """The jackknife of a mean gives a t-test on the differences, exactly."""
    sums = joined(25)
    found = estimate(sums, "crps", lambda crps: crps.sel(model="forecast") - crps.sel(model="climatology"),
                     Trial("diebold_mariano"))  # fmt: skip
    series = sums["total_crps"] / sums["weight_crps"]
    differences = (series.sel(model="forecast") - series.sel(model="climatology")).sel(lead_time=24.0)
    expected = stats.ttest_1samp(differences.transpose("initial_time", "region").values, 0.0)  # a horizon of one day
    np.testing.assert_allclose(found["p_value"].sel(lead_time=24.0).values, expected.pvalue)
    ends = expected.confidence_interval(0.95)
    np.testing.assert_allclose(found["lower"].sel(lead_time=24.0).values, ends.low)
    np.testing.assert_allclose(found["upper"].sel(lead_time=24.0).values, ends.high)


def test_the_bootstrap_computes_scores_of_resampled_times_as_a_loop_would():
    from evaluation import resampling

    sums, count = joined(20), 20
    found = estimate(sums, "rmse", gain, Trial("bootstrap", resamples=150))
    whole = estimate(sums, "rmse", gain, Trial("ewc"))["value"]
    np.testing.assert_array_equal(found["value"], whole)
    length = 6  # 1.3 sqrt(20), as white noise asks for no more
    weights = resampling.circular_blocks(count, length, 150)
    squares = (sums["total_squared_error"] / sums["weight_squared_error"]).sel(lead_time=48.0, region="tropics")
    rmse = {model: [np.sqrt(np.average(squares.sel(model=model), weights=row)) for row in weights]
            for model in ("forecast", "climatology")}  # fmt: skip
    gains = 100 * (1 - np.divide(rmse["forecast"], rmse["climatology"]))
    centre = float(whole.sel(lead_time=48.0, region="tropics"))
    around = centre + resampling.stretch(length, count) * (gains - centre)
    assert float(found["lower"].sel(lead_time=48.0, region="tropics")) == pytest.approx(np.quantile(around, 0.025))
    assert float(found["upper"].sel(lead_time=48.0, region="tropics")) == pytest.approx(np.quantile(around, 0.975))


@pytest.mark.parametrize("test", TESTS)
def test_all_tests_find_a_difference_and_agree_on_its_size(test):
    comparison = compare(*pair(60), trial=Trial(test, resamples=300))
    for (metric, _), cells in comparison.cells.items():
        if metric in {"crps", "rmse"}:
            assert cells["significant"].all()
            np.testing.assert_allclose(cells["improvement"], 10.0, atol=4.0)
            assert ((cells["lower"] < cells["improvement"]) & (cells["improvement"] < cells["upper"])).all()


def test_a_difference_turned_round_is_the_same_difference(tmp_path):
    for place, name in enumerate(("new", "old")):
        sums = series_sums(daily(30), seed=place)
        sums["total_variance"] *= np.random.default_rng(place).uniform(0.5, 1.5, sums["total_variance"].shape)
        sums["total_expected_squared_error"] = sums["total_variance"] * 1.1
        write_series(tmp_path / f"{name}.nc", {"2m_temperature": sums})
    ours, theirs = open_pair([tmp_path / "new.nc", tmp_path / "old.nc"])
    there, back = compare(ours, theirs, ["spread_skill"]), compare(theirs, ours, ["spread_skill"])
    one, other = (found.cells["spread_skill", "2m_temperature"] for found in (there, back))
    np.testing.assert_allclose(one["improvement"], -other["improvement"], atol=1e-9)
    np.testing.assert_allclose(one["p_value"], other["p_value"])
    assert (one["p_value"] < 1).all()


def test_last_digits_are_no_difference():
    cells = compare(*pair(), ["spread_skill"]).cells["spread_skill", "2m_temperature"]  # the same but for rounding
    assert (cells["improvement"] == 0).all()
    assert (cells["p_value"] == 1).all()


def test_the_same_scores_do_not_differ():
    comparison = compare(*pair(ours=1.0, theirs=1.0))
    for cells in comparison.cells.values():
        assert (cells["improvement"] == 0).all()
        assert (cells["p_value"] == 1).all()
        assert not cells["significant"].any()


def test_nothing_is_marked_whose_interval_holds_zero():
    comparison = compare(*pair(12, ours=0.97))
    for cells in comparison.cells.values():
        holds_zero = (cells["lower"] <= 0) & (cells["upper"] >= 0)
        assert not (cells["significant"] & holds_zero).any()


def test_a_baseline_is_compared_by_its_skill_score(tmp_path):
    path = write_series(tmp_path / "s.nc", {"2m_temperature": series_sums(daily(30))})
    ours, theirs = open_pair([path])
    assert (ours.name, theirs.name) == ("forecast", "climatology")
    cells = compare(ours, theirs, ["crps"]).cells["crps", "2m_temperature"]
    scores = xr.open_dataset(path)["crps_2m_temperature"]
    skill = 1 - scores.sel(model="forecast") / scores.sel(model="climatology")
    np.testing.assert_allclose(cells["improvement"], 100 * skill.transpose(*cells["improvement"].dims))


def test_few_initial_times_claim_nothing():
    comparison = compare(*pair(9))
    cells = comparison.cells["crps", "2m_temperature"]
    assert cells["improvement"].notnull().all()
    assert cells[["lower", "upper", "p_value"]].to_array().isnull().all()
    assert not cells["significant"].any()
    assert "9 initial times: nothing is claimed with fewer than 10" in comparison.notes
    assert compare(*pair(10)).cells["crps", "2m_temperature"]["p_value"].notnull().all()


def test_only_common_times_leads_and_regions_are_compared_and_the_rest_is_told(tmp_path):
    one = series_sums(daily(20), leads=(24.0, 48.0, 72.0))
    other = series_sums(daily(20, first=3), leads=(24.0, 48.0, 96.0), regions=("global", "europe"))
    write_series(tmp_path / "a.nc", {"2m_temperature": one, "total_precipitation": one})
    write_series(tmp_path / "b.nc", {"2m_temperature": other})
    comparison = compare(*open_pair([tmp_path / "a.nc", tmp_path / "b.nc"]), ["crps"])
    cells = comparison.cells["crps", "2m_temperature"]
    assert dict(cells.sizes) == {"lead_time": 2, "region": 1}
    assert (cells["sample_size"] == 17).all()
    same = {"lead_time": [24.0, 48.0], "region": ["global"]}
    for side, whole in (("ours", one), ("theirs", other)):
        chosen = whole.sel(model=["forecast"], initial_time=daily(17, first=3), **same)
        np.testing.assert_allclose(cells[side], score_of(chosen, "crps").squeeze("model"))
    text = "; ".join(comparison.notes)
    assert "b lacks total_precipitation" in text
    assert "a lacks 3 initial times (2020-01-21T00:00, 2020-01-22T00:00, 2020-01-23T00:00)" in text
    assert "b lacks 3 initial times (2020-01-01T00:00" in text
    assert "a lacks 1 lead time (+96.0 h)" in text
    assert "b lacks 1 region (tropics)" in text


def test_times_that_one_lead_lacks_count_for_the_others(tmp_path):
    sums = series_sums(daily(20))
    late = {"initial_time": sums["initial_time"][-6:], "lead_time": [72.0]}
    for name in sums.data_vars:
        sums[name].loc[late] = 0.0
    write_series(tmp_path / "a.nc", {"2m_temperature": sums})
    cells = compare(*open_pair([tmp_path / "a.nc"]), ["crps"]).cells["crps", "2m_temperature"]
    assert cells["sample_size"].sel(region="global").values.tolist() == [20, 20, 14]
    short = compare_series(sums.isel(initial_time=slice(0, 14)))
    np.testing.assert_allclose(cells["p_value"].sel(lead_time=72.0), short["p_value"].sel(lead_time=72.0))


def compare_series(sums: xr.Dataset) -> xr.Dataset:
    return estimate(sums, "crps", gain, Trial())


def test_a_time_that_one_model_lacks_counts_for_neither():
    sums = joined(20)
    for name in sums.data_vars:
        sums[name].loc[{"model": "climatology", "initial_time": sums["initial_time"][3]}] = 0.0
    found = compare_series(sums)
    assert (found["sample_size"] == 19).all()
    without = compare_series(sums.drop_isel(initial_time=3))
    np.testing.assert_allclose(found["value"], without["value"])
    np.testing.assert_allclose(found["lower"], without["lower"])


@pytest.mark.parametrize("test", TESTS)
def test_a_forecast_that_blew_up_is_not_scored_on_what_survives(test):
    sums = joined(20)
    sums["total_crps"].loc[{"model": "forecast", "initial_time": sums["initial_time"][3], "lead_time": 72.0}] = np.nan
    found = estimate(sums, "crps", gain, Trial(test, resamples=200))
    assert found[["value", "lower", "upper", "p_value"]].sel(lead_time=72.0).to_array().isnull().all()
    assert found["p_value"].sel(lead_time=24.0).notnull().all()


def test_scores_that_a_baseline_has_not_are_blank_and_do_not_matter_to_others():
    sums = series_sums(daily(20), models=("forecast", "climatology", "persistence"))
    for name in ("total_variance", "weight_variance"):
        sums[name].loc[{"model": "persistence"}] = 0.0
    found = estimate(sums, "spread", lambda score: score, Trial())
    assert found["value"].sel(model="persistence").isnull().all()
    assert found["lower"].sel(model="forecast").notnull().all()


def test_the_order_of_times_in_a_file_does_not_matter():
    sums = joined(20)
    shuffled = sums.isel(initial_time=np.random.default_rng(0).permutation(20))
    for test in TESTS:
        one, other = (estimate(own, "rmse", gain, Trial(test, resamples=100)) for own in (sums, shuffled))
        xr.testing.assert_allclose(one, other)


@pytest.mark.parametrize(
    ("direction", "ours", "theirs", "expected"),
    [("lower", 0.5, 1.0, 50.0), ("lower", 2.0, 1.0, -100.0), ("lower", -2.0, -1.0, 100.0), ("lower", 1.0, 0.0, np.nan),
     ("higher", 0.8, 0.7, 10.0), ("zero", -1.0, 2.0, 50.0), ("zero", 2.0, -1.0, -50.0), ("zero", 0.0, 0.0, np.nan),
     ("one", 0.9, 1.2, 10.0), ("one", 1.3, 1.0, -30.0), ("none", 1.0, 2.0, np.nan)],
)  # fmt: skip
def test_improvements(direction, ours, theirs, expected):
    found = float(improvement(xr.DataArray(ours), xr.DataArray(theirs), direction))
    assert found == pytest.approx(expected, nan_ok=True)


def test_every_metric_of_series_can_be_resampled():
    """A finalizer must not care for the extra dimension of resamples."""
    from evaluation.estimates import _score
    from evaluation.metrics.registry import STATISTICS

    axes = {name for name, own in STATISTICS.items() if own.axes is not type(own).__dataclass_fields__["axes"].default}
    times, rng = daily(12), np.random.default_rng(0)
    sums = series_sums(times)
    for name in STATISTICS:
        if name not in axes and f"total_{name}" not in sums:
            sums[f"total_{name}"] = sums["total_crps"] * rng.uniform(0.5, 1.5)
            sums[f"weight_{name}"] = sums["weight_crps"]
    names = [name for name in METRICS if has_series(sums, name)]
    assert {"crps", "rmse", "spread_skill", "bias"} <= set(names)
    for name in names:
        assert all(statistic in STATISTICS for statistic in METRICS[name].statistics)
        added = sums.sum("initial_time")
        means = {own: added[f"total_{own}"] / added[f"weight_{own}"] for own in METRICS[name].statistics}
        expected = METRICS[name].finalise(means)
        found = estimate(sums, name, lambda score: score, Trial("ewc"))
        np.testing.assert_allclose(found["value"], expected.transpose(*found["value"].dims), rtol=1e-9)
        twice = np.stack([np.ones(12), 2 * np.ones(12)])
        again = _score(sums, name, twice)
        np.testing.assert_allclose(again.isel(resample=1), again.isel(resample=0), rtol=1e-9)
