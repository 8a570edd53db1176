"""Contingency tables and their scores: by hand, by a loop over members, and those of the library ``scores``."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy.special import ndtr, ndtri

from data_pipeline.errors import ScoreError
from data_pipeline.grid import Grid
from evaluation.metrics import contingency
from evaluation.metrics.contingency import SCORES, Table
from evaluation.metrics.extremes import DECISIONS, METRICS, STATISTICS
from evaluation.metrics.forms import Ensemble, Gaussian, Point
from evaluation.settings import Settings
from tests.evaluation.samples_of_extremes import even_grid, mean_of_samples, random_ensemble, sample_of, score_of

GRID = Grid.equiangular(4, 6, poles=False)
SHARES = st.integers(0, 40)
COUNTS = st.integers(1, 40)


def table(*cells: float) -> Table:
    return Table(*(xr.DataArray(float(cell)) for cell in cells))


def score(name: str, *cells: float) -> float:
    return float(SCORES[name].of(table(*cells)))


def test_finleys_tornadoes() -> None:
    """The table of Finley (1884), whose scores Jolliffe and Stephenson give: 28 hits, 72 false alarms, 23 misses."""
    cells = (28.0, 72.0, 23.0, 2680.0)
    assert score("hit_rate", *cells) == pytest.approx(28 / 51)
    assert score("false_alarm_rate", *cells) == pytest.approx(72 / 2752)
    assert score("false_alarm_ratio", *cells) == pytest.approx(0.72)
    assert score("frequency_bias", *cells) == pytest.approx(100 / 51)
    assert score("csi", *cells) == pytest.approx(28 / 123)
    assert score("ets", *cells) == pytest.approx(0.216, abs=5e-4)
    assert score("hss", *cells) == pytest.approx(0.355, abs=5e-4)
    rate, false = 28 / 51, 72 / 2752
    assert score("edi", *cells) == pytest.approx(np.log(false / rate) / np.log(false * rate))
    assert score("seds", *cells) == pytest.approx(np.log(51 * 100 / 2803 / 28) / np.log(28 / 2803))
    logs = np.log([false, rate, 1 - false, 1 - rate])
    assert score("sedi", *cells) == pytest.approx((logs[0] - logs[1] - logs[2] + logs[3]) / logs.sum())


@pytest.mark.parametrize("name", SCORES)
def test_a_perfect_forecast_has_the_best_score_and_chance_has_none(name: str) -> None:
    best = {"one": 1.0, "zero": 0.0}[SCORES[name].direction]
    assert score(name, 20, 0, 0, 80) == pytest.approx(best)
    if name in {"ets", "hss", "edi", "sedi", "seds"}:
        assert score(name, 6, 14, 24, 56) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("name", "cells", "expected"),
    [
        ("sedi", (0, 5, 5, 90), -1.0), ("sedi", (5, 0, 5, 90), 1.0), ("sedi", (0, 0, 5, 95), np.nan),
        ("sedi", (5, 95, 0, 0), np.nan), ("edi", (0, 5, 5, 90), -1.0), ("edi", (5, 0, 5, 90), 1.0),
        ("edi", (0, 0, 5, 95), np.nan), ("edi", (5, 95, 0, 0), np.nan), ("seds", (0, 5, 5, 90), -1.0),
        ("seds", (0, 0, 5, 95), np.nan), ("hit_rate", (0, 5, 0, 95), np.nan), ("csi", (0, 0, 0, 100), np.nan),
        ("frequency_bias", (0, 5, 0, 95), np.nan), ("false_alarm_ratio", (0, 0, 5, 95), np.nan),
    ],
)  # fmt: skip
def test_empty_cells_give_the_limit_or_nan_and_never_infinity(
    name: str, cells: tuple[float, ...], expected: float
) -> None:
    np.testing.assert_equal(score(name, *cells), expected)


@hypothesis_settings(deadline=None, max_examples=15)
@given(COUNTS, COUNTS, COUNTS, COUNTS)
def test_scores_are_those_of_the_library_scores(a: int, b: int, c: int, d: int) -> None:
    """It gives NaN or infinity where a cell is empty; the limits are ours."""
    categorical = pytest.importorskip("scores.categorical")
    counts = {"tp_count": a, "tn_count": d, "fp_count": b, "fn_count": c, "total_count": a + b + c + d}
    theirs = categorical.BasicContingencyManager({key: xr.DataArray(float(count)) for key, count in counts.items()})
    names = {
        "hit_rate": "hit_rate", "false_alarm_rate": "false_alarm_rate", "false_alarm_ratio": "false_alarm_ratio",
        "frequency_bias": "frequency_bias", "csi": "critical_success_index", "ets": "equitable_threat_score",
        "hss": "heidke_skill_score", "sedi": "symmetric_extremal_dependence_index",
    }  # fmt: skip
    for ours, their in names.items():
        assert score(ours, a, b, c, d) == pytest.approx(float(getattr(theirs, their)()), abs=1e-12)


@hypothesis_settings(deadline=None, max_examples=15)
@given(SHARES, SHARES, SHARES, SHARES)
def test_scores_do_not_depend_on_the_number_of_cases_and_have_bounds(a: int, b: int, c: int, d: int) -> None:
    for name in SCORES:
        counts, shares = score(name, a, b, c, d), score(name, *(np.array([a, b, c, d]) / 1024))
        np.testing.assert_allclose(counts, shares, atol=1e-12)
        assert np.isnan(counts) or name == "frequency_bias" or -1 - 1e-12 <= counts <= 1 + 1e-12


def brute_force_cells(ensemble: Ensemble, limit: np.ndarray, *, below: bool, decision: str) -> np.ndarray:
    """Hits, false alarms, misses and correct negatives, point by point, each of the weight of its row."""
    cells, area = np.zeros((2, 2)), GRID.area_weights()
    for row, column in np.ndindex(*GRID.shape):
        members, observation = ensemble.members[:, row, column], ensemble.observation[row, column]
        threshold = np.float32(limit[row, column])
        sign = -1 if below else 1
        said = [sign * value > sign * threshold for value in members]
        mean = sign * np.float32(np.mean(members, dtype=np.float64)) > sign * threshold
        yes = {"mean": float(mean), "half": float(np.mean(said) >= 0.5), "members": float(np.mean(said))}[decision]
        happened = int(sign * observation > sign * threshold)
        cells[1, happened] += area[row] * yes
        cells[0, happened] += area[row] * (1 - yes)
    return np.array([cells[1, 1], cells[1, 0], cells[0, 1], cells[0, 0]]) / (area.sum() * GRID.shape[1])


@pytest.mark.parametrize("members", [1, 4, 5])
def test_tables_beyond_quantiles_are_those_of_a_loop(members: int) -> None:
    ensemble = random_ensemble(members, GRID.shape, members)
    offset = np.linspace(-0.5, 0.5, 24).reshape(GRID.shape)
    sample = sample_of(ensemble, GRID, quantile=lambda level: ndtri(level) + offset)
    levels = sample.settings.climate_quantiles
    for name in ("sedi", "ets", "frequency_bias"):
        found = score_of(METRICS[f"quantile_{name}"], STATISTICS, [sample])
        assert found.dims == ("decision", "climate_quantile")
        for decision in DECISIONS:
            for level in levels:
                cells = brute_force_cells(ensemble, ndtri(level) + offset, below=level < 0.5, decision=decision)
                ours = float(found.sel(decision=decision, climate_quantile=level))
                np.testing.assert_allclose(ours, score(name, *np.round(cells, 14)), atol=1e-9)


def test_tables_of_several_times_add_up_before_any_ratio() -> None:
    grid, settings = even_grid(), Settings(thresholds={"2m_temperature": (0.0, 1.0)})
    ensembles = [random_ensemble(seed, grid.shape) for seed in range(3)]
    apart = [sample_of(ensemble, grid, settings=settings) for ensemble in ensembles]
    joined = Ensemble.of(*(np.concatenate([getattr(e, part) for e in ensembles], axis=-1)
                           for part in ("members", "observation")))  # fmt: skip
    together = [sample_of(joined, Grid.equiangular(2, 18, poles=False), settings=settings)]
    for name in ("threshold_csi", "threshold_hss"):
        one, other = (score_of(METRICS[name], STATISTICS, samples) for samples in (apart, together))
        xr.testing.assert_allclose(one, other)


def test_a_value_on_the_threshold_is_no_event_in_float32_too() -> None:
    grid, settings = even_grid(), Settings(thresholds={"2m_temperature": (0.001,)})
    on = np.full(grid.shape, 0.001, dtype=np.float32)
    for forecast in (Ensemble.of(on[None], on), Point.of(on, on + np.float32(0.299))):
        found = mean_of_samples(STATISTICS["threshold_table_of_mean"], [sample_of(forecast, grid, settings=settings)])
        assert float(found.sel(cell="forecast").squeeze()) == 0


def test_a_normal_distribution_and_one_value_have_tables_too() -> None:
    grid, settings = even_grid(), Settings(thresholds={"2m_temperature": (1.0,)})
    truth = np.zeros(grid.shape)
    expected = {"mean": 1.0, "half": 1.0, "members": float(ndtr(0.5))}
    for decision in DECISIONS:
        statistic = STATISTICS[f"threshold_table_of_{decision}"]
        sample = sample_of(Gaussian.of(truth + 2, truth + 2, truth), grid, settings=settings)
        share = mean_of_samples(statistic, [sample]).sel(cell="forecast")
        assert float(share.squeeze()) == pytest.approx(expected[decision])
        sample = sample_of(Point.of(truth + 2, truth), grid, settings=settings)
        assert float(mean_of_samples(statistic, [sample]).sel(cell="forecast").squeeze()) == 1


def test_a_missing_member_makes_the_score_nan_and_a_missing_observation_does_not_count() -> None:
    ensemble = random_ensemble(7, GRID.shape)
    whole = score_of(METRICS["quantile_hss"], STATISTICS, [sample_of(ensemble, GRID, quantile=ndtri)])
    observation = ensemble.observation.copy()
    observation[0, 0] = np.nan
    found = score_of(METRICS["quantile_hss"], STATISTICS, [sample_of(Ensemble.of(ensemble.members, observation), GRID,
                                                                     quantile=ndtri)])  # fmt: skip
    assert (found.notnull() == whole.notnull()).all()
    members = ensemble.members.copy()
    members[0, 0, 0] = np.nan
    broken = score_of(METRICS["quantile_hss"], STATISTICS, [sample_of(Ensemble.of(members, ensemble.observation), GRID,
                                                                      quantile=ndtri)])  # fmt: skip
    assert broken.isnull().all()


def test_without_a_climatology_scores_are_nan() -> None:
    sample = sample_of(random_ensemble(7, GRID.shape), GRID)
    assert score_of(METRICS["quantile_csi"], STATISTICS, [sample]).isnull().all()


def test_rain_has_the_usual_thresholds() -> None:
    assert Settings().thresholds["total_precipitation"] == (0.001, 0.005, 0.01, 0.025, 0.05)


@pytest.mark.parametrize("shift", [0.0, 3.0e5])
def test_scores_do_not_change_with_a_shift_of_everything(shift: float) -> None:
    ensemble = random_ensemble(3, GRID.shape, dtype=np.float64)
    moved = Ensemble.of(ensemble.members + shift, ensemble.observation + shift)
    one, other = (score_of(METRICS["quantile_sedi"], STATISTICS, [sample]) for sample in (
        sample_of(ensemble, GRID, quantile=ndtri), sample_of(moved, GRID, quantile=lambda level: ndtri(level) + shift),
    ))  # fmt: skip
    xr.testing.assert_allclose(one, other)


def test_marginals_give_the_cells() -> None:
    found = contingency.Table.of_marginals(*(xr.DataArray(share) for share in (0.1, 0.3, 0.2)))
    np.testing.assert_allclose([float(cell) for cell in found.cells], [0.1, 0.2, 0.1, 0.6])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeps_dry_mm": -1.0}, "seeps_dry_mm -1.0"),
        ({"seeps_dry_shares": (0.9, 0.1)}, "two shares between 0 and 1"),
        ({"analogs": 0}, "analogs 0"),
        ({"climatology_members": 0}, "climatology_members 0"),
        ({"climatology_window_days": 60}, "an odd number"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ScoreError, match=message):
        Settings(**changes)  # type: ignore[arg-type]
