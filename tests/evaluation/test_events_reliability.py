"""Reliability, ROC and economic value from the table of areas, against loops over cases, closed forms and the peers."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.metrics import events, reliability
from evaluation.metrics.event_tables import area_table, merged
from evaluation.metrics.exceedance import CLIMATE_QUANTILES, THRESHOLDS, Forecasted, above_thresholds
from evaluation.metrics.reliability import COST_LOSS, METRICS, STATISTICS
from tests.evaluation.field_samples import AREA, GRID, Normal, forms, means, random_ensemble, sample

if TYPE_CHECKING:
    from evaluation.metrics.definitions import Sample

LIMITS = {"2m_temperature": (-0.5, 0.0, 1.0)}


def samples(size: int = 5, seed: int = 0) -> dict[str, Sample]:
    return {name: sample(form, Normal(), thresholds=LIMITS) for name, form in forms(size, seed).items()}


def table_of(cases: list[tuple[float, bool, float]], steps: int) -> xr.DataArray:
    """The table of (probability, outcome, area)."""
    probability, happened, area = (np.array(part) for part in zip(*cases, strict=True))
    values = area_table(Forecasted(probability[None].astype(float), happened[None]), area.astype(float), steps)[0]
    return xr.DataArray(values, {"probability": np.arange(steps + 1) / steps, "outcome": [0, 1]})


def cases_of(field: Sample, event: int) -> list[tuple[float, bool, float]]:
    """Every point by itself."""
    found = above_thresholds(field)
    return list(zip(found.probability[event].ravel(), found.happened[event].ravel(), AREA.ravel(), strict=True))


CASES = st.lists(
    st.tuples(st.integers(0, 4).map(lambda k: k / 4), st.booleans(), st.sampled_from([0.25, 0.5, 1.0])),
    min_size=1, max_size=30)  # fmt: skip


@settings(max_examples=15)
@given(CASES)
def test_the_parts_of_the_brier_score_add_up_exactly(cases: list[tuple[float, bool, float]]) -> None:
    table = table_of(cases, 4)
    total = sum(area for *_, area in cases)
    brier = sum(area * (p - o) ** 2 for p, o, area in cases) / total
    parts = reliability.reliability(table) - reliability.resolution(table) + reliability.uncertainty(table)
    assert float(parts) == pytest.approx(brier, abs=1e-14)
    assert float(reliability.reliability(table)) >= 0
    assert float(reliability.resolution(table)) <= float(reliability.uncertainty(table)) + 1e-15
    assert float(reliability.sharpness(table).sum()) == pytest.approx(1)


def test_the_parts_add_up_to_the_brier_score_of_the_other_family_in_every_model() -> None:
    """Of the climatology, whose probabilities are rounded to hundredths, to 0.01."""
    given = samples()
    tables, scores = means(STATISTICS, given), means(events.STATISTICS, given)
    for prefix in ("", "climate_"):
        parts = [
            METRICS[f"{prefix}brier_{part}"].finalise(tables) for part in ("reliability", "resolution", "uncertainty")
        ]
        total, brier = parts[0] - parts[1] + parts[2], scores[f"{prefix}brier_score"]
        for model, tolerance in (("forecast", 1e-14), ("persistence", 1e-14), ("climatology", 0.01)):
            np.testing.assert_allclose(total.sel(model=model), brier.sel(model=model), atol=tolerance)


def test_parts_are_their_definition() -> None:
    field = samples()["forecast"]
    for event in range(3):
        cases = cases_of(field, event)
        total, rate = sum(a for *_, a in cases), sum(a for _, o, a in cases if o) / sum(a for *_, a in cases)
        reliable = resolved = 0.0
        for value in {p for p, *_ in cases}:
            area = sum(a for p, _, a in cases if p == value)
            frequency = sum(a for p, o, a in cases if p == value and o) / area
            reliable += area * (value - frequency) ** 2 / total
            resolved += area * (frequency - rate) ** 2 / total
        table = table_of(cases, 5)
        assert float(reliability.reliability(table)) == pytest.approx(reliable)
        assert float(reliability.resolution(table)) == pytest.approx(resolved)
        assert float(reliability.uncertainty(table)) == pytest.approx(rate * (1 - rate))


def brute_force_area(cases: list[tuple[float, bool, float]]) -> float:
    """The probability that an event was given a higher probability than a non-event; NaN without either."""
    events_, others = [(p, a) for p, o, a in cases if o], [(p, a) for p, o, a in cases if not o]
    weight = sum(a for _, a in events_) * sum(a for _, a in others)
    won = sum(a * b * ((p > q) + 0.5 * (p == q)) for p, a in events_ for q, b in others)
    return won / weight if weight else np.nan


@settings(max_examples=15)
@given(CASES)
def test_roc_area_is_the_probability_of_ranking_right(cases: list[tuple[float, bool, float]]) -> None:
    found = float(reliability.roc_area(table_of(cases, 4)))
    assert found == pytest.approx(brute_force_area(cases), abs=1e-12, nan_ok=True)


@settings(max_examples=15)
@given(CASES)
def test_rates_are_shares_of_events_and_of_non_events(cases: list[tuple[float, bool, float]]) -> None:
    table = table_of(cases, 4)
    for rate, outcome in ((reliability.hit_rate, True), (reliability.false_alarm_rate, False)):
        total = sum(a for _, o, a in cases if o == outcome)
        for place in range(5):
            caught = sum(a for p, o, a in cases if o == outcome and p >= place / 4)
            expected = caught / total if total else np.nan
            assert float(rate(table)[place]) == pytest.approx(expected, abs=1e-14, nan_ok=True)


def expense(cases: list[tuple[float, bool, float]], ratio: float, decide) -> float:  # type: ignore[no-untyped-def]
    """Mean expense, loss 1: the cost whenever one protects oneself, the loss whenever one does not and it happens."""
    spent = sum(a * (ratio if decide(p, o) else float(o)) for p, o, a in cases)
    return spent / sum(a for *_, a in cases)


def value(cases: list[tuple[float, bool, float]], ratio: float, decide) -> float:  # type: ignore[no-untyped-def]
    best = min(expense(cases, ratio, lambda *_: True), expense(cases, ratio, lambda *_: False))
    perfect = expense(cases, ratio, lambda _, happened: happened)
    return (best - expense(cases, ratio, decide)) / (best - perfect) if best > perfect + 1e-12 else np.nan


def test_economic_value_is_what_users_save() -> None:
    cases = cases_of(samples()["forecast"], 1)
    table = table_of(cases, 5)
    own, potential = reliability.economic_value(table), reliability.potential_economic_value(table)
    for ratio in COST_LOSS:
        expected = value(cases, ratio, lambda p, _, ratio=ratio: p >= ratio)
        assert float(own.sel(cost_loss=ratio)) == pytest.approx(expected, abs=1e-12)
        acting = [value(cases, ratio, lambda p, _, limit=limit: p >= limit) for limit in (0, 0.2, 0.4, 0.6, 0.8, 1, 2)]
        assert float(potential.sel(cost_loss=ratio)) == pytest.approx(max(acting), abs=1e-12)


def test_a_perfect_forecast_has_all_value_and_area_and_a_constant_one_none() -> None:
    perfect = table_of([(1.0, True, 1.0), (0.0, False, 3.0)], 4)
    constant = table_of([(0.25, True, 1.0), (0.25, False, 3.0)], 4)
    assert float(reliability.roc_area(perfect)) == 1.0
    assert float(reliability.roc_area(constant)) == 0.5
    np.testing.assert_allclose(reliability.economic_value(perfect), 1.0)
    np.testing.assert_allclose(reliability.economic_value(constant), 0.0, atol=1e-12)
    np.testing.assert_allclose(reliability.potential_economic_value(constant), 0.0, atol=1e-12)
    assert float(reliability.reliability(constant)) == float(reliability.resolution(constant)) == 0.0
    assert float(reliability.resolution(perfect)) == float(reliability.uncertainty(perfect)) == 0.1875


def test_without_events_there_is_no_discrimination_and_no_value() -> None:
    for outcome in (True, False):
        table = table_of([(0.25, outcome, 0.1), (0.5, outcome, 0.2), (0.75, outcome, 0.3)], 4)
        assert np.isnan(reliability.roc_area(table))
        assert np.isnan(reliability.economic_value(table)).all()
        assert np.isnan(reliability.potential_economic_value(table)).all()
        assert float(reliability.uncertainty(table)) == 0.0


def test_reliability_diagram_is_xskillscores() -> None:
    """Theirs needs bins: those of width 1/M about the M + 1 probabilities hold one each."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        xs = pytest.importorskip("xskillscore")
        found = above_thresholds(samples()["forecast"])
        happened, probability = (xr.DataArray(part[1].astype(float), dims=("y", "x"))
                                 for part in (found.happened, found.probability))  # fmt: skip
        edges = (np.arange(7) - 0.5) / 5
        theirs = xs.reliability(happened == 1, probability, probability_bin_edges=edges)
    values = area_table(found, np.ones(GRID.shape), 5)[1]
    table = xr.DataArray(values, {"probability": np.arange(6) / 5, "outcome": [0, 1]})
    np.testing.assert_allclose(reliability.observed_frequency(table), theirs)
    np.testing.assert_allclose(reliability.sharpness(table) * 48, theirs["samples"])


def test_roc_is_that_of_xskillscore_and_scores() -> None:
    xs, probability_scores = pytest.importorskip("xskillscore"), pytest.importorskip("scores.probability")
    found = above_thresholds(samples()["forecast"])
    happened, probability = (xr.DataArray(part[1].astype(float), dims=("y", "x"))
                             for part in (found.happened, found.probability))  # fmt: skip
    values = area_table(found, np.ones(GRID.shape), 5)[1]
    table = xr.DataArray(values, {"probability": np.arange(6) / 5, "outcome": [0, 1]})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        area = xs.roc(happened, probability, "continuous")
        theirs = probability_scores.roc_curve_data(probability, happened, (np.arange(6) / 5).tolist())
    assert float(reliability.roc_area(table)) == pytest.approx(float(area))
    np.testing.assert_allclose(reliability.hit_rate(table), theirs["POD"][:-1])
    np.testing.assert_allclose(reliability.false_alarm_rate(table), theirs["POFD"][:-1])
    assert float(reliability.roc_area(table)) == pytest.approx(float(theirs["AUC"]))


def test_tables_of_parts_add_up() -> None:
    field = samples()["forecast"]
    north = np.where(np.arange(6)[:, None] < 3, AREA, 0.0)
    of = STATISTICS["event_table"].of
    np.testing.assert_allclose(of(field, north) + of(field, AREA - north), of(field, AREA), rtol=1e-14)
    assert of(field, AREA).sum() == pytest.approx(3 * AREA.sum())


def test_a_missing_member_makes_the_tables_of_its_regions_unknown_and_a_missing_observation_does_not_count() -> None:
    ensemble = random_ensemble(4)
    ensemble.members[0, 1, 1] = np.nan
    field = sample(ensemble, Normal(), thresholds=LIMITS)
    of = STATISTICS["event_table"].of
    elsewhere = AREA.copy()
    elsewhere[1, 1] = 0.0
    assert np.isnan(of(field, AREA)).all()
    assert np.isfinite(of(field, elsewhere)).all()
    tables = means(STATISTICS, {"forecast": field, "climatology": samples()["climatology"]})
    for name, metric in METRICS.items():
        found = metric.finalise(tables)
        assert np.isnan(found.sel(model="forecast")).all(), name
        assert np.isfinite(found.sel(model="climatology")).any(), name


def test_models_of_all_forms_share_the_table() -> None:
    given = samples()
    table = merged(means(STATISTICS, given), THRESHOLDS)
    np.testing.assert_allclose(table.sum(["probability", "outcome"]), AREA.sum())
    assert table.sizes["probability"] == 101  # fifths are hundredths too
    persistence = table.sel(model="persistence").sum(["outcome", "threshold"])
    assert set(persistence["probability"].values[persistence > 0]) == {0.0, 1.0}
    alone = merged(means({"climate_event_table": STATISTICS["climate_event_table"]}, given).copy(), CLIMATE_QUANTILES)
    assert np.isnan(alone.sel(model="persistence")).all()


def test_tables_of_thirds_and_of_hundredths_are_put_together_without_loss() -> None:
    given = samples(3)
    table = merged(means(STATISTICS, given), THRESHOLDS)
    assert table.sizes["probability"] == 103
    np.testing.assert_allclose(table.sum(["probability", "outcome"]), AREA.sum())
    alone = merged(means(STATISTICS, {"forecast": given["forecast"]}), THRESHOLDS)
    for function in (reliability.roc_area, reliability.reliability, reliability.economic_value):
        np.testing.assert_allclose(function(table).sel(model="forecast"), function(alone).sel(model="forecast"))


def test_every_score_has_what_the_registry_needs() -> None:
    for name, metric in METRICS.items():
        assert set(metric.statistics) <= set(STATISTICS), name
        assert metric.units == "1"
        assert metric.family == "reliability"
    assert not set(STATISTICS) & set(events.STATISTICS)
    assert not set(METRICS) & set(events.METRICS)
