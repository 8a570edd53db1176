"""Sums of runs: put together in any order, with axes of any length, within groups."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from data_pipeline.channels import Channel
from data_pipeline.errors import ScoreError
from evaluation.aggregate import Sum
from evaluation.assemble import mean_statistics
from evaluation.combine import combine
from evaluation.run_sums import RunSums
from tests.evaluation.conftest import HOUR, START

HEIGHT, WARMTH = Channel("geopotential", 500), Channel("2m_temperature")
REGIONS = ["global", "tropics"]


def run(start: int, histogram: dict[str, int], leads: tuple[float, ...] = (12.0, 24.0), regions=REGIONS):
    """Sums of one run: its number as error, and one count in the last bin of a histogram of so many for each model."""
    sums = RunSums(START + 12 * HOUR * start, list(histogram), leads, {"geopotential": [500, 850],
                   "2m_temperature": None}, regions)  # fmt: skip
    for model, size in histogram.items():
        for lead in leads:
            for channel in (HEIGHT, WARMTH):
                weight = np.full(len(regions), 2.0)
                sums.put(model, channel, lead, "error", Sum(weight * start, weight), {})
                bins = np.zeros((len(regions), size))
                bins[:, -1] = weight
                sums.put(model, channel, lead, "rank", Sum(bins, weight), {"rank": np.arange(size)})
    return sums.sums()


@pytest.fixture
def long_axes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every histogram is too long to be kept for each initial time."""
    monkeypatch.setattr("evaluation.sums.MOST_NUMBERS", 0)


@pytest.mark.usefixtures("long_axes")
def test_series_stand_beside_each_other_and_long_histograms_are_added_up() -> None:
    parts = [run(start, {"forecast": 3}) for start in (5, 0, 2)]
    own = combine(parts)["geopotential"]
    assert own["total_error"].dims == ("model", "initial_time", "lead_time", "level", "region")
    np.testing.assert_array_equal(own["total_error"].sel(level=500)[0, :, 0, 0], [0, 4, 10])
    np.testing.assert_array_equal(own["weight_error"].sel(level=850), 0)
    assert set(own["total_rank"].dims) == {"group", "model", "lead_time", "level", "region", "rank"}
    means = mean_statistics(own)
    np.testing.assert_allclose(means["error"].sel(level=500), 7 / 3)
    np.testing.assert_array_equal(means["rank"].sel(level=500, model="forecast")[0, 0], [0, 0, 1])
    assert np.isnan(means["error"].sel(level=850)).all()
    again = combine([combine(parts[:2]), combine(parts[2:])])
    xr.testing.assert_equal(again["geopotential"], own)


def test_short_histograms_stand_beside_each_other_too() -> None:
    parts = [run(start, {"forecast": 3}) for start in (5, 0, 2)]
    own = combine(parts)["geopotential"]
    assert set(own["total_rank"].dims) == {"initial_time", "model", "lead_time", "level", "region", "rank"}
    np.testing.assert_array_equal(mean_statistics(own)["rank"].sel(level=500, model="forecast")[0, 0], [0, 0, 1])
    xr.testing.assert_identical(combine([combine(parts[:2]), combine(parts[2:])])["geopotential"], own)


def test_a_histogram_that_is_long_in_one_part_is_added_up_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    short, long = run(0, {"forecast": 3}), run(1, {"forecast": 30})
    expected = mean_statistics(combine([short, long])["geopotential"])
    monkeypatch.setattr("evaluation.sums.MOST_NUMBERS", 100)  # 2 leads, 2 levels, 2 regions and 3 or 30 ranks
    for parts in ([short, long], [long, short], [combine([short]), combine([long])]):
        own = combine(parts)["geopotential"]
        assert "initial_time" not in own["total_rank"].dims
        assert "initial_time" in own["total_error"].dims
        xr.testing.assert_equal(mean_statistics(own)["rank"], expected["rank"])


def test_axes_may_be_longer_for_one_model_or_run_than_for_another() -> None:
    own = combine([run(0, {"forecast": 3, "climatology": 6}), run(1, {"forecast": 4, "climatology": 6})])
    rank = own["2m_temperature"]["total_rank"].sum("initial_time").isel(lead_time=0, region=0)
    assert rank["rank"].values.tolist() == list(range(6))
    np.testing.assert_array_equal(rank.sel(model="forecast"), [0, 0, 2, 2, 0, 0])
    np.testing.assert_array_equal(rank.sel(model="climatology"), [0, 0, 0, 0, 0, 4])


def test_names_on_axes_keep_their_order() -> None:
    sums = RunSums(START, ["a", "b"], (12.0,), {"2m_temperature": None}, ["global"])
    for model, names in (("a", ["mean", "half"]), ("b", ["half", "members"])):
        total = Sum(np.arange(1.0, 3.0)[None], np.ones(1))
        sums.put(model, WARMTH, 12.0, "hits", total, {"decision": np.array(names)})
    hits = sums.sums()["2m_temperature"]["total_hits"]
    assert hits["decision"].values.tolist() == ["mean", "half", "members"]
    assert hits.sel(model="b")[0, 0, 0].values.tolist() == [0, 1, 2]


def test_runs_of_different_leads_meet() -> None:
    own = combine([run(0, {"forecast": 3}), run(1, {"forecast": 3}, leads=(24.0, 36.0))])["2m_temperature"]
    means = mean_statistics(own)["error"].sel(model="forecast", region="global")
    np.testing.assert_allclose(means.sel(lead_time=[12.0, 24.0, 36.0]), [0.0, 0.5, 1.0])


def test_groups_are_of_valid_times_and_initial_hours() -> None:
    parts = [run(start, {"forecast": 3}) for start in range(3)]  # of 1 January, 00, 12 and 00 UTC
    by_hour = mean_statistics(combine(parts, "hour")["2m_temperature"], "hour")
    np.testing.assert_allclose(by_hour["error"].sel(group=["00", "12"])[:, 0, 0, 0], [1.0, 1.0])
    assert by_hour["rank"]["group"].values.tolist() == ["00", "12"]
    late = run(2 * 31 - 1, {"forecast": 3})  # 31 January 12 UTC: valid in February after 12 hours
    by_month = mean_statistics(combine([*parts, late], "month")["2m_temperature"], "month")["error"]
    assert by_month["group"].values.tolist() == ["01", "02"]
    np.testing.assert_allclose(by_month.sel(group="02")[0, :, 0], 61.0)


def test_every_point_as_a_region_is_not_kept_by_time() -> None:
    points = [str(number) for number in range(1001)]
    own = combine([run(start, {"forecast": 3}, regions=points) for start in (0, 2)])["2m_temperature"]
    assert "initial_time" not in own["total_error"].dims
    assert own["initial_time"].size == 2
    np.testing.assert_allclose(mean_statistics(own)["error"], 1.0)


def test_nothing_is_refused() -> None:
    with pytest.raises(ScoreError, match="no sums were given, expected at least one; score something first"):
        combine([])
    with pytest.raises(ScoreError, match=r"the parts are of different regions, \['global', 'tropics'\] and \['arctic'"):
        combine([run(0, {"forecast": 3}), run(1, {"forecast": 3}, regions=["arctic"])])
    with pytest.raises(ScoreError, match="several parts hold the initial time 2020-01-01T12:00; give each part once"):
        combine([run(1, {"forecast": 3}), run(1, {"forecast": 3})])
