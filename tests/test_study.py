"""The study's own scores, table and figure."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch

from benchmarks.study_scores import fair_crps, scores_of
from benchmarks.study_table import figure, table
from data_pipeline.grid import Grid
from forecast.harmonics import SphericalTransform

GRID = Grid.equiangular(8, 16, poles=False)
AREA = torch.as_tensor(GRID.area_weights(), dtype=torch.float32)[:, None]


def ensemble(members: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    states = 100000 + torch.randn(3, members, 2, *GRID.shape, generator=generator)
    return states, 100000 + torch.randn(3, 2, *GRID.shape, generator=generator)


@pytest.mark.parametrize("members", [2, 5])
def test_fair_crps_is_that_of_all_pairs(members: int) -> None:
    states, truth = ensemble(members)
    apart = sum((states[:, j] - states[:, k]).abs() for j, k in combinations(range(members), 2))
    expected = (states - truth[:, None]).abs().mean(1) - apart / (members * (members - 1))
    torch.testing.assert_close(fair_crps(states, truth), expected, atol=0.02, rtol=0)


def test_one_member_has_its_absolute_error() -> None:
    states, truth = ensemble(1)
    assert torch.equal(fair_crps(states, truth), (states[:, 0] - truth).abs())


def test_scores_of_a_reliable_ensemble() -> None:
    states, truth = ensemble(20)
    scores = scores_of(states, truth, AREA, SphericalTransform(GRID))
    assert scores["crps"].shape == (3, 2)
    assert np.sqrt(scores["variance"].mean() / scores["squared_error"].mean()) == pytest.approx(1, abs=0.1)
    np.testing.assert_allclose(scores["spectrum"][:, 1:].mean(), scores["truth_spectrum"][:, 1:].mean(), rtol=0.2)
    alone = scores_of(states[:, :1], truth, AREA, SphericalTransform(GRID))
    assert not alone["variance"].any()


def test_table_and_figure_show_every_generator(tmp_path) -> None:
    draw = np.random.default_rng(0).uniform
    scores = {
        "crps": draw(1, 2, (10, 4, 2)), "variance": draw(1, 2, (10, 4, 2)), "squared_error": draw(1, 2, (10, 4, 2)),
        "spectrum": np.ones((10, 2, 9)), "truth_spectrum": 2 * np.ones((10, 2, 9)), "lead_days": np.arange(1, 11),
        "seconds_per_member_day": np.float64(0.25),
    }  # fmt: skip
    mean = {**scores, "variance": np.zeros((10, 4, 2))}
    climate = {"crps": 3 * np.ones((10, 4, 2))}
    head, _, known, one, other = table({"crps-1": scores, "mean": mean}, climate, 0, 1.0).splitlines()
    assert head.count("CRPS day") == 5
    assert known.startswith("| climatology | 3.00 (3.00-3.00) |")
    assert one.startswith("| crps-1 | 1.")
    assert "| 0.50 to 0.50 | 250.00 |" in one
    assert "| none |" in other
    drawn = figure({"crps-1": scores, "mean": mean}, climate, 0, 1.0, "temperature_850")
    assert [axes.get_xlabel() for axes in drawn.axes] == ["days", "days", "degree of the harmonic"]
    assert [text.get_text() for text in drawn.axes[0].get_legend().get_texts()] == ["crps-1", "mean", "climatology"]
