"""Energy and kernel score of whole fields against their definitions and against scoringrules."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from data_pipeline.grid import Grid
from evaluation.metrics import multivariate
from evaluation.metrics.distances import BLOCK, squared_distances
from evaluation.metrics.forms import Ensemble, Gaussian, Point
from evaluation.metrics.multivariate import METRICS, STATISTICS, energy_score, field_kernel_score
from tests.evaluation.whole_fields import AREA, GRID, RNG, SAMPLES, sample, scored

VALUES = st.floats(-1e6, 1e6, width=32)


def norm(difference: np.ndarray, weights: np.ndarray) -> float:
    """Root mean square over an area, as a plain loop."""
    pairs = [(w, d) for w, d in zip(weights.ravel().tolist(), difference.ravel().tolist(), strict=True) if w > 0]
    return float(np.sqrt(sum(w * d**2 for w, d in pairs) / sum(w for w, _ in pairs)))


def energy_twin(members: np.ndarray, observation: np.ndarray, weights: np.ndarray, *, fair: bool) -> float:
    """The definition as a double loop over members."""
    x, y, count = members.astype(np.float64), observation.astype(np.float64), len(members)
    spread = sum(norm(a - b, weights) for a in x for b in x) / (2 * count * (count - 1 if fair else count))
    return sum(norm(a - y, weights) for a in x) / count - spread


@pytest.mark.parametrize("fair", [True, False])
@pytest.mark.parametrize(("members", "observation"), SAMPLES.values(), ids=SAMPLES)
def test_energy_score_is_its_definition(members: np.ndarray, observation: np.ndarray, fair: bool) -> None:
    ours = scored("energy_score" if fair else "standard_energy_score", Ensemble.of(members, observation))
    scale = np.abs(members).max()
    assert ours == pytest.approx(energy_twin(members, observation, AREA, fair=fair), rel=1e-9, abs=1e-7 * scale)


@pytest.mark.parametrize("name", ["nrg", "fair"])
def test_energy_score_is_scoringrules_with_the_area_in_the_fields(name: str) -> None:
    scoringrules = pytest.importorskip("scoringrules")
    members, observation = SAMPLES["random"]
    root = np.sqrt(AREA / AREA.sum())
    theirs = scoringrules.es_ensemble((observation * root).ravel(), (members * root).reshape(7, -1), estimator=name)
    ours = scored("energy_score" if name == "fair" else "standard_energy_score", Ensemble.of(members, observation))
    assert ours == pytest.approx(float(theirs), rel=1e-12)


def test_all_pairs_of_members_count_and_not_only_neighbours_in_the_list() -> None:
    scoringrules = pytest.importorskip("scoringrules")
    members = np.repeat([[0.0], [10.0]], 4, axis=0)  # neighbours are alike, as from one model after the other
    fields = np.broadcast_to(members[:, :, None], (8, 6, 8))
    ours = scored("standard_energy_score", Ensemble.of(fields, np.full((6, 8), 5.0)))
    assert ours == pytest.approx(5.0 - 10.0 * 0.5 / 2)  # half of the ordered pairs are 10 apart
    assert float(scoringrules.es_ensemble(np.array([5.0]), members, estimator="akr")) == pytest.approx(5.0 - 10 / 8)


def test_float32_geopotential_of_fifty_members_is_scored_without_loss() -> None:
    members = (5.4e5 + 20 * RNG.standard_normal((50, 6, 8))).astype(np.float32)
    observation = (5.4e5 + 20 * RNG.standard_normal((6, 8))).astype(np.float32)
    expected = energy_twin(members, observation, AREA, fair=True)
    assert scored("energy_score", Ensemble.of(members, observation)) == pytest.approx(expected, rel=1e-9)
    flat, weights = members.reshape(50, -1), (AREA / AREA.sum()).ravel()
    gram = (flat * weights.astype(np.float32)) @ flat.T  # what uncentred float32 makes of it
    uncentred = np.diag(gram)[:, None] + np.diag(gram) - 2 * gram
    assert abs(np.sqrt(np.maximum(uncentred, 0)).mean() / 28 - 1) > 0.5


def test_members_close_to_each_other_and_far_from_the_truth_keep_their_distances() -> None:
    members, observation = 1e4 + 1e-3 * RNG.standard_normal((5, 6, 8)), np.zeros((6, 8))
    found = squared_distances(members, observation, AREA)
    expected = [[norm(a - b, AREA) for b in members] for a in members]
    np.testing.assert_allclose(np.sqrt(found.between), expected, rtol=1e-6)


def test_one_member_or_value_scores_its_root_mean_square_error() -> None:
    members, observation = RNG.standard_normal((1, 6, 8)), RNG.standard_normal((6, 8))
    rmse = norm(members[0] - observation, AREA)
    assert scored("standard_energy_score", Ensemble.of(members, observation)) == pytest.approx(rmse)
    assert np.isnan(scored("energy_score", Ensemble.of(members, observation)))
    for name in ("energy_score", "standard_energy_score"):
        assert scored(name, Point.of(members[0], observation)) == pytest.approx(rmse)
    assert METRICS["energy_score"].minimum_members == 2
    assert METRICS["standard_energy_score"].minimum_members == 1


@pytest.mark.parametrize("name", ["energy_score", "standard_energy_score", "field_kernel_score", "variogram_score"])
def test_what_is_missing_counts_where_it_has_weight_only(name: str) -> None:
    members, observation = RNG.standard_normal((5, 6, 8)), RNG.standard_normal((6, 8))
    weights = AREA.copy()
    weights[2, 3] = 0.0
    clean = scored(name, Ensemble.of(members, observation), weights)
    elsewhere, unseen = members.copy(), observation.copy()
    elsewhere[1, 2, 3], unseen[2, 3] = np.nan, np.nan
    assert scored(name, Ensemble.of(elsewhere, unseen), weights) == pytest.approx(clean, rel=1e-12)
    for bad in (np.nan, np.inf):
        broken = members.copy()
        broken[1, 4, 4] = bad
        assert np.isnan(scored(name, Ensemble.of(broken, observation), weights))
    assert np.isnan(scored(name, Ensemble.of(members, observation), np.zeros(GRID.shape)))


@pytest.mark.parametrize("size", [2, 10])
def test_fair_scores_of_a_reliable_ensemble_do_not_depend_on_its_size(size: int) -> None:
    rng, names = np.random.default_rng(size), ("energy_score", "variogram_score", "field_kernel_score")
    draws = [Ensemble.of(*np.split(rng.standard_normal((size + 1, 6, 8)), [size])[:1], rng.standard_normal((6, 8)))
             for _ in range(600)]  # fmt: skip
    many = [Ensemble.of(rng.standard_normal((60, 6, 8)), rng.standard_normal((6, 8))) for _ in range(200)]
    for name in names:
        fair = np.mean([scored(name, draw) for draw in draws])
        limit = np.mean([scored(name, draw) for draw in many])
        standard = np.mean([scored(f"standard_{name}", draw) for draw in draws])
        assert fair == pytest.approx(limit, rel=0.05)
        assert standard > fair * (1 + 0.5 / size)


def test_distances_and_pairs_are_found_once_for_all_scores_of_a_region(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    for name in ("squared_distances", "variogram_scores"):
        kernel = getattr(multivariate, name)
        monkeypatch.setattr(multivariate, name, lambda *args, name=name, kernel=kernel, **options: (
            calls.append(name) or kernel(*args, **options)))  # fmt: skip
    one = sample(Ensemble.of(*SAMPLES["random"]))
    half = np.where(np.arange(6)[:, None] < 3, AREA, 0.0)
    found = {}
    for name, statistic in STATISTICS.items():
        for place, weights in (("globe", AREA), ("half", half)):
            found[name, place] = float(statistic.of(one, weights.copy()))  # type: ignore[call-arg, arg-type]
            assert found[name, place] == scored(name, one.forecast, weights)
    own = len(STATISTICS) * 2
    assert calls.count("squared_distances") == 2 + own * 2 // 3
    assert calls.count("variogram_scores") == 2 + own // 3
    assert found["energy_score", "globe"] != found["energy_score", "half"]


@given(arrays(np.float32, (4, 6, 8), elements=VALUES), arrays(np.float32, (6, 8), elements=VALUES),
       st.permutations(range(4)))  # fmt: skip
@settings(max_examples=25)
def test_order_of_members_and_units_and_signs(members: np.ndarray, observation: np.ndarray, order: list[int]) -> None:
    scale = 1 + float(np.abs(members - observation).max())
    for name in ("energy_score", "standard_energy_score", "standard_variogram_score"):
        expected = scored(name, Ensemble.of(members, observation))
        close = pytest.approx(expected, rel=1e-6, abs=1e-6 * scale)
        assert scored(name, Ensemble.of(members[order], observation)) == close
        assert scored(name, Ensemble.of(-members, -observation)) == close
        assert scored(name, Ensemble.of(4 * members, 4 * observation)) / 4 == close
    assert scored("standard_energy_score", Ensemble.of(members, observation)) >= -1e-6 * scale


def test_many_blocks_are_one_sum() -> None:
    members, observation = RNG.standard_normal((3, 3 * BLOCK + 7)), RNG.standard_normal(3 * BLOCK + 7)
    weights = np.where(RNG.random(observation.size) < 0.5, 0.0, RNG.random(observation.size))
    weights[BLOCK : 2 * BLOCK] = 0.0
    found = squared_distances(members, observation, weights)
    np.testing.assert_allclose(found.to_observation, [norm(x - observation, weights) ** 2 for x in members], rtol=1e-12)
    assert found.between[0, 1] == pytest.approx(norm(members[0] - members[1], weights) ** 2, rel=1e-12)


def test_memory_is_a_third_of_the_input_and_less() -> None:
    members = np.zeros((50, 120, 240), np.float32)
    ensemble = Ensemble.of(members, members[0])
    grid = Grid.equiangular(120, 240, poles=False)
    weights = np.broadcast_to(grid.area_weights()[:, None], grid.shape).copy()
    statistic = STATISTICS["energy_score"]
    tracemalloc.start()
    statistic.of(sample(ensemble, grid=grid), weights)  # type: ignore[call-arg, arg-type]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.6 * members.nbytes  # blocks of a fixed size: 3 MB, 1.5 % of 50 members on 721x1440


@pytest.mark.parametrize("estimator", ["nrg", "fair"])
def test_kernel_score_is_scoringrules_in_units_of_the_bandwidth(estimator: str) -> None:
    scoringrules = pytest.importorskip("scoringrules")
    members, observation = SAMPLES["random"]
    root = np.sqrt(AREA / AREA.sum()) / 2.0
    theirs = scoringrules.gksmv_ensemble(
        (observation * root).ravel(), (members * root).reshape(7, -1), estimator=estimator
    )
    name = "field_kernel_score" if estimator == "fair" else "standard_field_kernel_score"
    assert scored(name, Ensemble.of(members, observation)) == pytest.approx(float(theirs), rel=1e-12)


def test_kernel_score_by_hand_and_without_climatology() -> None:
    members, observation = np.stack([np.zeros(GRID.shape), np.full(GRID.shape, 4.0)]), np.zeros(GRID.shape)
    near = np.exp(-0.5 * 4.0)  # two bandwidths apart
    assert scored("field_kernel_score", Ensemble.of(members, observation)) == pytest.approx(
        (1 + near) / 2 - (1 + near) / 2
    )
    assert scored("standard_field_kernel_score", Ensemble.of(members, observation)) == pytest.approx(
        (1 + (2 + 2 * near) / 4) / 2 - (1 + near) / 2
    )
    assert scored("field_kernel_score", Point.of(members[1], observation)) == pytest.approx(1 - near)
    assert np.isnan(scored("field_kernel_score", Ensemble.of(members, observation), climate=None))
    assert np.isnan(field_kernel_score(squared_distances(members, observation, AREA), 0.0, fair=False))


def test_forms_that_have_no_fields_are_not_scored() -> None:
    assert all(Gaussian not in statistic.forms for statistic in STATISTICS.values())
    assert set(METRICS) == set(STATISTICS)
    assert all(metric.formula and metric.family == "multivariate" for metric in METRICS.values())
    assert energy_score(squared_distances(*SAMPLES["constant"], AREA), fair=True) == 0.0
