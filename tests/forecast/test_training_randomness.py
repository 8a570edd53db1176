"""The order of the samples and the random numbers of a step: functions of (seed, step) and of nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from forecast.training.randomness import StepRandom, draw_hours, draw_indices

CPU = torch.device("cpu")


@pytest.mark.parametrize(("count", "size"), [(10, 4), (7, 7), (3, 8), (1, 2)])
def test_each_epoch_shows_each_sample_once(count: int, size: int) -> None:
    batches = [draw_indices(count, size, 1, step) for step in range(4 * count)]
    drawn = torch.cat(batches)
    assert all(batch.shape == (size,) for batch in batches)
    for epoch in drawn[: len(drawn) // count * count].reshape(-1, count):
        assert sorted(epoch.tolist()) == list(range(count))


def test_epochs_and_seeds_are_shuffled_differently() -> None:
    first, second = draw_indices(50, 50, 0, 0), draw_indices(50, 50, 0, 1)
    assert first.tolist() != second.tolist()
    assert first.tolist() != draw_indices(50, 50, 1, 0).tolist()
    assert first.tolist() == draw_indices(50, 50, 0, 0).tolist()


def test_step_lengths_come_equally_often_and_in_no_order() -> None:
    drawn = np.array([draw_hours((6, 12, 24), 3, step) for step in range(3000)])
    assert drawn.tolist() == [draw_hours((6, 12, 24), 3, step) for step in range(3000)]
    for hours in (6, 12, 24):
        assert (drawn == hours).mean() == pytest.approx(1 / 3, abs=0.03)
    assert (drawn[1:] == drawn[:-1]).mean() == pytest.approx(1 / 3, abs=0.04)
    assert drawn.tolist() != [draw_hours((6, 12, 24), 4, step) for step in range(3000)]


def test_numbers_are_functions_of_seed_and_step() -> None:
    first = StepRandom(1, 2, CPU, 4).normal(4, 3)
    assert torch.equal(first, StepRandom(1, 2, CPU, 4).normal(4, 3))
    for other in (StepRandom(1, 3, CPU, 4), StepRandom(2, 2, CPU, 4)):
        assert not torch.equal(first, other.normal(4, 3))


def test_numbers_are_standard_normal_and_each_call_draws_anew() -> None:
    random = StepRandom(0, 0, CPU, 100)
    drawn = torch.stack([random.normal(100, 50), random.normal(100, 50)])
    assert drawn.dtype == torch.float32
    assert drawn.mean().item() == pytest.approx(0, abs=0.04)
    assert drawn.std().item() == pytest.approx(1, abs=0.03)
    assert abs(torch.corrcoef(drawn.flatten(1))[0, 1]) < 0.06


@pytest.mark.parametrize("members", [1, 3])
def test_a_sample_gets_the_same_numbers_in_whatever_part_it_is(members: int) -> None:
    whole = StepRandom(5, 6, CPU, 6)
    parts = [StepRandom(5, 6, CPU, 6, range(start, start + 2)) for start in (0, 2, 4)]
    for shape in ((2, 3), ()):  # noise, then its levels
        expected = whole.normal(6 * members, *shape)
        drawn = torch.stack([part.normal(2 * members, *shape).reshape(members, 2, *shape) for part in parts], dim=1)
        assert torch.equal(drawn.reshape(expected.shape), expected)


def test_dropout_is_seeded_and_differs_from_part_to_part() -> None:
    def mask(step: int, rows: range | None = None) -> list[float]:
        StepRandom(5, step, CPU, 6, rows)
        return torch.rand(4).tolist()

    assert mask(0) == mask(0) == mask(0, range(3))
    assert mask(0) != mask(1)
    assert mask(0) != mask(0, range(3, 6))
