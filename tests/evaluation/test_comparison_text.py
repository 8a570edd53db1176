"""Comparisons as people read them: tables, JSON, CSV, NetCDF, and every message."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from data_pipeline.errors import ScoreError
from evaluation.compare import compare
from evaluation.comparison_text import comparison_csv, comparison_json, comparison_table
from evaluation.estimates import Trial, estimate
from evaluation.scored import distinct_names, open_pair, open_scored
from evaluation.side_by_side import side_by_side
from tests.evaluation.compared_pairs import gain, pair
from tests.evaluation.score_series import DAY, daily, series_sums, write_series


def test_unevenly_spaced_times_are_told(tmp_path):
    times = np.sort(np.concatenate([daily(10), daily(10) + 365 * DAY]))
    path = write_series(tmp_path / "s.nc", {"2m_temperature": series_sums(times)})
    comparison = compare(*open_pair([path]))
    assert any("unevenly spaced, usually 24 h, at most 8544 h" in note for note in comparison.notes)
    assert "unevenly" in comparison.attributes["initial_times_spacing"]


def test_uneven_comparisons_are_told():
    ours, theirs = pair()
    about = {**theirs.about, "ensemble_size": "50", "truth_source": "analysis"}
    asked = replace(theirs.question, settings=replace(theirs.question.settings, alpha=0.5))
    uneven = replace(theirs, about=about, question=asked)
    notes = compare(ours, uneven).notes
    assert "ensembles of 10 and 50 members: only fair scores, such as crps, are even" in notes
    assert "scored against different truths, truth and analysis" in notes
    assert "scored with different settings" in notes
    assert any(note.startswith("not compared, as neither way is better: spread") for note in notes)


def test_nothing_comparable():
    ours, theirs = pair()
    with pytest.raises(ScoreError, match="no score can be compared of new and old: not compared, as neither"):
        compare(ours, theirs, ["spread"])
    with pytest.raises(ScoreError, match="no one number for each initial time: mae"):
        compare(ours, theirs, ["mae"])
    with pytest.raises(ScoreError, match="unknown metric 'crsp'"):
        compare(ours, theirs, ["crsp"])
    far = {name: own.assign_coords(initial_time=own["initial_time"] + 999 * DAY) for name, own in theirs.sums.items()}
    with pytest.raises(ScoreError, match="nothing is in the scores of new and old: new lacks 40 initial times"):
        compare(ours, replace(theirs, sums=far))


def test_units_must_agree():
    ours, theirs = pair()
    other = {name: own.assign_attrs(units="degC") for name, own in theirs.sums.items()}
    with pytest.raises(ScoreError, match="2m_temperature is in 'K' and 'degC'; score both in the same units"):
        side_by_side([ours, replace(theirs, sums=other)])


def test_files_and_baselines_that_are_not_there(tmp_path):
    path = write_series(tmp_path / "s.nc", {"2m_temperature": series_sums(daily(12))})
    alone = write_series(tmp_path / "t.nc", {"2m_temperature": series_sums(daily(12), models=("forecast",))})
    with pytest.raises(ScoreError, match="holds the models forecast, climatology, not 'persistence'"):
        open_pair([path], "persistence")
    with pytest.raises(ScoreError, match="holds no baseline, expected a second file"):
        open_pair([alone])
    with pytest.raises(ScoreError, match="got 3 files, expected two files of scores, or one"):
        open_pair([path, alone, path])
    with pytest.raises(ScoreError, match="got 2 files and the baseline climatology, expected"):
        open_pair([path, alone], "climatology")
    with pytest.raises(ScoreError, match=r"got .*s\.nc twice"):
        distinct_names([path, path])
    with pytest.raises(ScoreError, match="cannot be read"):
        open_scored(tmp_path / "none.nc")


@pytest.mark.parametrize(
    ("options", "message"),
    [({"test": "guess"}, "got the test 'guess', expected one of ewc"), ({"confidence": 1.0}, "got confidence 1.0"),
     ({"resamples": 3}, "and 3 resamples, expected")],
)  # fmt: skip
def test_trials_are_checked(options, message):
    with pytest.raises(ScoreError, match=message):
        Trial(**options)


def test_the_table():
    text = comparison_table(compare(*pair(), ["crps"]))
    lines = text.splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[0] == "new against old: improvement; + where new is better, * where significant"
    assert any(line.startswith("  500 hPa geopotential height") and line.count("*") == 3 for line in lines)
    assert any(line.startswith("CRPS, tropics (%)") and line.endswith("3 d") for line in lines)
    assert "equal-weighted cosine test (Lazarus et al. 2018); intervals 95%" in lines


def test_differences_of_scores_are_in_hundredths_and_shares_in_per_cent():
    text = comparison_table(compare(*pair(), ["spread_skill", "rmse"]))
    lines = text.splitlines()
    assert "spread/skill, global (hundredths)" in lines  # too long for the label: the leads are on the next line
    assert any(line.startswith("RMSE, global (%)") and line.endswith("3 d") for line in lines)
    assert "hundredths: 1.0 is a score better by 0.01" in lines
    assert "hundredths" not in comparison_table(compare(*pair(), ["rmse"]))


def test_many_regions_are_worked_on_in_pieces_and_not_printed(tmp_path):
    names = [f"point-{number}" for number in range(70)]
    sums = {"2m_temperature": series_sums(daily(20), regions=names)}
    comparison = compare(*open_pair([write_series(tmp_path / "s.nc", sums)]), ["rmse"])
    cells = comparison.cells["rmse", "2m_temperature"]
    assert cells["region"].values.tolist() == names
    alone = estimate(sums["2m_temperature"].sel(region=["point-65"]), "rmse", gain, Trial())
    np.testing.assert_allclose(cells["lower"].sel(region="point-65"), alone["lower"].sel(region="point-65"))
    text = comparison_table(comparison)
    assert "46 more regions: see them with --out or --json" in text
    assert "point-23" in text
    assert "point-24" not in text


def test_json_and_csv_hold_the_numbers():
    comparison = compare(*pair(9), ["crps", "rmse"])
    told = json.loads(json.dumps(comparison_json(comparison)))
    assert len(told["fields"]) == 2 * 2 * 3
    assert told["fields"][0]["p_value"] == [None] * 3
    assert told["notes"] == comparison.notes
    lines = comparison_csv(comparison).splitlines()
    assert told["fields"][0]["improvement_units"] == "%"
    assert lines[0].split(",")[:6] == ["metric", "variable", "level_hpa", "region", "lead_hours", "improvement"]
    assert lines[0].split(",")[6:9] == ["lower", "upper", "improvement_units"]
    assert lines[1].split(",")[8] == "%"
    assert lines[0].endswith("new,old,units")
    assert len(lines) == 1 + 2 * 2 * 3 * 3
    cells = comparison.cells["crps", "2m_temperature"].sel(region="global", lead_time=24.0)
    assert float(lines[1].split(",")[5]) == pytest.approx(float(cells["improvement"]), rel=1e-6)


def test_the_result_as_netcdf(tmp_path):
    comparison = compare(*pair(), ["crps"])
    comparison.to_dataset().to_netcdf(tmp_path / "c.nc")
    back = xr.open_dataset(tmp_path / "c.nc")
    field = back["crps_geopotential_improvement"]
    assert field.attrs["units"] == "percent"
    assert "positive is better, % of the other's score" in field.attrs["long_name"]
    assert back["crps_geopotential_ours"].attrs["units"] == "m2 s-2"
    np.testing.assert_array_equal(field, comparison.cells["crps", "geopotential"]["improvement"])
    assert back.attrs["test"].startswith("equal-weighted cosine")
