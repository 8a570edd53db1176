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
from evaluation.table import crps_table

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
