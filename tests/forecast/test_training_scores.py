"""The CRPS that trains: against closed forms, its brute-force twins, and what an unbiased score must be."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import properscoring
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from evaluation.metrics import crps as other
from evaluation.metrics.forms import Ensemble
from forecast.training.scores import almost_fair_crps

NUMBERS = st.floats(-100, 100, width=32)


def brute_force(errors: torch.Tensor, alpha: float) -> torch.Tensor:
    """Lang et al. (2024), eq. 4, as it stands there."""
    members = len(errors)
    epsilon = (1 - alpha) / members
    total = torch.zeros_like(errors[0])
    for j in range(members):
        for k in range(members):
            if j != k:
                total += errors[j].abs() + errors[k].abs() - (1 - epsilon) * (errors[j] - errors[k]).abs()
    return total / (2 * members * (members - 1))


@pytest.mark.parametrize("alpha", [0.0, 0.95, 1.0])
@pytest.mark.parametrize("members", [2, 3, 8])
def test_is_its_equation_and_the_evaluations_score(members: int, alpha: float) -> None:
    generator = np.random.default_rng(members)
    drawn, truth = generator.normal(size=(members, 4, 5)), generator.normal(size=(4, 5))
    errors = torch.from_numpy(drawn - truth)
    got = almost_fair_crps(errors, alpha)
    torch.testing.assert_close(got, brute_force(errors, alpha), rtol=1e-12, atol=1e-12)
    expected = other.almost_fair_crps(Ensemble.of(drawn, truth), alpha)
    np.testing.assert_allclose(got.numpy(), expected, rtol=1e-12, atol=1e-12)


def test_alpha_zero_is_the_score_of_the_ensemble_as_it_is() -> None:
    generator = np.random.default_rng(0)
    drawn, truth = generator.normal(size=(6, 50)), generator.normal(size=50)
    expected = properscoring.crps_ensemble(truth, drawn, axis=0)
    np.testing.assert_allclose(almost_fair_crps(torch.from_numpy(drawn - truth), 0.0).numpy(), expected, rtol=1e-10)


def test_many_gaussian_members_have_the_gaussians_score() -> None:
    members = torch.from_numpy(np.random.default_rng(1).normal(0.5, 2.0, size=(400, 200)))
    expected = properscoring.crps_gaussian(0.0, 0.5, 2.0)
    assert almost_fair_crps(members, 1.0).mean().item() == pytest.approx(float(expected), rel=0.02)


@pytest.mark.parametrize("alpha", [0.5, 0.95, 1.0])
def test_two_members_around_the_truth_in_closed_form(alpha: float) -> None:
    """Of errors +-a: a (1 - alpha) / 2. Only the fair score sees no difference between such a and 0."""
    score = almost_fair_crps(torch.tensor([3.0, -3.0], dtype=torch.float64), alpha)
    assert score.item() == pytest.approx(3 * (1 - alpha) / 2)


@given(arrays(np.float32, 6, elements=NUMBERS), st.integers(2, 5))
def test_fair_score_does_not_depend_on_the_size_of_the_ensemble(errors: np.ndarray, size: int) -> None:
    """Its mean over all smaller ensembles of the members is that of all members."""
    whole = torch.from_numpy(errors.astype(np.float64))
    parts = [almost_fair_crps(whole[list(chosen)], 1.0) for chosen in combinations(range(6), size)]
    assert torch.stack(parts).mean().item() == pytest.approx(almost_fair_crps(whole, 1.0).item(), abs=1e-9)


@given(arrays(np.float32, (4, 3), elements=NUMBERS), st.floats(0, 1), st.permutations(range(4)))
def test_order_of_the_members_and_sign_do_not_count(errors: np.ndarray, alpha: float, order: list[int]) -> None:
    given_, scale = torch.from_numpy(errors.astype(np.float64)), 1e-9
    score = almost_fair_crps(given_, alpha)
    torch.testing.assert_close(almost_fair_crps(given_[list(order)], alpha), score, rtol=0, atol=scale)
    torch.testing.assert_close(almost_fair_crps(-given_, alpha), score, rtol=0, atol=scale)


def test_best_members_are_spread_as_the_truth_is() -> None:
    """Proper: of Gaussian ensembles, the one that the truth is drawn from scores best."""
    generator = np.random.default_rng(2)
    truth, unit = generator.normal(size=20000), generator.normal(size=(2, 20000))
    scores = [
        almost_fair_crps(torch.from_numpy(spread * unit - truth), 1.0).mean() for spread in (0.5, 0.8, 1, 1.25, 2)
    ]
    assert int(torch.stack(scores).argmin()) == 2
