"""One score in four forms: kernel, sorted, integral over thresholds, and integral over quantiles."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import ndtri

from data_pipeline.errors import ScoreError
from evaluation.metrics.crps import empirical_crps, gaussian_crps, quantile_crps
from evaluation.metrics.forms import Ensemble, Gaussian, Quantiles

VALUES = st.integers(-30, 30)


def kernel_form(members: list[Fraction], y: Fraction) -> Fraction:
    pairs = sum(abs(a - b) for a in members for b in members)
    return sum(abs(x - y) for x in members) / len(members) - Fraction(pairs) / (2 * len(members) ** 2)


def threshold_form(members: list[Fraction], y: Fraction) -> Fraction | int:
    """``int (F(z) - 1{y <= z})^2 dz``."""
    edges = sorted([*members, y])
    share = [Fraction(sum(x <= low for x in members), len(members)) for low in edges]
    pieces = zip(edges[:-1], edges[1:], share[:-1], strict=True)
    return sum((high - low) * (f - (y <= low)) ** 2 for low, high, f in pieces)


def quantile_form(members: list[Fraction], y: Fraction) -> Fraction:
    """``2 int (1{y <= q} - tau) (q - y) dtau``: q is x_(i) for tau from (i - 1)/M to i/M."""
    size, total = len(members), Fraction(0)
    for i, q in enumerate(sorted(members)):
        total += 2 * Fraction(1, size) * ((y <= q) - Fraction(2 * i + 1, 2 * size)) * (q - y)
    return total


def moment_form(members: list[Fraction], y: Fraction) -> Fraction:
    """Probability-weighted moments: ``mean |x_i - y| + b_0 - 2 b_1``, those of the step function."""
    size = len(members)
    first = sum(members) / size
    second = sum(Fraction(2 * i + 1, 2 * size) * x for i, x in enumerate(sorted(members))) / size
    return sum(abs(x - y) for x in members) / size + first - 2 * second


@given(st.lists(VALUES, min_size=1, max_size=8), VALUES)
def test_all_forms_are_one_score(values: list[int], y: int) -> None:
    members = [Fraction(value, 4) for value in values]
    scores = [form(members, Fraction(y, 4)) for form in (kernel_form, threshold_form, quantile_form, moment_form)]
    assert len(set(scores)) == 1
    ours = empirical_crps(Ensemble.of(np.array(members, dtype=float)[:, None], [y / 4]))
    assert ours == pytest.approx([float(scores[0])], abs=1e-12)


@given(arrays(np.float64, (6, 3), elements=VALUES.map(float)), arrays(np.float64, 3, elements=VALUES.map(float)))
def test_members_are_quantiles_in_the_middle_of_equal_steps(members: np.ndarray, observation: np.ndarray) -> None:
    levels = (np.arange(6) + 0.5) / 6
    found = quantile_crps(Quantiles.of(levels, np.sort(members, axis=0), observation))
    np.testing.assert_allclose(found, empirical_crps(Ensemble.of(members, observation)), atol=1e-12)


def test_many_quantiles_of_a_normal_distribution_tend_to_its_score() -> None:
    observation = np.array([-2.0, 0.0, 0.7, 3.0])
    exact = gaussian_crps(Gaussian.of(np.ones(4), np.full(4, 2.0), observation))
    errors = []
    for count in (10, 100, 1000):
        levels = (np.arange(count) + 0.5) / count
        values = np.repeat(1 + 2 * ndtri(levels)[:, None], 4, axis=1)
        errors.append(np.abs(quantile_crps(Quantiles.of(levels, values, observation)) / exact - 1).max())
    assert errors[0] < 0.2
    assert errors[1] < errors[0] / 5
    assert errors[2] < errors[1] / 5


def test_what_is_missing_is_nan_and_the_median_alone_scores_its_distance() -> None:
    found = quantile_crps(Quantiles.of([0.5], [[3.0, np.nan, 1.0]], [1.0, 1.0, np.nan]))
    np.testing.assert_array_equal(found, [2.0, np.nan, np.nan])


@pytest.mark.parametrize("levels", [[0.5, 0.1], [0.0, 0.5], [0.5, 0.5], [0.1, np.nan], [[0.1, 0.5]]])
def test_levels_that_are_none_are_refused(levels: list[float]) -> None:
    with pytest.raises(ScoreError, match=r"got quantile levels .*, expected numbers between 0 and 1, ascending"):
        Quantiles.of(levels, np.zeros((2, 3)), np.zeros(3))


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ScoreError, match=r"quantiles have shape \(3, 4\), their 2 levels and the observation \(4,\)"):
        Quantiles.of([0.1, 0.9], np.zeros((3, 4)), np.zeros(4))
