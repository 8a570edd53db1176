"""The variogram score against its definition and against scoringrules."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from data_pipeline.errors import ScoreError
from data_pipeline.grid import Grid
from evaluation.metrics import pair_moments, pair_moments_plain
from evaluation.metrics.forms import Ensemble, Point
from evaluation.metrics.variogram import Pairs, pairs_apart, variogram_scores
from evaluation.settings import Settings
from evaluation.sphere import EARTH_RADIUS
from tests.evaluation.whole_fields import AREA, GRID, RNG, SAMPLES, scored

KIND = {False: "standard", True: "fair"}


def variogram_twin(members: np.ndarray, observation: np.ndarray, weights: np.ndarray, separations: tuple[float, ...],
                   grid: Grid, *, fair: bool) -> float:  # fmt: skip
    """The definition as a loop over pairs of points, found from coordinates."""
    total = weight = 0.0
    (rows, columns), count = grid.shape, len(members)
    most = columns / 2 if grid.is_periodic else columns
    for separation in separations:
        degrees = np.rad2deg(1e3 * separation / EARTH_RADIUS)
        down = round(degrees / (grid.latitude[0] - grid.latitude[1]))
        for row in range(rows):
            east = round(degrees / ((grid.longitude[1] - grid.longitude[0]) * np.cos(np.deg2rad(grid.latitude[row]))))
            ends = [(row + down, 0)] * (0 < down < rows - row) + [(row, east)] * (0 < east < most)
            for other, shift in ends:
                for column in range(columns):
                    far = (column + shift) % columns
                    if far != column + shift and not grid.is_periodic:
                        continue
                    own = np.sqrt(weights[row, column] * weights[other, far]) / separation
                    apart = [abs(x[row, column] - x[other, far]) ** 0.5 for x in members.astype(np.float64)]
                    seen = abs(float(observation[row, column]) - float(observation[other, far])) ** 0.5
                    noise = np.var(apart, ddof=1) / count if fair else 0.0
                    if own > 0:
                        total, weight = total + own * ((seen - np.mean(apart)) ** 2 - noise), weight + own
    return total / weight


@pytest.mark.parametrize("fair", [True, False])
@pytest.mark.parametrize("kind", ["random", "tied", "far off", "constant"])
def test_variogram_score_is_its_definition(kind: str, fair: bool) -> None:
    members, observation = SAMPLES[kind]
    regional = Grid(GRID.latitude, tuple(np.arange(8) * 5.0))
    weights = np.where(RNG.random(GRID.shape) < 0.3, 0.0, AREA)
    for grid in (GRID, regional):
        pairs = pairs_apart(grid, (2000.0, 4000.0, 9000.0))
        found = getattr(variogram_scores(members, observation, weights, pairs, order=0.5), KIND[fair])
        expected = variogram_twin(members, observation, weights, (2000.0, 4000.0, 9000.0), grid, fair=fair)
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("estimator", ["nrg", "fair"])
def test_variogram_score_is_scoringrules_over_the_same_pairs(estimator: str) -> None:
    """Theirs is a sum over all ordered pairs with weights that the user gives, ours a mean over chosen pairs."""
    scoringrules = pytest.importorskip("scoringrules")
    members, observation = RNG.standard_normal((6, 1, 8)), RNG.standard_normal((1, 8))
    pair = Pairs(slice(0, 1), down=0, east=2, separation_km=1.0)
    scores = variogram_scores(members, observation, np.ones((1, 8)), [pair], order=0.5)
    ours = getattr(scores, KIND[estimator == "fair"])
    weights = np.roll(np.eye(8), 2, axis=1)
    theirs = scoringrules.vs_ensemble(observation[0], members[:, 0], weights, p=0.5, estimator=estimator)
    assert ours == pytest.approx(float(theirs) / 8, rel=1e-12)


def test_variogram_score_sees_missing_correlation_that_the_marginals_hide() -> None:
    rng = np.random.default_rng(5)
    smooth = rng.standard_normal((200, 1, 1)) * np.ones(GRID.shape)
    rough = rng.standard_normal((200, *GRID.shape))
    truth = np.full(GRID.shape, 0.3)
    assert scored("variogram_score", Ensemble.of(smooth, truth)) == pytest.approx(0, abs=1e-12)
    assert scored("variogram_score", Ensemble.of(rough, truth)) > 0.5


def test_variogram_score_of_one_value_and_of_one_member() -> None:
    members, observation = RNG.standard_normal((1, 6, 8)), RNG.standard_normal((6, 8))
    expected = variogram_twin(members, observation, AREA, Settings().variogram_km, GRID, fair=False)
    for name in ("variogram_score", "standard_variogram_score"):
        assert scored(name, Point.of(members[0], observation)) == pytest.approx(expected)
    assert scored("standard_variogram_score", Ensemble.of(members, observation)) == pytest.approx(expected)
    assert np.isnan(scored("variogram_score", Ensemble.of(members, observation)))


def test_a_grid_too_coarse_for_the_separations_is_refused() -> None:
    with pytest.raises(ScoreError, match="has no points 100, 200 km apart; choose a larger variogram_km"):
        pairs_apart(Grid.equiangular(6, 8, poles=False), (100.0, 200.0))
    for bad in ((), (0.0,)):
        with pytest.raises(ScoreError, match=r"got variogram_km .* expected lengths above 0 km"):
            replace(Settings(), variogram_km=bad)


@pytest.mark.parametrize("order", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("place", [(slice(0, 5), 1, 0), (slice(2, 4), 0, 3)])
def test_compiled_and_plain_moments_are_equal(order: float, place: tuple[slice, int, int]) -> None:
    members = RNG.standard_normal((5, 6, 150)).astype(np.float32)
    for ours, plain in zip(
        pair_moments.pair_moments(members, *place, order), pair_moments_plain.pair_moments(members, *place, order),
        strict=True,
    ):  # fmt: skip
        np.testing.assert_allclose(ours, plain, rtol=1e-12, atol=1e-13)
