"""Spread against error: definitions, correlation and bins, against plain loops and reliable ensembles."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from data_pipeline.channels import Channel
from data_pipeline.errors import ScoreError
from data_pipeline.grid import Grid
from evaluation.metrics import correlation, density, multivariate, registry, spread
from evaluation.metrics.definitions import PointStatistic, Sample
from evaluation.metrics.forms import Ensemble, Gaussian, Point
from evaluation.metrics.spread import METRICS
from evaluation.metrics.spread_error import bins_of_spread, both_positive
from evaluation.question import Question
from evaluation.score import score
from evaluation.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from evaluation.climate import Climatology
    from evaluation.metrics.forms import Forecast

RNG = np.random.default_rng(0)
GRID = Grid.equiangular(6, 8, poles=False)
AREA = np.broadcast_to(GRID.area_weights()[:, None], GRID.shape)
STATISTICS = {**registry.STATISTICS, **spread.STATISTICS}


class Climate:
    """A climatology of standard deviation 2."""

    mean, std = np.zeros(GRID.shape), np.full(GRID.shape, 2.0)


def sample(forecast: Forecast, climate: Any, chosen: Settings) -> Sample:
    return Sample(forecast, Channel("2m_temperature"), GRID, np.datetime64("2020-01-01"), 24.0, chosen, climate)


def scored(metric: str, forecasts: list[Forecast], weights: np.ndarray = AREA, climate: Any = Climate,
           chosen: Settings = Settings()) -> Any:  # fmt: skip  # noqa: B008
    """A metric of several times: averages of its statistics, then its finalizer."""
    means = {}
    for name in METRICS[metric].statistics:
        statistic, values = STATISTICS[name], []
        for forecast in forecasts:
            own = sample(forecast, climate, chosen)
            if isinstance(statistic, PointStatistic):
                values.append(np.average(np.where(weights > 0, statistic.of(own), 0.0), weights=weights))
            else:
                values.append(statistic.of(own, weights))
        means[name] = xr.DataArray(np.mean(values, axis=0))
    return METRICS[metric].finalise(means).values


def world(times: int = 3, size: int = 5) -> list[Ensemble]:
    """Reliable ensembles whose spread differs from point to point."""
    found = []
    for _ in range(times):
        width = np.exp(0.5 * RNG.standard_normal(GRID.shape))
        found.append(
            Ensemble.of(width * RNG.standard_normal((size, *GRID.shape)), width * RNG.standard_normal(GRID.shape))
        )
    return found


def points(forecasts: list[Ensemble]) -> list[tuple[float, float, float]]:
    """Weight, standard deviation and error of the mean of each point of all times."""
    rows = []
    for forecast in forecasts:
        for i, j in np.ndindex(GRID.shape):
            members = [float(x) for x in forecast.members[:, i, j]]
            mean = math.fsum(members) / len(members)
            variance = math.fsum((x - mean) ** 2 for x in members) / (len(members) - 1)
            rows.append((float(AREA[i, j]), math.sqrt(variance), mean - float(forecast.observation[i, j])))
    return rows


def weighted(values: list[tuple[float, float]]) -> float:
    return sum(w * v for w, v in values) / sum(w for w, _ in values)


def test_members_own_errors_are_their_definitions() -> None:
    times = world()
    errors = [(w, float(x - e.observation[i, j])) for e in times for (i, j), w in np.ndenumerate(AREA)
              for x in e.members[:, i, j]]  # fmt: skip
    assert scored("member_rmse", times) == pytest.approx(weighted([(w, e**2) for w, e in errors]) ** 0.5)
    assert scored("member_mae", times) == pytest.approx(weighted([(w, abs(e)) for w, e in errors]))


def test_each_spread_skill_is_its_definition() -> None:
    times, count = world(), 5
    rows = points(times)
    variance, error = weighted([(w, s**2) for w, s, _ in rows]), weighted([(w, e**2) for w, _, e in rows])
    mean_spread = weighted([(w, s) for w, s, _ in rows])
    assert scored("mean_spread", times) == pytest.approx(mean_spread)
    assert scored("unbiased_rmse", times) == pytest.approx((error - variance / count) ** 0.5)
    assert scored("spread_skill_uncorrected", times) == pytest.approx((variance / error) ** 0.5)
    assert scored("spread_skill_unbiased", times) == pytest.approx((variance / (error - variance / count)) ** 0.5)
    assert scored("spread_skill_of_mean_spread", times) == pytest.approx(mean_spread / error**0.5)


def test_of_a_reliable_ensemble_only_the_corrected_ratios_are_one() -> None:
    rng, size = np.random.default_rng(1), 4
    width = np.exp(0.7 * rng.standard_normal((300, 1, 6, 8)))
    times = [Ensemble.of(w * rng.standard_normal((size, 6, 8)), (w * rng.standard_normal((1, 6, 8)))[0]) for w in width]
    assert scored("spread_skill_unbiased", times) == pytest.approx(1.0, abs=0.05)
    assert scored("spread_skill_uncorrected", times) == pytest.approx((size / (size + 1)) ** 0.5, abs=0.03)
    assert scored("spread_skill_of_mean_spread", times) < 0.8
    infinite = float(np.sqrt(np.mean(width**2)))
    assert scored("unbiased_rmse", times) == pytest.approx(infinite, rel=0.05)


def test_spread_error_correlations_are_those_of_all_points() -> None:
    times = world()
    rows = points(times)
    weights, spread_, error = (np.array(column) for column in zip(*rows, strict=True))
    for name, one, other in (
        ("spread_error_correlation", spread_, np.abs(error)),
        ("log_spread_error_correlation", np.log(spread_**2), np.log(error**2)),
    ):
        covariance = np.cov(one, other, aweights=weights)
        expected = covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1])
        assert scored(name, times) == pytest.approx(expected, abs=1e-10)


def test_spread_error_correlation_is_xskillscores_of_spread_and_error() -> None:
    xskillscore = pytest.importorskip("xskillscore")
    (ensemble,) = world(times=1)
    spread_, error, weights = (
        xr.DataArray(field, dims=("a", "b"))
        for field in (ensemble.members.std(axis=0, ddof=1), np.abs(ensemble.error), AREA)
    )
    theirs = xskillscore.pearson_r(spread_, error, dim=["a", "b"], weights=weights)
    assert scored("spread_error_correlation", [ensemble]) == pytest.approx(float(theirs), abs=1e-10)


def test_the_most_that_a_perfect_ensemble_can_correlate() -> None:
    """Whitaker and Loughe 1998: log-normal spread of standard deviation beta, infinitely many members."""
    rng, beta = np.random.default_rng(2), 0.5
    times: list[Forecast] = []
    for _ in range(600):
        width = np.exp(beta * rng.standard_normal(GRID.shape))
        times.append(Gaussian.of(width * rng.standard_normal(GRID.shape), width, np.zeros(GRID.shape)))
    expected = np.sqrt(2 / np.pi * (1 - np.exp(-(beta**2))) / (1 - 2 / np.pi * np.exp(-(beta**2))))
    assert scored("spread_error_correlation", times) == pytest.approx(expected, abs=0.03)
    logarithmic = 2 * beta / np.sqrt(4 * beta**2 + np.pi**2 / 2)
    assert scored("log_spread_error_correlation", times) == pytest.approx(logarithmic, abs=0.03)


def test_points_without_spread_or_error_have_no_logarithm() -> None:
    (ensemble,) = world(times=1)
    members, observation = ensemble.members.copy(), ensemble.observation.copy()
    members[:, 0, 0], observation[0, 0] = 1.0, 3.0
    members[:, 1, 1] = observation[1, 1]
    members[:, 2, 2], observation[2, 2] = [1, 3, 1, 3, 2], 2
    dry = Ensemble.of(members, observation)
    weights = AREA.copy()
    weights[[0, 1, 2], [0, 1, 2]] = 0.0
    assert both_positive(dry)[[0, 1, 2, 3], [0, 1, 2, 3]].tolist() == [0, 0, 0, 1]
    expected = scored("log_spread_error_correlation", [dry], weights)
    assert scored("log_spread_error_correlation", [dry]) == pytest.approx(float(expected), rel=1e-9)
    nothing = Ensemble.of(np.zeros((3, 6, 8)), np.zeros((6, 8)))
    assert np.isnan(scored("log_spread_error_correlation", [nothing]))


def test_constant_spread_correlates_with_nothing() -> None:
    members = np.array([-1.0, 0.0, 1.0])[:, None, None] + RNG.standard_normal(GRID.shape)
    assert np.isnan(scored("spread_error_correlation", [Ensemble.of(members, np.zeros(GRID.shape))]))


def test_bins_of_spread_are_sums_over_the_points_in_them() -> None:
    times, few = world(), replace(Settings(), spread_edges=(0.2, 0.4, 0.6, 50.0))
    rows, edges = points(times), [0.0, 0.2, 0.4, 0.6, 50.0, np.inf]
    total = sum(w for w, _, _ in rows)
    shares = scored("binned_share", times, chosen=few)
    spreads, errors, ratios = (
        scored(name, times, chosen=few) for name in ("binned_spread", "binned_rmse", "binned_spread_skill")
    )
    for place, (low, high) in enumerate(pairwise(edges)):
        inside = [(w, s, e) for w, s, e in rows if low <= s / 2.0 < high]
        assert shares[place] == pytest.approx(sum(w for w, _, _ in inside) / total)
        if inside:
            assert spreads[place] == pytest.approx((6 / 5 * weighted([(w, s**2) for w, s, _ in inside])) ** 0.5)
            assert errors[place] == pytest.approx(weighted([(w, e**2) for w, _, e in inside]) ** 0.5)
            assert ratios[place] == pytest.approx(spreads[place] / errors[place])
    assert shares.sum() == pytest.approx(1.0)
    assert shares[-1] == 0
    assert np.isnan([spreads[-1], errors[-1], ratios[-1]]).all()
    axis = spread.STATISTICS["binned_share"].axes(sample(times[0], Climate, few))
    assert axis["relative_spread"].tolist() == edges[:-1]


def test_an_edge_is_in_the_bin_above_it_and_no_spread_is_in_the_first() -> None:
    forecast = Ensemble.of([[-1.0, 0.0], [1.0, 0.0]], np.zeros(2))  # spread sqrt 2 and 0
    assert bins_of_spread(forecast, 2**0.5, (0.5, 1.0, 2.0)).tolist() == [2, 0]


def test_bins_do_not_sort_places_by_their_climate() -> None:
    """A reliable ensemble: where the climate varies much, spread and error are large, and they rise together."""
    std = np.linspace(1.0, 9.0, GRID.shape[1]) * np.ones(GRID.shape)
    drawn = std * RNG.standard_normal((400, 9, *GRID.shape))
    times = [Ensemble.of(members[1:], members[0]) for members in drawn]
    few = replace(Settings(), spread_edges=(0.6, 0.9, 1.2))
    spreads, errors = (
        scored(name, times, climate=SimpleNamespace(std=std), chosen=few) for name in ("binned_spread", "binned_rmse")
    )
    assert np.all(np.diff(spreads) > 0)
    assert np.all(np.diff(errors) > 0)


@pytest.mark.parametrize("name", METRICS)
def test_what_is_missing_counts_where_it_has_weight_only(name: str) -> None:
    (ensemble,) = world(times=1)
    weights = AREA.copy()
    weights[2, 3] = 0.0
    clean = scored(name, [ensemble], weights)
    members, observation = ensemble.members.copy(), ensemble.observation.copy()
    members[1, 2, 3], observation[2, 3] = np.nan, np.nan
    np.testing.assert_allclose(scored(name, [Ensemble.of(members, observation)], weights), clean)
    for bad in (np.nan, np.inf):
        members[1, 4, 4] = bad
        assert np.isnan(scored(name, [Ensemble.of(members, observation)], weights)).all()


def test_one_member_and_other_forms() -> None:
    members, observation = RNG.standard_normal((1, *GRID.shape)), RNG.standard_normal(GRID.shape)
    alone, point = Ensemble.of(members, observation), Point.of(members[0], observation)
    error = np.average((members[0] - observation) ** 2, weights=AREA) ** 0.5
    for form in (alone, point):
        assert scored("member_rmse", [form]) == pytest.approx(error)
        assert scored("member_mae", [form]) == pytest.approx(np.average(np.abs(form.error), weights=AREA))
    assert scored("unbiased_rmse", [point]) == pytest.approx(error)
    for name in ("unbiased_rmse", "mean_spread", "spread_skill_unbiased", "binned_spread", "spread_error_correlation"):
        assert np.isnan(scored(name, [alone])).all()
        assert METRICS[name].minimum_members == 2
    gaussian = Gaussian.of(members[0], np.full(GRID.shape, 3.0), observation)
    assert scored("mean_spread", [gaussian]) == pytest.approx(3.0)
    assert scored("spread_skill_unbiased", [gaussian]) == pytest.approx(3.0 / error)
    assert np.isnan(scored("binned_share", world(times=1), climate=None)).all()


def test_more_error_than_spread_below_zero_is_nan() -> None:
    close = Ensemble.of(np.array([-1.0, 1.0])[:, None, None] + np.zeros((2, *GRID.shape)), np.zeros(GRID.shape))
    assert np.isnan(scored("unbiased_rmse", [close]))
    assert np.isnan(scored("spread_skill_unbiased", [close]))


@given(arrays(np.int16, (4, 6, 8), elements=st.integers(-9, 9)), st.permutations(range(4)))
@settings(max_examples=25)
def test_order_shift_and_units(members: np.ndarray, order: list[int]) -> None:
    fields, observation = members.astype(np.float64), np.zeros(GRID.shape)
    other = Ensemble.of(8 * fields[order] + 2.0**20, observation + 2.0**20)
    for name in ("member_rmse", "member_mae", "mean_spread", "spread_error_correlation"):
        unit = 1 if name == "spread_error_correlation" else 8
        np.testing.assert_allclose(
            scored(name, [other]), unit * scored(name, [Ensemble.of(fields, observation)]), rtol=1e-8, atol=1e-9
        )


@pytest.mark.parametrize("edges", [(), (0.0, 1.0), (0.5, 0.2), (0.5, 0.5)])
def test_edges_that_are_none_are_refused(edges: tuple[float, ...]) -> None:
    with pytest.raises(ScoreError, match=r"got spread_edges .* expected numbers above 0, ascending, each once"):
        replace(Settings(), spread_edges=edges)


def test_files_are_scored_by_all_of_them(
    written: Callable[..., Path], truth: xr.Dataset, climatology: Climatology, monkeypatch: pytest.MonkeyPatch
) -> None:
    names: list[str] = []
    for family in (multivariate, density, correlation, spread):
        names += family.METRICS
        for ours, theirs in ((family.STATISTICS, registry.STATISTICS), (family.METRICS, registry.METRICS)):
            for name, entry in ours.items():
                monkeypatch.setitem(theirs, name, entry)  # type: ignore[arg-type]
    chosen = replace(Settings(), variogram_km=(3000.0, 6000.0))
    question = Question(tuple(names), regions=("global", "tropics"), settings=chosen)
    scores = score([written(start=0), written(start=2)], truth, question, climatology=climatology).scores
    mean_error = scores["unbiased_rmse_2m_temperature"].sel(model="forecast")
    assert set(mean_error.dims) == {"lead_time", "region"}
    for name in names:
        field = scores[f"{name}_geopotential"]
        own = field.sel(model="forecast")
        assert {"lead_time", "region", "level"} <= set(own.dims)
        assert field.attrs["units"] == ("m2 s-2" if registry.METRICS[name].units == "variable" else "1")
        if not name.startswith("binned") and "unbiased" not in name:  # truth is the centre: that error is zero
            assert np.isfinite(own).all(), name
    assert scores["binned_share_geopotential"].sel(model="forecast").sum("relative_spread").values == pytest.approx(1.0)
    assert (scores["acc_geopotential"] <= 1).any()
