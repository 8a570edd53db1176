"""The table that people read, to the last character."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr

from data_pipeline.errors import ScoreError
from evaluation.question import Question
from evaluation.score import score
from evaluation.scored import Scored
from evaluation.table import _few, crps_table, score_tables

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def made(hours: list[float], *, climatology: bool = True) -> xr.Dataset:
    """Scores that grow with the lead: the forecast beats persistence always and climatology until day 2."""
    models, days = ["forecast", "persistence", "climatology"][: 3 if climatology else 2], np.array(hours) / 24
    crps = np.stack([98.0665 * days, 196.133 * days, np.full(days.shape, 196.133)])[: len(models)]
    crps[1, 0] = np.nan
    attributes = {"metric": "crps", "variable": "geopotential", "units": "m2 s-2"}
    humid = {"metric": "crps", "variable": "specific_humidity", "units": "kg kg-1"}
    return xr.Dataset(
        {
            "crps_geopotential": (
                ("model", "lead_time", "level"),
                np.stack([crps, crps * np.nan], axis=-1),
                attributes,
            ),
            "crps_specific_humidity": (("model", "lead_time"), crps * 1e-5, humid),
        },
        coords={"model": models, "lead_time": hours, "level": [500, 850]},
        attrs={"initial_times": "2020-01-01T00:00 2020-01-02T00:00", "ensemble_size": "8"},
    )


def test_the_table_reads_well() -> None:
    assert (
        crps_table(made([12.0, 24.0, 48.0]), variables=["geopotential"])
        == """\
Fair CRPS, area-weighted mean over 2 initial times, 8 members
Lower is better, * beats every baseline; skill score: 1 - CRPS / CRPS of climatology

lead time in days       0.5       1       2
--------------------------------------------

geopotential 500 hPa (m, as geopotential height)
  forecast             5.00   10.00*  20.00
  persistence             -   20.00   40.00
  climatology         20.00   20.00   20.00
  skill score          0.75    0.50    0.00"""
    )


def test_humidity_is_in_grams_and_skill_without_climatology_is_against_persistence() -> None:
    table = crps_table(made([24.0, 48.0], climatology=False), variables=["specific_humidity"])
    assert "CRPS of persistence" in table
    assert table.splitlines()[-4:] == [
        "specific humidity (g/kg)",
        "  forecast            0.981   1.961*",
        "  persistence             -   3.923",
        "  skill score             -    0.50",
    ]


@pytest.mark.parametrize(
    ("hours", "shown", "note"),
    [
        ([6.0 * step for step in range(1, 41)], "1 2 3 4 5 6 7 8 9 10", "; 10 of 40 leads shown"),
        ([24.0 * day for day in range(1, 20)], "1 3 5 7 9 11 13 15 17 19", "; 10 of 19 leads shown"),
        ([6.0, 12.0], "0.25 0.5", ""),
        ([1.0 * hour for hour in range(1, 15)], "0.0417 0.0833 0.167 0.208 0.292 0.333 0.417 0.458 0.542 0.583",
         "; 10 of 14 leads shown"),
    ],
)  # fmt: skip
def test_leads_that_do_not_fit_are_thinned_and_it_says_so(hours: list[float], shown: str, note: str) -> None:
    lines = crps_table(made(hours)).splitlines()
    assert lines[3].removeprefix("lead time in days").split() == shown.split()
    assert lines[0].endswith(f"8 members{note}")
    assert max(map(len, lines)) <= 100


def test_levels_are_chosen() -> None:
    scores = made([24.0, 48.0])
    assert "500 hPa" in crps_table(scores, levels=[500])
    assert "850 hPa" not in crps_table(scores), "a level that was never scored is not shown"
    with pytest.raises(ScoreError, match=r"no scores at the levels \[700\] hPa"):
        crps_table(scores, levels=[700])


def test_what_was_not_scored_is_refused() -> None:
    with pytest.raises(ScoreError, match="no CRPS of vorticity in the scores; they have crps_geopotential"):
        crps_table(made([24.0]), variables=["vorticity"])
    with pytest.raises(ScoreError, match="no CRPS of anything"):
        crps_table(xr.Dataset(coords={"model": ["forecast"], "lead_time": [24.0]}))


def test_the_scores_of_files_make_a_table(truth: xr.Dataset, written: Callable[..., Path]) -> None:
    table = crps_table(score([written()], truth).scores)
    assert "area-weighted mean over 1 initial time, 4 members" in table
    several = crps_table(score([written(), written(start=5, members=6)], truth).scores)
    assert "area-weighted mean over 2 initial times, 4 or 6 members\n" in several
    sizes = {"4 or 6 members": "4 6", "1 member": "1", "10 members": "10", "": ""}
    assert [Scored("x", {}, Question(), {"ensemble_size": text}).members for text in sizes.values()] == list(sizes)
    titles = [line for line in table.splitlines() if "(" in line]
    assert titles == [
        "geopotential 500 hPa (m, as geopotential height)",
        "geopotential 850 hPa (m, as geopotential height)",
        "2m temperature (K)",
    ]


def test_any_baseline_is_a_reference_and_without_one_there_is_no_skill() -> None:
    scores = made([24.0, 48.0]).sel(model=["forecast", "climatology"])
    analogs = crps_table(scores.assign_coords(model=["forecast", "analogs"]), variables=["specific_humidity"])
    assert "CRPS of analogs" in analogs
    assert analogs.splitlines()[-1] == "  skill score          0.50    0.00"
    alone = crps_table(scores.sel(model=["forecast"]), variables=["specific_humidity"]).splitlines()
    assert alone[1] == "Lower is better"
    assert alone[-1] == "  forecast            0.981   1.961"


def test_the_region_is_named_and_others_are_told(two_runs: list[Path], truth: xr.Dataset) -> None:
    question = Question(metrics=("crps",), regions=("tropics", "europe"), variables=("2m_temperature",))
    text = score_tables(score(two_runs, truth, question).scores, question)
    assert text.startswith("Fair CRPS, tropics: area-weighted mean over 2 initial times, 4 members\n")
    assert text.endswith("Also in the file, regions: europe\nSee them with 'sphercast score plot', or --json")


def test_tables_are_of_the_scores_that_were_asked_for(two_runs: list[Path], truth: xr.Dataset) -> None:
    names = ("rank_histogram", "rmse", "spread", "spread_skill", "bias", "mae")
    question = Question(metrics=names, variables=("2m_temperature",))
    scores = score(two_runs, truth, question).scores
    text = score_tables(scores, question)
    titles = [line.split(",")[0] for line in text.splitlines() if "area-weighted mean" in line]
    assert titles == ["RMSE", "Spread", "Spread/skill", "Bias"]
    assert "Lower is better, * beats every baseline; skill score: 1 - score / score of persistence" in text
    assert "Neither way is better\n" in text
    assert "Best at 1\n" in text, "persistence has none"
    assert "Best at 0, * beats every baseline\n" in text
    assert "rank_histogram" in text.splitlines()[-2]
    assert max(map(len, text.splitlines())) <= 100
    bias = crps_table(scores, metric_name="bias").splitlines()
    ours, theirs = (next(line for line in bias if name in line) for name in ("  forecast", "  persistence"))
    values = [float(cell.rstrip("*")) for cell in ours.split()[1:]]
    others = [float(cell) for cell in theirs.split()[1:]]
    marks = [cell.endswith("*") for cell in ours.split()[1:]]
    assert marks == [abs(own) < abs(other) for own, other in zip(values, others, strict=True)]


def test_each_group_has_a_table_and_a_map_has_none(two_runs: list[Path], truth: xr.Dataset) -> None:
    asked = {"metrics": ("crps",), "variables": ("2m_temperature",)}
    question = Question(**asked, by="hour")
    text = score_tables(score(two_runs, truth, question).scores, question)
    assert "Fair CRPS, global, from 00 UTC: area-weighted mean over 1 initial time, 4 members\n" in text
    assert "Fair CRPS, global, from 12 UTC: area-weighted mean over 1 initial time, 4 members\n" in text
    question = Question(**asked, regions=("map",))
    text = score_tables(score(two_runs, truth, question).scores, question)
    assert text == "scores at every point: crps; draw them with 'sphercast score plot'"


def test_many_names_are_cut_short_and_baselines_without_a_score_are_not_beaten() -> None:
    scores = made([24.0, 48.0])
    none = (
        scores["crps_specific_humidity"]
        .where(scores["model"] != "climatology")
        .assign_attrs(scores["crps_specific_humidity"].attrs)
    )
    table = crps_table(scores.assign(crps_specific_humidity=none), variables=["specific_humidity"])
    assert next(line for line in table.splitlines() if "forecast" in line).endswith("1.961*")
    assert _few([*"abcdefghijklm"]) == "a, b, c, d, e, f, g, h, i, j, k, l and 1 more"
