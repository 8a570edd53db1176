"""Models compared within each season, month or initial hour."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

import forecast.cli_scorecard  # noqa: F401, it registers its commands
from data_pipeline.errors import ScoreError
from evaluation.assemble import to_scores
from evaluation.by_group import grouping
from evaluation.card import panels
from evaluation.compare import Comparison, compare
from evaluation.comparison_text import comparison_csv, comparison_json, comparison_table
from evaluation.estimates import Trial, estimate
from evaluation.improvement import improvement
from evaluation.scorecard import write_scorecard
from evaluation.skill import skill
from evaluation.sums import BY
from forecast.cli_score import score_app
from tests.evaluation.compared_pairs import pair
from tests.evaluation.score_series import daily, scored, series_sums, write_series

if TYPE_CHECKING:
    from pathlib import Path

    from evaluation.scored import Scored


def seasonal(count: int = 148, by: str | None = "season", **scales: float) -> list[Scored]:
    """A year's first days; the one model is better in winter and worse in spring, by a tenth."""
    models = []
    for name in ("new", "old"):
        sums = series_sums(daily(count))
        if name == "new":
            months = sums["initial_time"].dt.month
            better = xr.where(months <= 2, 0.9, 1.1)
            sums = sums.assign({key: sums[key] * better for key in ("total_crps",)})
        models.append(scored(name, {"2m_temperature": sums}, ("crps", "bias")))
    return [replace(one, question=replace(one.question, by=by)) for one in models]


def test_every_group_is_that_of_its_times_alone() -> None:
    """The twin takes the times of each group and lead by hand."""
    comparison = compare(*seasonal(), ["crps"])
    cells = comparison.cells["crps", "2m_temperature"]
    assert cells["group"].values.tolist() == ["DJF", "MAM"]
    assert cells["improvement"].dims == ("group", "lead_time", "region")
    assert comparison.attributes["by"] == "season"
    ours, theirs = (one.sums["2m_temperature"] for one in seasonal())
    both = xr.concat([ours, theirs], "model", data_vars="all")
    for group in ("DJF", "MAM"):
        for lead in (24.0, 48.0, 72.0):
            valid = (both["initial_time"] + np.timedelta64(int(lead), "h")).values
            inside = BY["season"](both["initial_time"].values, valid) == group
            own = both.sel(lead_time=[lead]).isel(initial_time=inside)
            found = estimate(own, "crps", lambda score: improvement(score.sel(model="new", drop=True),
                             score.sel(model="old", drop=True), "lower"), Trial())  # fmt: skip
            here = cells.sel(group=group, lead_time=[lead])
            assert (here["sample_size"] == inside.sum()).all()
            for name, theirs_name in (("improvement", "value"), ("lower", "lower"), ("p_value", "p_value")):
                np.testing.assert_allclose(here[name], found[theirs_name], atol=1e-12)


def test_what_is_lost_in_the_mean_of_the_year_is_seen_in_its_seasons() -> None:
    apart, together = (compare(*seasonal(), ["crps"], by=by).cells["crps", "2m_temperature"] for by in (None, "all"))
    assert (apart["improvement"].sel(group="DJF") > 5).all()
    assert (apart["improvement"].sel(group="MAM") < -5).all()
    assert apart["significant"].all()
    assert "group" not in together.dims
    assert (abs(together["improvement"]) < 5).all()


def test_groups_can_be_asked_for_of_any_files() -> None:
    ours, theirs = pair(45)
    cells = compare(ours, theirs, ["crps"], by="month").cells["crps", "geopotential"]
    assert cells["improvement"].dims == ("group", "lead_time", "level", "region")
    assert cells["group"].values.tolist() == ["01", "02"]
    assert compare(ours, theirs, ["crps"], by="hour").cells["crps", "geopotential"]["group"].values.tolist() == ["00"]
    with pytest.raises(ScoreError, match="got --by 'week', expected one of season, month, hour"):
        compare(ours, theirs, ["crps"], by="week")


def test_files_of_different_groups_are_compared_together_and_it_is_said() -> None:
    ours, theirs = seasonal(20)
    other = replace(theirs, question=replace(theirs.question, by=None))
    comparison = compare(ours, other)
    assert "not compared in groups, as new by season and old by nothing was scored; ask for --by" in comparison.notes
    assert "by" not in comparison.attributes
    assert grouping(ours, other, "month") == ("month", [])


def test_groups_of_few_or_uneven_times_are_told() -> None:
    times = np.concatenate([daily(62), daily(20, first=150)])
    models = [scored(name, {"2m_temperature": series_sums(times, scale=size)}) for name, size in (("a", 0.9), ("b", 1))]
    notes = compare(*models, ["crps"], by="season").notes
    assert "MAM: 5 initial times: nothing is claimed with fewer than 10" in notes
    assert not any("DJF" in note for note in notes)
    gap = np.concatenate([daily(31), daily(31, first=366)])
    models = [scored(name, {"2m_temperature": series_sums(gap)}) for name in "ab"]
    assert any(note.startswith("January: initial times are unevenly spaced, usually 24 h, at most 8088 h")
               for note in compare(*models, ["crps"], by="month").notes)  # fmt: skip


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return compare(*seasonal(), ["crps"])


def test_groups_in_the_table_the_card_and_for_programs(comparison: Comparison, tmp_path) -> None:
    table = comparison_table(comparison)
    assert "CRPS, global, DJF" in table
    assert "CRPS, tropics, MAM" in table
    assert max(map(len, table.splitlines())) <= 100
    assert [panel.title for panel in panels(comparison)] == [
        "CRPS, global, DJF", "CRPS, global, MAM", "CRPS, tropics, DJF", "CRPS, tropics, MAM",
    ]  # fmt: skip
    fields = comparison_json(comparison)["fields"]
    assert [field["group"] for field in fields] == ["DJF", "MAM", "DJF", "MAM"]
    json.dumps(fields, allow_nan=False)
    first, *lines = csv.reader(comparison_csv(comparison).splitlines())
    assert first[:6] == ["metric", "variable", "level_hpa", "region", "group", "lead_hours"]
    assert {line[4] for line in lines} == {"DJF", "MAM"}
    comparison.to_dataset().to_netcdf(tmp_path / "c.nc", engine="netcdf4")
    with xr.open_dataset(tmp_path / "c.nc", engine="netcdf4") as found:
        assert found.attrs["by"] == "season"
        assert found["crps_2m_temperature_improvement"].sel(group="MAM").max() < 0


def test_a_card_of_too_many_groups_is_refused(tmp_path: Path) -> None:
    regions = [f"r{number}" for number in range(13)]
    models = [scored(name, {"2m_temperature": series_sums(daily(45), regions=regions, scale=scale)})
              for name, scale in (("a", 0.9), ("b", 1.0))]  # fmt: skip
    write_scorecard(compare(*models, ["crps"], by="all"), tmp_path / "card.html")
    with pytest.raises(ScoreError, match="got scores of 26 regions and groups, expected at most 24 on a card; score"):
        write_scorecard(compare(*models, ["crps"], by="month"), tmp_path / "card.html")
    write_scorecard(compare(*models, ["crps"], by="month"), tmp_path / "card.csv")


def test_groups_are_asked_for_by_option(tmp_path: Path) -> None:
    paths = [str(write_series(tmp_path / f"{name}.nc", {"2m_temperature": series_sums(daily(45), scale=scale)}))
             for name, scale in (("new", 0.9), ("old", 1.0))]  # fmt: skip
    shown = CliRunner().invoke(score_app, ["compare", *paths, "--scores", "crps", "--by", "month"]).stdout
    assert "CRPS, global, February" in shown
    assert "February" not in CliRunner().invoke(score_app, ["compare", *paths, "--scores", "crps"]).stdout


def test_months_and_hours_are_named() -> None:
    titles = [panel.title for panel in panels(compare(*pair(45), ["crps"], by="month"))]
    assert titles[:2] == ["CRPS, global, January", "CRPS, global, February"]
    assert "CRPS, global, from 00 UTC" in comparison_table(compare(*pair(12), ["crps"], by="hour"))


def test_skill_of_groups_is_a_ratio_of_means_within_each() -> None:
    scores = to_scores({"2m_temperature": series_sums(daily(80))}, ["crps"], "month")
    found = skill(scores, "climatology")["crps_skill_2m_temperature"]
    assert found["group"].values.tolist() == ["01", "02", "03"]
    ours, theirs = (scores["crps_2m_temperature"].sel(model=model) for model in ("forecast", "climatology"))
    np.testing.assert_allclose(found.sel(model="forecast"), 1 - ours / theirs)
