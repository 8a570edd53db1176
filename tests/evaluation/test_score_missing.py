"""What is missing, on any side, is seen in the scores, counted and said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr

from data_pipeline.errors import ScoreError
from data_pipeline.grid import Grid
from evaluation.answer import merge
from evaluation.baselines import GaussianClimatology
from evaluation.climate import Season
from evaluation.metrics.definitions import FieldStatistic
from evaluation.metrics.registry import DEFAULT_METRICS, METRICS, STATISTICS
from evaluation.pairs import match
from evaluation.readers import open_runs
from evaluation.score_files import write_scores
from evaluation.settings import Settings
from tests.evaluation.whole_scores import answered, scored

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.evaluation.conftest import RisingClimatology


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


def test_a_missing_member_is_seen_in_whatever_region_it_is(written: Callable[..., Path], truth: xr.Dataset) -> None:
    def blow_up(data: xr.Dataset) -> xr.Dataset:
        data["2m_temperature"][1, 2, 0, 4] = np.inf
        return data

    attributes = answered([written(blow_up)], truth, regions=["southern-hemisphere", "arctic"]).scores.attrs
    assert attributes["invalid_values"].startswith("forecast 2m_temperature +36 h: ")


def test_a_truth_that_is_nan_at_one_time_is_told(two_runs: list[Path], truth: xr.Dataset) -> None:
    holed = truth.copy(deep=True)
    holed["geopotential"][1, 1] = np.nan
    scores = scored(two_runs, holed)
    assert scores.attrs["missing"] == "the truth has no value of geopotential_850 in 1 of 6 fields, which do not count"
    assert scores["sample_size_geopotential"].sel(level=850).values.tolist() == [1, 2, 2]


def test_single_values_that_the_truth_lacks_are_counted(written: Callable[..., Path], truth: xr.Dataset) -> None:
    """Where there is a forecast: what neither has, such as the sea's temperature on land, is no loss."""

    def none_in_the_south(data: xr.Dataset) -> xr.Dataset:
        data["2m_temperature"][..., 5, :] = np.nan
        return data

    holed = truth.copy(deep=True)
    holed["2m_temperature"][:, [0, 5]] = np.nan  # eight points each, at three lead times
    holed["geopotential"][1:3, 1, 4, :2] = np.nan
    holed["geopotential"][3, 1] = np.nan
    paths = [written(none_in_the_south)]
    whole = "the truth has no value of geopotential_850 in 1 of 3 fields, which do not count"
    for regions in (["global"], ["southern-hemisphere", "global"], ["map"]):
        attributes = answered(paths, holed, regions=regions).scores.attrs
        assert attributes["unobserved_values"] == "geopotential_850: 4; 2m_temperature: 24", regions
        assert (attributes["missing"], attributes["invalid_values"]) == (whole, "none"), regions
    south = answered(paths, holed, regions=["southern-hemisphere"]).scores.attrs
    assert south["unobserved_values"] == "geopotential_850: 4"


def test_single_values_that_the_truth_lacks_add_up_over_parts(
    two_runs: list[Path], truth: xr.Dataset, tmp_path: Path
) -> None:
    assert answered(two_runs, truth).scores.attrs["unobserved_values"] == "none"
    truth["2m_temperature"][:, 0] = np.nan
    files = [tmp_path / "1.nc", tmp_path / "2.nc"]
    for number, file in enumerate(files, 1):
        part = answered(two_runs, truth, part=(number, 2), variables=["2m_temperature"])
        assert part.scores.attrs["unobserved_values"] == "2m_temperature: 24"
        write_scores(part, file)
    assert merge(files).scores.attrs["unobserved_values"] == "2m_temperature: 48"


def test_a_region_without_any_observation_has_no_score_of_any_kind(
    written: Callable[..., Path], truth: xr.Dataset, climatology: RisingClimatology
) -> None:
    """Nor a warning: what a score would be of nothing is not computed."""
    holed = truth.copy(deep=True)
    holed["2m_temperature"][:, :2] = np.nan
    of_fields = [name for name, entry in METRICS.items() if "quantiles" not in entry.needs and any(
        isinstance(STATISTICS[own], FieldStatistic) for own in entry.statistics)]  # fmt: skip
    warm = Settings.of([], {"2m_temperature": (280.0,)})
    scores = answered([written()], holed, climatology=climatology, metrics=of_fields, variables=["2m_temperature"],
                      regions=["band:30,90", "southern-hemisphere"], settings=warm).scores  # fmt: skip
    for name in of_fields:
        assert scores[f"{name}_2m_temperature"].isel(region=0).isnull().all(), name
    assert scores["acc_2m_temperature"].sel(model="forecast").isel(region=1).notnull().all()
