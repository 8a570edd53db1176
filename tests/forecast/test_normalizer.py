"""Scales: round trips, and refusal of scales that do not exist."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from data_pipeline.errors import DataError
from data_pipeline.statistics import Statistics
from forecast.normalizer import Normalizer

STATISTICS = Statistics(np.array([280.0, 5e4]), np.array([10.0, 1e3]), {6: np.ones(2), 24: np.array([2.0, 300.0])})


@pytest.fixture
def scales() -> Normalizer:
    return Normalizer.of(STATISTICS, 24)


def test_state_and_increment_in_closed_form(scales: Normalizer) -> None:
    before = torch.tensor([290.0, 5.1e4])[:, None, None].expand(1, 2, 4, 8)
    assert torch.equal(scales.state(before), torch.ones(1, 2, 4, 8))
    after = before + torch.tensor([2.0, -600.0])[:, None, None]
    assert torch.equal(scales.increment(before, after)[0, :, 0, 0], torch.tensor([1.0, -2.0]))


def test_advance_undoes_increment(scales: Normalizer) -> None:
    before, after = torch.randn(2, 3, 2, 4, 8).unbind()
    torch.testing.assert_close(scales.advance(before, scales.increment(before, after)), after, rtol=1e-4, atol=1e-4)


def test_scales_are_float32_columns(scales: Normalizer) -> None:
    for scale in (scales.mean, scales.std, scales.tendency_std):
        assert scale.shape == (2, 1, 1)
        assert scale.dtype == torch.float32


def test_steps_of_other_lengths_have_their_own_scale() -> None:
    scales = Normalizer.of(STATISTICS, 24, [6])
    before, after = torch.randn(2, 3, 2, 4, 8).unbind()
    assert torch.equal(scales.increment(before, after, 6), after - before)
    for hours in (6, None):
        torch.testing.assert_close(
            scales.advance(before, scales.increment(before, after, hours), hours), after, rtol=1e-4, atol=1e-4
        )
    moved = scales.to("cpu")
    assert torch.equal(moved.tendency(6), torch.ones(2, 1, 1))


def test_refuses_a_step_without_statistics() -> None:
    with pytest.raises(DataError, match=r"for 12 h steps; set model\.other_step_hours to one of: 6, 24"):
        Normalizer.of(STATISTICS, 24, [6, 12])
    with pytest.raises(DataError, match=r"for 12 h steps; set model\.step_hours to one of: 6, 24"):
        Normalizer.of(STATISTICS, 12)
    with pytest.raises(DataError, match="build it with a longer training_period"):
        Normalizer.of(Statistics(STATISTICS.mean, STATISTICS.std, {}), 12)


@pytest.mark.parametrize("bad", [0.0, np.nan, np.inf])
def test_refuses_a_channel_without_variability(bad: float) -> None:
    std = np.array([10.0, bad])
    for statistics in (Statistics(STATISTICS.mean, std, {6: np.ones(2)}), Statistics(std, np.ones(2), {6: std})):
        with pytest.raises(DataError, match="never changes"):
            Normalizer.of(statistics, 6)


def test_steps_that_are_not_known_have_no_scale() -> None:
    one = torch.ones(2, 1, 1)
    scales = Normalizer(0 * one, one, one, {6: 0.5 * one})
    assert torch.equal(scales.tendency(6), 0.5 * one)
    assert torch.equal(scales.tendency(None), one)
    with pytest.raises(DataError, match="got a step of 12 h, expected the forecast step or one of these others: 6"):
        scales.tendency(12)
