"""Skill as a ratio of means."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from data_pipeline.errors import ScoreError
from evaluation.skill import skill


def scores() -> xr.Dataset:
    coords = {"model": ["forecast", "persistence", "climatology"], "lead_time": [24.0, 48.0]}
    attrs = {
        "metric": "crps",
        "variable": "2m_temperature",
        "direction": "lower",
        "long_name": "fair CRPS",
        "units": "K",
    }
    crps = xr.DataArray([[1.0, 3.0], [2.0, 0.0], [2.0, np.nan]], coords, attrs=attrs)
    spread = crps.assign_attrs(direction="none", metric="spread")
    return xr.Dataset({"crps_2m_temperature": crps, "spread_2m_temperature": spread}, attrs={"title": "scores"})


def test_skill_is_what_is_left_of_the_references_score_taken_from_one() -> None:
    found = skill(scores(), "persistence")
    assert list(found) == ["crps_skill_2m_temperature"]
    field = found["crps_skill_2m_temperature"]
    np.testing.assert_array_equal(field, [[0.5, np.nan], [0.0, np.nan], [0.0, np.nan]])
    assert (field.attrs["units"], field.attrs["direction"]) == ("1", "higher")
    assert field.attrs["long_name"] == "skill against persistence by fair CRPS"
    assert found.attrs == {"title": "scores", "reference": "persistence"}
    assert np.isnan(skill(scores(), "climatology")["crps_skill_2m_temperature"].sel(lead_time=48)).all()


def test_a_ratio_of_means_is_not_a_mean_of_ratios() -> None:
    forecast, reference = np.array([1.0, 1.0]), np.array([0.1, 10.0])
    means = xr.DataArray([forecast.mean(), reference.mean()], {"model": ["forecast", "other"]}, attrs={
        "metric": "mae", "variable": "x", "direction": "lower"})  # fmt: skip
    found = skill(xr.Dataset({"mae_x": means}), "other")["mae_skill_x"].sel(model="forecast")
    assert found == pytest.approx(1 - 2 / 10.1)
    assert np.mean(1 - forecast / reference) < -4, "or this test shows nothing"


def test_an_unknown_reference_and_scores_without_a_lower_one_are_refused() -> None:
    with pytest.raises(ScoreError, match=r"got the reference 'ifs', expected one of the models forecast, persistence"):
        skill(scores(), "ifs")
    with pytest.raises(ScoreError, match=r"none of spread_2m_temperature is better when lower"):
        skill(scores()[["spread_2m_temperature"]], "persistence")
    with pytest.raises(ScoreError, match=r"expected one of the models \(none\)"):
        skill(xr.Dataset(), "persistence")
