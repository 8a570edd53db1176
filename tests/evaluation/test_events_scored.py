"""Events, quantiles and ranks of files from end to end: engine and families together, against numpy by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr

from data_pipeline.errors import ScoreError
from evaluation.metrics import events, quantiles, ranks, reliability
from evaluation.metrics.registry import metric
from evaluation.question import Question
from evaluation.score import score
from evaluation.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.evaluation.conftest import RisingClimatology

FAMILIES = (events, reliability, quantiles, ranks)
LIMITS = (279.0, 280.0, 281.0)
AREA = -np.diff(np.sin(np.deg2rad([90, 60, 30, 0, -30, -60, -90])))[:, None].repeat(8, axis=1)


def asked(*, climate: bool = False, **options: object) -> Question:
    names = [name for family in FAMILIES for name, entry in family.METRICS.items()
             if climate or "climate" not in entry.needs]  # fmt: skip
    settings = Settings(thresholds={"2m_temperature": LIMITS}, climate_quantiles=(0.1, 0.9))
    return Question(tuple(names), settings=settings, **{"variables": ("2m_temperature",), **options})  # type: ignore[arg-type]


@pytest.fixture
def pooled(ensemble: Callable[..., xr.Dataset], truth: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """2 m temperature after 24 hours of two runs: members (member, run, ...), observation (run, ...)."""
    runs = [ensemble(start=start)["2m_temperature"].isel(time=1).values for start in (0, 5)]
    return np.stack(runs, axis=1), truth["2m_temperature"].values[[2, 7]]


def weighted(field: np.ndarray) -> float:
    return float((field * AREA).sum() / (AREA.sum() * len(field)))


def test_scores_of_files_by_hand(
    written: Callable[..., Path], truth: xr.Dataset, pooled: tuple[np.ndarray, np.ndarray]
) -> None:
    scores = score([written(start=0), written(start=5)], truth, asked()).scores
    members, observation = pooled
    here = scores.sel(model="forecast", lead_time=24.0, region="global")
    for limit in LIMITS:
        name = next(dim for dim in here["brier_score_2m_temperature"].dims if str(dim).startswith("threshold"))
        one = here.sel({name: limit})
        share, happened = (members > limit).mean(axis=0), observation > limit
        assert float(one["brier_score_2m_temperature"]) == pytest.approx(weighted((share - happened) ** 2))
        parts = (one[f"brier_{part}_2m_temperature"] for part in ("reliability", "resolution", "uncertainty"))
        reliable, resolved, uncertain = map(float, parts)
        assert reliable - resolved + uncertain == pytest.approx(float(one["brier_score_2m_temperature"]), abs=1e-14)
        weights = np.broadcast_to(AREA, happened.shape)
        pairs = weights[happened][:, None] * weights[~happened]
        ahead = np.sign(share[happened][:, None] - share[~happened]) / 2 + 0.5
        assert float(one["roc_area_2m_temperature"]) == pytest.approx((pairs * ahead).sum() / pairs.sum())
    below = (members < observation).sum(axis=0)
    expected = [weighted(below == rank) for rank in range(5)]
    np.testing.assert_allclose(here["rank_histogram_2m_temperature"], expected)
    high = np.quantile(members.astype(np.float64), 0.75, axis=0) - observation
    score_of = here["quantile_score_2m_temperature"].sel(quantile_level=0.75)
    assert float(score_of) == pytest.approx(weighted(np.where(high >= 0, 0.25 * high, -0.75 * high)))


def test_a_variable_without_thresholds_has_none(written: Callable[..., Path], truth: xr.Dataset) -> None:
    scores = score([written()], truth, asked(variables=None)).scores
    assert {"brier_score_geopotential", "ranked_probability_score_geopotential"}.isdisjoint(scores)
    assert np.isfinite(scores["brier_score_2m_temperature"]).all()
    assert np.isfinite(scores["rank_histogram_geopotential"].sel(model="forecast")).all()


def test_scores_relative_to_a_climatology(
    written: Callable[..., Path], truth: xr.Dataset, climatology: RisingClimatology
) -> None:
    def quantiles_at(times: np.ndarray) -> xr.Dataset:
        levels = xr.DataArray([0.05, 0.5, 0.95], dims="quantile", coords={"quantile": [0.05, 0.5, 0.95]})
        mean, std = climatology.at(times)
        return mean + 1.645 * std * (levels - 0.5) / 0.45

    climatology.quantiles_at = quantiles_at  # type: ignore[attr-defined]
    scores = score([written(start=3)], truth, asked(climate=True), climatology=climatology).scores
    for name in ("climate_brier_score", "climate_brier_resolution", "tercile_ranked_probability_score"):
        found = scores[f"{name}_2m_temperature"]
        assert np.isfinite(found.sel(model=["forecast", "persistence", "climatology"])).all(), name
    frequency = scores["climate_event_frequency_2m_temperature"]
    known = np.isfinite(scores["climate_roc_area_2m_temperature"])
    np.testing.assert_array_equal(known, (frequency > 0) & (frequency < 1))
    assert known.any()
    assert set(scores["climate_quantile"].values) == {0.1, 0.9}


def test_missing_observations_weigh_nothing_and_regions_add_up(written: Callable[..., Path], truth: xr.Dataset) -> None:
    holed = truth.copy(deep=True)
    holed["2m_temperature"].values[2, 0] = np.nan  # the northernmost row, a day after the first run
    paths = [written(start=0), written(start=5)]
    scores = score(paths, holed, asked(regions=("global", "northern-hemisphere", "band:0,20"))).scores
    total = scores["rank_histogram_2m_temperature"].sel(model="forecast").sum("rank")
    np.testing.assert_allclose(total, 1)
    brier, parts = scores["brier_score_2m_temperature"], [
        scores[f"brier_{part}_2m_temperature"] for part in ("reliability", "resolution", "uncertainty")]  # fmt: skip
    for model in ("forecast", "persistence"):  # areas, not fields, are averaged
        own = (part.sel(model=model) for part in parts)
        reliable, resolved, uncertain = own
        np.testing.assert_allclose(reliable - resolved + uncertain, brier.sel(model=model), atol=1e-13)


def test_ensembles_of_several_sizes(written: Callable[..., Path], truth: xr.Dataset) -> None:
    paths, question = [written(start=0, members=4), written(start=5, members=7)], asked()
    with pytest.raises(ScoreError, match="need ensembles of one size, got sizes 4, 7"):
        score(paths, truth, question)
    ranked = {name for name in question.metrics if metric(name).family == "ranks"} - {"pit_histogram"}
    pooled = replace(question, metrics=tuple(name for name in question.metrics if name not in ranked))
    forecast = score(paths, truth, pooled).scores.sel(model="forecast")
    for name in ("roc_area", "brier_reliability", "pit_histogram"):
        assert np.isfinite(forecast[f"{name}_2m_temperature"]).all(), name
    parts = (forecast[f"brier_{part}_2m_temperature"] for part in ("reliability", "resolution", "uncertainty"))
    reliable, resolved, uncertain = parts
    total = reliable - resolved + uncertain
    np.testing.assert_allclose(total, forecast["brier_score_2m_temperature"], atol=1e-13)


@pytest.mark.parametrize("by", [None, "season"])
def test_a_missing_member_is_seen_and_not_scored_on_the_rest(
    written: Callable[..., Path], truth: xr.Dataset, by: str | None
) -> None:
    def hole(data: xr.Dataset) -> xr.Dataset:
        data["2m_temperature"].values[1, 0, 0, 0] = np.nan
        return data

    scores = score([written(hole, start=0), written(start=5)], truth, asked(by=by)).scores
    first, other = (scores.sel(model="forecast", lead_time=hours) for hours in (12.0, 24.0))
    for name in ("rank_histogram", "roc_area", "sharpness", "brier_score", "quantile_score", "pit_histogram"):
        assert np.isnan(first[f"{name}_2m_temperature"]).all(), name
        assert np.isfinite(other[f"{name}_2m_temperature"]).any(), name
