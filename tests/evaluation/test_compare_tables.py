"""Scores that are made of tables and scores with axes of their own, compared through files of scores."""

from __future__ import annotations

import csv
import gc
import io
import weakref
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr

from data_pipeline.errors import ScoreError
from evaluation import sums as limits
from evaluation.answer import Answer, merge
from evaluation.compare import compare
from evaluation.comparison_text import comparison_csv, comparison_json, comparison_table
from evaluation.estimates import Trial
from evaluation.score_files import write_scores
from evaluation.scorecard import write_scorecard
from evaluation.scored import open_pair
from evaluation.settings import Settings
from tests.evaluation.layouts import as_weatherbench2
from tests.evaluation.score_series import daily, series_sums, write_series
from tests.evaluation.whole_scores import answered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

WARMTH = "2m_temperature"
METRICS = ("crps", "brier_score", "roc_area", "rank_chi_square", "rank_histogram", "hit_rate", "spread")
SETTINGS = Settings(thresholds={WARMTH: (280.0, 281.0)})


def score_file(path: Path, make: Callable[..., xr.Dataset], truth: xr.Dataset, noise: float, members: int,
               baselines: tuple[str, ...] = ()) -> Answer:  # fmt: skip
    """Of twelve runs of as many members, to whose errors ``noise`` times as much is added."""
    runs = [make(start=start, leads=2, members=members) for start in range(12)]
    for run in runs:
        rng = np.random.default_rng(run.sizes["realization"])
        run[WARMTH] += noise * rng.standard_normal(run[WARMTH].shape).astype(np.float32)
    store = path.with_suffix(".zarr")
    as_weatherbench2(runs).to_zarr(store, zarr_format=2)
    found = answered([store], truth, metrics=METRICS, settings=SETTINGS, variables=[WARMTH], baselines=baselines)
    write_scores(found, path)
    return found


@pytest.fixture
def files(ensemble: Callable[..., xr.Dataset], truth: xr.Dataset, tmp_path: Path) -> list[Path]:
    """Of four members, and of a worse model's five."""
    paths = [tmp_path / "new.nc", tmp_path / "old.nc"]
    for path, noise, members in zip(paths, (0.0, 1.0), (4, 5), strict=True):
        score_file(path, ensemble, truth, noise, members)
    return paths


def test_a_baseline_has_its_table_of_events_beside_the_ensemble_s(
    ensemble: Callable[..., xr.Dataset], truth: xr.Dataset, tmp_path: Path
) -> None:
    """Persistence has probabilities of a distribution, in a table that the ensemble does not have, and the reverse."""
    path = tmp_path / "new.nc"
    score_file(path, ensemble, truth, 0.0, 4, ("persistence",))
    comparison = compare(*open_pair([path], "persistence"), ["roc_area"])
    known = xr.open_dataset(path, engine="netcdf4")[f"roc_area_{WARMTH}"]
    cells = comparison.cells["roc_area", WARMTH]
    for side, model in (("ours", "forecast"), ("theirs", "persistence")):
        np.testing.assert_allclose(cells[side], known.sel(model=model, drop=True).transpose(*cells[side].dims))
    assert (cells["sample_size"] == 12).all()


def test_scores_of_tables_are_those_of_the_files(files: list[Path]) -> None:
    """Ensembles of different sizes have different probabilities and ranks: none gets lost beside the other's."""
    comparison = compare(*open_pair(files))
    assert [name for name, _ in comparison.cells] == ["crps", "brier_score", "roc_area", "rank_chi_square"]
    for side, path in zip(("ours", "theirs"), files, strict=True):
        scores = xr.open_dataset(path, engine="netcdf4")
        for (name, variable), cells in comparison.cells.items():
            known = scores[f"{name}_{variable}"].sel(model="forecast", drop=True)
            np.testing.assert_allclose(cells[side], known.transpose(*cells[side].dims))
    assert comparison.cells["roc_area", WARMTH]["threshold"].values.tolist() == [280.0, 281.0]
    assert comparison.notes[:2] == [
        "not compared, as neither way is better: rank_histogram, spread",
        "not compared, as each is a curve or histogram and no number: hit_rate",
    ]


@pytest.mark.parametrize("test", ["ewc", "bootstrap"])
def test_intervals_of_tables_come_from_resampled_tables(files: list[Path], test: str) -> None:
    cells = compare(*open_pair(files), ["brier_score", "roc_area"], Trial(test, resamples=200)).cells
    brier, area = cells["brier_score", WARMTH], cells["roc_area", WARMTH]
    for own in (brier, area):
        assert (own["sample_size"] == 12).all()
        inside = (own["lower"] <= own["improvement"]) & (own["improvement"] <= own["upper"])
        assert inside.where(own["lower"].notnull(), True).all()
        assert own["p_value"].notnull().any()
    assert (brier["improvement"] > 0).all()
    assert brier["significant"].any()


def test_a_jackknifed_table_is_the_score_without_a_time(files: list[Path]) -> None:
    """The widths of intervals by hand: areas under ROC of all but one initial time."""
    from evaluation.estimates import estimate, score_of
    from evaluation.significance import equal_weighted_cosine, interval

    ours, _ = open_pair(files)
    sums = ours.sums[WARMTH]
    found = estimate(sums, "roc_area", lambda score: score.isel(model=0, drop=True), Trial())
    whole = score_of(sums, "roc_area")
    left = np.array([score_of(sums.drop_isel(initial_time=place), "roc_area").values.ravel() for place in range(12)])
    raw = 11 * (whole.values.ravel() - left)
    lower, upper = interval(whole.values.ravel(), equal_weighted_cosine(raw - raw.mean(axis=0), np.ones(1, int)))
    np.testing.assert_allclose(found["lower"].values.ravel(), lower, rtol=1e-9)
    np.testing.assert_allclose(found["upper"].values.ravel(), upper, rtol=1e-9)


def test_each_choice_is_shown_by_itself(files: list[Path], tmp_path: Path) -> None:
    comparison = compare(*open_pair(files), ["crps", "roc_area"])
    text = comparison_table(comparison)
    assert "ROC area, global (hundredths)" in text
    assert "\n  2 m temperature, threshold 281\n" in text
    fields = comparison_json(comparison)["fields"]
    assert [field.get("threshold") for field in fields] == [None, 280.0, 281.0]  # type: ignore[attr-defined]
    rows = list(csv.DictReader(io.StringIO(comparison_csv(comparison))))
    assert {(row["metric"], row["threshold"]) for row in rows} == {
        ("crps", ""), ("roc_area", "280"), ("roc_area", "281")
    }  # fmt: skip
    assert comparison.to_dataset()[f"roc_area_{WARMTH}_improvement"].sizes["threshold"] == 2
    write_scorecard(comparison, tmp_path / "card.html")
    assert "2 m temperature, threshold 280, ROC area, global" in (tmp_path / "card.html").read_text()
    write_scorecard(comparison, tmp_path / "card.png")


def test_tables_that_were_added_up_are_named(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MOST_NUMBERS", 12)
    write_scores(merge([files[0]]), tmp_path / "short.nc")
    with pytest.raises(ScoreError, match=r"not compared, as their tables were not kept for each initial time \(score"):
        compare(*open_pair([tmp_path / "short.nc", files[1]]), ["roc_area"])
    comparison = compare(*open_pair([tmp_path / "short.nc", files[1]]), ["crps", "roc_area"])
    assert "baselines): roc_area" in comparison.notes[0]


def test_thresholds_that_one_lacks_are_named(files: list[Path]) -> None:
    ours, theirs = open_pair(files)
    other = theirs.sums[WARMTH].sel(threshold=[281.0])
    comparison = compare(ours, replace(theirs, name="one", sums={WARMTH: other.assign_coords(model=["one"])}))
    assert comparison.cells["brier_score", WARMTH]["threshold"].values.tolist() == [281.0]
    assert "one lacks 1 threshold (280.0)" in comparison.notes


class OneAtATime(Mapping[str, xr.Dataset]):
    """Sums of a file, of which those that were given before must be gone when others are asked for."""

    def __init__(self, sums: Mapping[str, xr.Dataset]) -> None:
        self._sums, self.asked, self._last = sums, list[str](), None

    def __getitem__(self, variable: str) -> xr.Dataset:
        gc.collect()
        assert self._last is None or self._last() is None
        self.asked.append(variable)
        found = self._sums[variable]
        self._last = weakref.ref(found["total_squared_error"].values)
        return found

    def __contains__(self, variable: object) -> bool:
        return variable in self._sums

    def __iter__(self) -> Iterator[str]:
        return iter(self._sums)

    def __len__(self) -> int:
        return len(self._sums)


def test_memory_holds_the_sums_of_one_variable(tmp_path: Path) -> None:
    sums = {f"v{number}": series_sums(daily(12)) for number in range(3)}
    ours, theirs = open_pair([write_series(tmp_path / f"{name}.nc", sums) for name in ("a", "b")])
    held = OneAtATime(ours.sums)
    comparison = compare(replace(ours, sums=held), theirs, ["rmse"])
    assert held.asked == [variable for _, variable in comparison.cells] == ["v0", "v1", "v2"]
