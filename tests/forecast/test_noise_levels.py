"""The distributions of noise levels against their closed forms."""

from __future__ import annotations

import math
from typing import get_args

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st

from data_pipeline.errors import ConfigError
from forecast.noise_levels import (
    NOISE_LEVELS,
    LogitNormal,
    LogNormal,
    NoiseLevelName,
    NoiseLevels,
    RhoSchedule,
    Uniform,
    level_at,
    time_at,
)
from forecast.process import EDM

NORMAL = st.floats(-4, 4)
EVERY: list[NoiseLevels] = [kind() for kind in NOISE_LEVELS.values()]
every_kind = pytest.mark.parametrize("kind", EVERY, ids=list(NOISE_LEVELS))


def draw(kind: NoiseLevels, normal: float) -> float:
    return kind.draw(torch.tensor([normal], dtype=torch.float64)).item()


def below(normal: float) -> float:
    return float(scipy.stats.norm.cdf(normal))


@given(normal=NORMAL, mean=st.floats(-3, 3), std=st.floats(0.1, 3))
def test_log_normal_quantiles(normal: float, mean: float, std: float) -> None:
    level = draw(LogNormal(mean, std), normal)
    assert scipy.stats.lognorm.cdf(level, std, scale=math.exp(mean)) == pytest.approx(below(normal), rel=1e-9)


@given(normal=NORMAL, mean=st.floats(-2, 2), std=st.floats(0.1, 2))
def test_logit_normal_quantiles(normal: float, mean: float, std: float) -> None:
    """The quantile of t is the sigmoid of the normal one, within the bounds."""
    t = time_at(draw(LogitNormal(mean, std), normal))
    assert t == pytest.approx(min(max(1 / (1 + math.exp(-mean - std * normal)), 1e-3), 0.99), rel=1e-9)


@given(normal=NORMAL, edges=st.tuples(st.floats(0.01, 0.4), st.floats(0.5, 0.99)))
def test_uniform_quantiles(normal: float, edges: tuple[float, float]) -> None:
    low, high = edges
    t = time_at(draw(Uniform(low, high), normal))
    assert scipy.stats.uniform.cdf(t, low, high - low) == pytest.approx(below(normal), rel=1e-9)


@given(normal=NORMAL, s_min=st.floats(1e-3, 1), s_max=st.floats(2, 200), rho=st.floats(1, 9))
def test_rho_schedule_quantiles(normal: float, s_min: float, s_max: float, rho: float) -> None:
    level = draw(RhoSchedule(s_min, s_max, rho), normal)
    low, high = s_min ** (1 / rho), s_max ** (1 / rho)
    assert (level ** (1 / rho) - low) / (high - low) == pytest.approx(below(normal), rel=1e-6, abs=1e-9)


@given(t=st.floats(1e-6, 1 - 1e-6))
def test_level_and_time_are_inverse(t: float) -> None:
    assert time_at(level_at(t)) == pytest.approx(t, rel=1e-12)


@every_kind
def test_draws_are_those_of_the_quantiles(kind: NoiseLevels) -> None:
    """Kolmogorov and Smirnov's distance of random draws from the levels of even probabilities."""
    even = kind.draw(torch.from_numpy(scipy.stats.norm.ppf((np.arange(4000) + 0.5) / 4000)))
    drawn = kind.draw(torch.randn(4000, generator=torch.Generator().manual_seed(0), dtype=torch.float64))
    assert scipy.stats.ks_2samp(drawn.numpy(), even.numpy()).statistic < 0.03


@every_kind
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_draws_are_finite_positive_and_monotonic(kind: NoiseLevels, dtype: torch.dtype) -> None:
    levels = kind.draw(torch.linspace(-8, 8, 101, dtype=dtype))
    assert levels.dtype == dtype
    assert levels.isfinite().all()
    assert (levels > 0).all()
    assert (levels.diff() >= 0).all()


def test_logit_normal_of_t_is_log_normal_of_s() -> None:
    normal = torch.linspace(-3, 3, 31, dtype=torch.float64)
    torch.testing.assert_close(LogitNormal(0.3, 0.9).draw(normal), LogNormal(0.3, 0.9).draw(normal))


def test_gencast_trains_with_the_rho_schedule() -> None:
    """0.02 to 88, rho 7: gencast.py's NoiseConfig."""
    assert RhoSchedule() == RhoSchedule(s_min=0.02, s_max=88.0, rho=7.0)
    assert draw(RhoSchedule(), -8.0) == pytest.approx(0.02)
    assert draw(RhoSchedule(), 8.0) == pytest.approx(88.0)
    middle = ((0.02 ** (1 / 7) + 88 ** (1 / 7)) / 2) ** 7
    assert draw(RhoSchedule(), 0.0) == pytest.approx(middle)


def test_sampling_levels_are_quantiles_of_the_schedule() -> None:
    levels = EDM().sampling_noise_levels(20)
    even = RhoSchedule(0.03, 80.0).quantile(torch.linspace(0, 1, 20, dtype=torch.float64))
    torch.testing.assert_close(levels[:-1].flip(0), even)


def test_every_kind_has_its_name() -> None:
    assert set(NOISE_LEVELS) == set(get_args(NoiseLevelName))
    assert set(NOISE_LEVELS.values()) == set(get_args(NoiseLevels))


@pytest.mark.parametrize(
    ("kind", "wrong", "message"),
    [
        (LogNormal, {"std": 0.0}, "got std = 0, expected 0 < std < inf; change one of them"),
        (LogitNormal, {"std": -1.0}, "std = -1"),
        (LogitNormal, {"t_max": 1.0}, "t_max = 1, expected 0 < t_min < t_max < 1"),
        (Uniform, {"t_min": 0.5, "t_max": 0.5}, "t_min = 0.5, t_max = 0.5"),
        (Uniform, {"t_min": 0.0}, "t_min = 0,"),
        (RhoSchedule, {"s_min": 90.0}, "s_min = 90, s_max = 88, expected 0 < s_min < s_max < inf"),
        (RhoSchedule, {"rho": math.nan}, "rho = nan"),
    ],
)
def test_bounds_that_mean_nothing_are_refused(kind: type[NoiseLevels], wrong: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        kind(**wrong)
