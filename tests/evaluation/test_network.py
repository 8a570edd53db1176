"""The compiled pass over an ensemble equals plain numpy, for any number of members and points."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.metrics import network, plain


def sample(members: int, points: int, precision: type) -> tuple[np.ndarray, np.ndarray]:
    """Values with ties among members and with the observation, and some that are not finite."""
    rng = np.random.default_rng(members * 1000 + points)
    values = rng.integers(-4, 5, (members, points)).astype(precision) + np.asarray(5e4, precision)
    observation = rng.integers(-4, 5, points).astype(precision) + np.asarray(5e4, precision)
    values[rng.random(values.shape) < 0.01] = np.nan
    values[rng.random(values.shape) < 0.01] = np.inf
    observation[rng.random(points) < 0.02] = np.nan
    return values, observation


@pytest.mark.parametrize("precision", [np.float32, np.float64])
@pytest.mark.parametrize("points", [1, 63, 64, 65, 700])
@pytest.mark.parametrize("members", [1, 2, 3, 7, 8, 9, 16, 31, 50])
def test_compiled_is_plain(members: int, points: int, precision: type) -> None:
    values, observation = sample(members, points, precision)
    found = [np.empty((6, points)) for _ in range(2)]
    for module, out in zip((network, plain), found, strict=True):
        module.summarise(values, observation, out)
    np.testing.assert_allclose(*found, rtol=1e-13, atol=1e-9)
    counted = [np.empty((2, points), np.int32) for _ in range(2)]
    for module, out in zip((network, plain), counted, strict=True):
        module.count_below(values, observation, out)
    np.testing.assert_array_equal(*counted)
    whole = np.isfinite(values).all(axis=0) & np.isfinite(observation)
    compiled, simple = (module.sort_deviations(values, observation)[:, whole] for module in (network, plain))
    np.testing.assert_array_equal(compiled, simple)


@pytest.mark.parametrize("size", range(1, 40))
def test_comparators_sort_everything_that_is_zero_or_one(size: int) -> None:
    """Enough for all values (Knuth 5.3.4, theorem Z); every pattern of few places, random ones of many."""
    rng = np.random.default_rng(size)
    count = 2**size if size <= 10 else 2000
    patterns = (np.arange(count)[:, None] >> np.arange(size)) & 1 if size <= 10 else rng.integers(0, 2, (count, size))
    values = patterns.T.copy()
    for low, high in network.comparators(size):
        values[low], values[high] = np.minimum(values[low], values[high]), np.maximum(values[low], values[high])
    assert (np.diff(values, axis=0) >= 0).all()


def test_threads_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    values, observation = sample(5, 1000, np.float32)
    found = [np.empty((6, 1000)) for _ in range(2)]
    network.summarise(values, observation, found[0])
    monkeypatch.setattr(network, "PER_THREAD", 10)
    network.summarise(values, observation, found[1])
    np.testing.assert_array_equal(*found)
