"""Damped persistence: what it keeps of each scale, how it is estimated, and what it does to long rollouts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch

from data_pipeline.channels import Channels
from data_pipeline.errors import DataError
from data_pipeline.grid import Grid
from forecast.persistence import Persistence, estimated
from forecast.truncation import Truncation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from forecast.forecaster import Forecaster
    from forecast.rollout import InitialState

NOON = torch.tensor([12.0])
GRID = Grid.equiangular(16, 32, poles=False)
CHANNELS = Channels.of({"u_component_of_wind": [850], "2m_temperature": None, "total_precipitation": None})
WIND, TEMPERATURE, RAIN = (
    [channel.variable_name for channel in CHANNELS].index(name)
    for name in ("u_component_of_wind", "2m_temperature", "total_precipitation")
)


@pytest.fixture(scope="module")
def truncation() -> Truncation:
    return Truncation(CHANNELS, GRID)


def coefficients(truncation: Truncation, generator: torch.Generator, *leading: int) -> torch.Tensor:
    return torch.randn(*leading, truncation.transform.degrees.numel(), generator=generator, dtype=torch.float64)


def test_each_degree_of_the_anomaly_keeps_its_share(truncation: Truncation) -> None:
    generator = torch.Generator().manual_seed(0)
    mean = torch.randn(3, *GRID.shape, generator=generator, dtype=torch.float64)
    kept = torch.rand(3, truncation.shares, generator=generator, dtype=torch.float64)
    kept[RAIN] = kept[RAIN, 0]
    waves = coefficients(truncation, generator, 2, 3)
    state = mean + truncation.transform.fields(waves)
    after = Persistence(truncation, mean, {None: kept})(state) - mean
    expected = waves * kept[:, truncation.transform.degrees]
    torch.testing.assert_close(truncation.transform.coefficients(after)[:, TEMPERATURE], expected[:, TEMPERATURE])
    torch.testing.assert_close(after[:, RAIN], kept[RAIN, 0] * (state - mean)[:, RAIN])


def test_winds_are_damped_as_smooth_fields(truncation: Truncation) -> None:
    """Times the cosine of latitude: solid rotation, u = cos(latitude), is of the degrees 0 and 2 then."""
    zero, kept = torch.zeros(3, *GRID.shape), torch.ones(3, truncation.shares)
    kept[:, 2] = 0.25
    cosine = torch.cos(torch.deg2rad(torch.tensor(GRID.latitude)))[:, None].expand(GRID.shape).float()
    after = Persistence(truncation, zero, {None: kept})(zero + cosine)[WIND] * cosine
    waves = truncation.transform.coefficients(cosine.square())
    changed = truncation.transform.coefficients(after) / waves
    torch.testing.assert_close(changed[[0, 4]], torch.tensor([1.0, 0.25]), rtol=1e-4, atol=1e-4)


def autoregressive(
    truncation: Truncation, mean: torch.Tensor, share: torch.Tensor, count: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Pairs of states of a process with this memory by degree."""
    generator, each = torch.Generator().manual_seed(1), share[:, truncation.transform.degrees]
    for _ in range(count):
        first, fresh = (coefficients(truncation, generator, 4, 3) for _ in range(2))
        pair = (first, each * first + (1 - each**2).sqrt() * fresh)
        before, after = (mean + truncation.transform.fields(waves) for waves in pair)
        yield before, after


def test_estimate_is_the_memory_of_an_autoregressive_process(truncation: Truncation) -> None:
    mean, degree = torch.full((3, *GRID.shape), 280.0, dtype=torch.float64), truncation.transform.degree
    share = torch.linspace(0.95, 0.05, degree + 1, dtype=torch.float64).expand(3, -1)
    found = estimated(truncation, mean, autoregressive(truncation, mean, share, 100))
    numbers = 400 * (2 * torch.arange(degree + 1) + 1)
    error = (found[TEMPERATURE, :-1] - share[0]) / ((1 - share[0] ** 2) / numbers).sqrt()
    assert error.abs().max() < 4
    assert error.std() < 2
    weighted = (share[RAIN] * numbers).sum() / numbers.sum()
    torch.testing.assert_close(found[RAIN], weighted.float().expand(degree + 2), rtol=0.03, atol=0.0)


def test_what_lies_beyond_the_harmonics_has_a_memory_of_its_own(truncation: Truncation) -> None:
    def beyond(count: int) -> torch.Tensor:
        rough = torch.randn(count, 3, *GRID.shape, generator=generator, dtype=torch.float64)
        return rough - truncation(rough)

    mean, generator = torch.zeros(3, *GRID.shape), torch.Generator().manual_seed(2)
    first = beyond(400)
    pair = (first, 0.8 * first + 0.6 * beyond(400))
    kept = estimated(truncation, mean, [pair])
    scalars_and_winds = [TEMPERATURE, WIND]
    torch.testing.assert_close(kept[scalars_and_winds, -1], torch.full((2,), 0.8), rtol=0.02, atol=0.0)
    stayed = Persistence(truncation, mean, {None: kept})(pair[0].float())[:, TEMPERATURE]
    torch.testing.assert_close(stayed, kept[TEMPERATURE, -1] * first.float()[:, TEMPERATURE], rtol=1e-3, atol=1e-3)


def test_estimate_is_between_none_and_all_also_of_what_never_changes(truncation: Truncation) -> None:
    mean = torch.zeros(3, *GRID.shape)
    state = torch.randn(2, 3, *GRID.shape)
    alike, opposite, nothing = (
        estimated(truncation, mean, [(before, after)])
        for before, after in ((state, state), (state, -state), (0 * state, state))
    )
    assert torch.equal(alike, torch.ones_like(alike))
    assert not opposite.any()
    assert not nothing.any()


def test_the_increment_leads_to_the_following_state(
    make_forecaster: Callable[..., Forecaster], initial: InitialState, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As far as it is of the harmonics; global means go their own way."""
    for damped in (True, False):
        made = replace(make_forecaster(damped=damped, other_step_hours=[6]), global_means=None)
        before = initial.current[None]
        after = made.persisted(before) + made.truncation(torch.randn_like(before)) * made.normalizer.std
        after = after.maximum(made._minimum)
        known = made.known(before, before, torch.zeros(3, *made.grid.shape))
        for hours in (12, 6):
            change = made.increment(before, after, hours)
            monkeypatch.setattr(type(made), "_increment", lambda *_, change=change: change)
            got = made.advance(before, known, torch.zeros_like(before), NOON, hours=hours)
            assert (((got - after) / made.normalizer.std).square().mean()).sqrt() < 0.05
            other = made.advance(before, known, torch.zeros_like(before), NOON, hours=18 - hours)
            assert not torch.allclose(got, other)


def test_steps_that_the_model_does_not_know_are_refused(
    make_forecaster: Callable[..., Forecaster], initial: InitialState
) -> None:
    made, noise = make_forecaster(), torch.zeros(1, 7, 8, 16)
    with pytest.raises(DataError, match="got a step of 5 h, expected the forecast step"):
        made.step(initial.previous[None], initial.current[None], initial.time, noise, hours=5)


def test_without_increments_a_long_rollout_comes_to_the_mean(
    make_forecaster: Callable[..., Forecaster], initial: InitialState
) -> None:
    made = make_forecaster()
    assert made.persistence
    state = initial.current
    for _ in range(60):
        state = made.persisted(state)
    anomaly = (state - made.persistence.mean) / made.normalizer.std
    assert anomaly.abs().max() < 1e-4
