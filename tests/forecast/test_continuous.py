"""Steps of several lengths: a member is one trajectory, whatever is written of it and wherever it is interrupted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from data_pipeline.errors import ConfigError, DataError
from forecast.config import SamplerConfig
from forecast.initial import first_time, initial_state
from forecast.job import Job, steps_for
from forecast.job import run as run_job
from forecast.output import read_manifest
from forecast.perturbation_kinds import LaggedPerturbation, NoisePerturbation
from forecast.perturbations import perturbed_states
from forecast.rollout import InitialState, draw_noise, rollout
from forecast.stepping import Stepping

from .conftest import TIME, in_units, standard_fields
from .runs import OUTPUTS, hashes
from .test_job_kills import KilledError, killed_after

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import xarray as xr

    from forecast.forecaster import Forecaster

MEMBERS = (0, 3)
HOUR = np.timedelta64(1, "h")
WALKS = [(24, 6), (24, 24), (12, 12), (12, 6), (6, 6), (18, 6), (24, 12)]
"""Hours of a step and of output; 18 does not divide the 24 h of the model's own step."""


@pytest.fixture(scope="module")
def model(make_forecaster: Callable[..., Forecaster]) -> Forecaster:
    return make_forecaster(step_hours=24, other_step_hours=(6, 12, 18), sampler=SamplerConfig(name="euler", steps=2))


@pytest.fixture(scope="module")
def analyses(model: Forecaster) -> dict[int, torch.Tensor]:
    """States by their hours from the initial time."""
    fields = standard_fields(model.channels, model.grid, 5, seed=5)
    states = torch.from_numpy(in_units(model.channels, fields))
    return dict(zip(range(-24, 1, 6), states, strict=True))


def beginning(stepping: Stepping, analyses: dict[int, torch.Tensor]) -> InitialState:
    return InitialState.at(TIME, [analyses[int(length / HOUR)] for length in stepping.initial_lengths])


def drawn(
    model: Forecaster, stepping: Stepping, start: InitialState, steps: int, **options: Any
) -> dict[int, torch.Tensor]:
    """States (member, channel, latitude, longitude) by lead time in hours."""
    options = {"members": MEMBERS, "seed": 2, **options}
    forecasts = rollout(model, start, steps=steps, stepping=stepping, **options)
    return {int((forecast.time - TIME) / HOUR): forecast.states for forecast in forecasts}


def twin(model: Forecaster, analyses: dict[int, torch.Tensor], step: int, output: int, until: int) -> dict[int, Any]:
    """As the words have it, in hours: each output from the beginning of its step and the state 24 h before that."""
    known = {lead: state.expand(len(MEMBERS), *state.shape) for lead, state in analyses.items()}
    for lead in range(output, until + 1, output):
        number = (lead - 1) // step
        base = number * step
        noise = draw_noise(model, TIME, MEMBERS, number + 1, seed=2)
        known[lead] = model.step(known[base - 24], known[base], TIME + base * HOUR, noise, hours=lead - base)
    return known


@pytest.mark.parametrize(("step", "output"), WALKS)
def test_every_output_is_one_step_from_the_beginning_of_its_own(
    model: Forecaster, analyses: dict[int, torch.Tensor], step: int, output: int
) -> None:
    stepping = Stepping.of(model, step, output)
    states = drawn(model, stepping, beginning(stepping, analyses), steps=48 // output)
    assert list(states) == list(range(output, 49, output))
    expected = twin(model, analyses, step, output, 48)
    assert all(torch.equal(state, expected[lead]) for lead, state in states.items())


def test_output_on_the_way_changes_nothing(model: Forecaster, analyses: dict[int, torch.Tensor]) -> None:
    """And the model's own steps are what a forecast has without being asked."""
    start = beginning(Stepping.of(model), analyses)
    plain = {int((f.time - TIME) / HOUR): f.states for f in rollout(model, start, members=MEMBERS, steps=2, seed=2)}
    often = drawn(model, Stepping.of(model, output_hours=6), start, steps=8)
    assert all(torch.equal(often[lead], state) for lead, state in plain.items())
    assert not torch.equal(often[18], often[24])


def test_a_step_longer_than_the_models_own(
    make_forecaster: Callable[..., Forecaster], analyses: dict[int, torch.Tensor]
) -> None:
    """The second state of a step is an output on the way of the step before."""
    model = make_forecaster(step_hours=6, other_step_hours=(12,))
    stepping = Stepping.of(model, 12, 6)
    states = drawn(model, stepping, beginning(stepping, analyses), steps=4)
    noise = draw_noise(model, TIME, MEMBERS, 2, seed=2)
    assert torch.equal(states[24], model.step(states[6], states[12], TIME + 12 * HOUR, noise, hours=12))


@pytest.mark.parametrize(("step", "output"), WALKS)
@pytest.mark.parametrize("churn", [0.0, 2.5])
def test_goes_on_at_any_output_to_the_last_bit(
    make_forecaster: Callable[..., Forecaster], analyses: dict[int, torch.Tensor], step: int, output: int, churn: float
) -> None:
    sampler = SamplerConfig(name="euler", steps=2, churn=churn)
    model = make_forecaster(step_hours=24, other_step_hours=(6, 12, 18), sampler=sampler, widths=(8,))
    stepping = Stepping.of(model, step, output)
    start = beginning(stepping, analyses)
    whole = drawn(model, stepping, start, steps=7)
    there = start.of(MEMBERS).numbered(stepping.needed(0))
    there |= {lead // output: state for lead, state in whole.items()}
    for done in range(1, 7):
        middle = InitialState.at(TIME, [there[number] for number in stepping.needed(done)])
        rest = drawn(model, stepping, middle, steps=7, first_step=done + 1)
        assert len(rest) == 7 - done
        assert all(torch.equal(state, whole[lead]) for lead, state in rest.items())


def test_a_member_stands_alone(model: Forecaster, analyses: dict[int, torch.Tensor]) -> None:
    stepping = Stepping.of(model, 12, 6)
    together, alone = (
        drawn(model, stepping, beginning(stepping, analyses), steps=4, members=members) for members in ([0, 3], [3])
    )
    for lead, state in alone.items():
        scaled = model.normalizer.state(torch.stack([state[0], together[lead][1]]))
        torch.testing.assert_close(scaled[0], scaled[1], rtol=1e-3, atol=1e-4)


def test_a_member_that_stops_on_the_way_stays_stopped(
    model: Forecaster, analyses: dict[int, torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    stepping, step = Stepping.of(model, output_hours=6), type(model).step
    sound = drawn(model, stepping, beginning(stepping, analyses), steps=6)

    def spoiled(self: Forecaster, *states: Any, hours: int, **options: Any) -> torch.Tensor:
        state = step(self, *states, hours=hours, **options).clone()
        state[0] = torch.nan if hours == 12 else state[0]
        return state

    monkeypatch.setattr(type(model), "step", spoiled)
    *_, last = rollout(model, beginning(stepping, analyses), members=MEMBERS, steps=6, seed=2, stepping=stepping)
    assert str(last.stopped[0]).startswith("member 0 stopped at step 2 (2000-01-03T12)")
    assert last.states[0].isnan().all()
    assert torch.equal(last.states[1], sound[36][1])


def test_states_that_do_not_fit_the_steps(model: Forecaster, analyses: dict[int, torch.Tensor]) -> None:
    start = beginning(Stepping.of(model), analyses)
    said = r"got 2 states to begin with, expected 3 \(Stepping.needed\); read them with initial_state and the same"
    with pytest.raises(DataError, match=said):
        drawn(model, Stepping.of(model, 12), start, steps=1)


# initial states


def test_initial_states_of_shorter_steps(model: Forecaster, world: xr.Dataset) -> None:
    stepping = Stepping.of(model, 12)
    start = initial_state(model, world, TIME, stepping)
    times = [TIME - 24 * HOUR, TIME, TIME - 12 * HOUR]
    for state, time in zip(start.states, times, strict=True):
        assert torch.equal(state, torch.from_numpy(model.channels.stack(world.sel(time=time)).values))
    assert start.sha256() != InitialState(*start[:3]).sha256()
    assert first_time(model, world, stepping) == world["time"].values[2]
    gap = world.isel(time=[0, 2, 3])
    assert first_time(model, gap) == gap["time"].values[1]
    with pytest.raises(DataError, match="no time in the data has the states 24, 12 h before it; give a longer period"):
        first_time(model, gap, stepping)
    with pytest.raises(
        DataError, match=r"no state at 2000-01-01T12;.* needs 2000-01-01T00, 2000-01-01T12, 2000-01-02T00"
    ):
        initial_state(model, gap, np.datetime64("2000-01-02", "ns"), stepping)


@pytest.mark.parametrize("kind", [NoisePerturbation(), LaggedPerturbation()])
def test_all_initial_states_are_perturbed(
    model: Forecaster, world: xr.Dataset, kind: NoisePerturbation | LaggedPerturbation
) -> None:
    time = np.datetime64("2000-02-01", "ns")
    stepping = Stepping.of(model, 12)
    made = perturbed_states(model, world, time, kind, members=3, seed=0, stepping=stepping)
    start, plain = made.of([0, 1]), initial_state(model, world, time, stepping)
    assert len(start.states) == 3
    for state, unperturbed in zip(start.states, plain.states, strict=True):
        assert torch.equal(state[0], unperturbed)
        assert not torch.equal(state[1], unperturbed)


# jobs


@pytest.mark.parametrize("walk", [(24, 6), (12, 6)])
def test_a_killed_job_goes_on_in_the_middle_of_a_step(
    tmp_path: Path, model: Forecaster, analyses: dict[int, torch.Tensor], walk: tuple[int, int]
) -> None:
    stepping = Stepping.of(model, *walk)
    job = Job(beginning(stepping, analyses), 3, 6, seed=1, batch=2, stepping=stepping)
    whole = run_job(job, model, tmp_path / "whole", OUTPUTS, progress=False)
    assert (whole.steps, whole.step_hours, whole.hours_complete) == (6, 6, 36)
    for advances in (1, 2, 3, 4, 7, 8):
        with pytest.raises(KilledError):
            run_job(job, model, tmp_path / "killed", OUTPUTS, spread=killed_after(advances), progress=False)
    run_job(job, model, tmp_path / "killed", OUTPUTS, progress=False)
    assert hashes(tmp_path / "killed") == hashes(tmp_path / "whole")


def test_other_steps_are_another_forecast(tmp_path: Path, model: Forecaster, analyses: dict[int, torch.Tensor]) -> None:
    often, usual = Stepping.of(model, output_hours=6), Stepping.of(model)
    start = beginning(usual, analyses)
    first = run_job(Job(start, 2, 4, stepping=often), model, tmp_path / "a", progress=False)
    assert run_job(Job(start, 2, 4), model, tmp_path / "a", progress=False).run_sha256 != first.run_sha256
    asked = run_job(Job(start, 2, 4, stepping=usual), model, tmp_path / "a", progress=False)
    assert asked == read_manifest(tmp_path / "a"), "the model's own steps, whether asked for or not"
    with pytest.raises(KilledError):
        run_job(Job(start, 2, 4, stepping=often), model, tmp_path / "b", spread=killed_after(3), progress=False)
    with pytest.raises(ConfigError, match="begun otherwise: step hours was 24, now null; give the same"):
        run_job(Job(start, 2, 4), model, tmp_path / "b", progress=False)


def test_days(model: Forecaster) -> None:
    often = Stepping.of(model, output_hours=6)
    assert steps_for(model, 1.25, often) == 5
    with pytest.raises(ConfigError, match="days, expected a multiple of the time between outputs of 6 h; give"):
        steps_for(model, 1.1, often)
    assert steps_for(model, 2) == 2


def test_noise_on_the_way_is_the_members_own(make_forecaster: Callable[..., Forecaster], initial: InitialState) -> None:
    def after(members: Sequence[int], churn: float, **options: Any) -> torch.Tensor:
        sampler = SamplerConfig(name="euler", steps=3, churn=churn)
        model = make_forecaster(sampler=sampler)
        (forecast,) = rollout(model, initial, members=members, steps=1, seed=3, **options)
        return model.normalizer.state(forecast.states)

    pair = after([4, 5], 2.5)
    assert torch.equal(pair, after([4, 5], 2.5))
    assert (pair - after([4, 5], 0.0)).abs().max() > 1e-3
    torch.testing.assert_close(after([5], 2.5)[0], pair[1], rtol=1e-3, atol=1e-4)
    model = make_forecaster()
    streams: list[Any] = [(), (1,), (2, 0), (2, 1)]
    drawn = [draw_noise(model, TIME, [4, 5], 1, seed=3, antithetic=True, stream=stream) for stream in streams]
    for noise in drawn:
        assert torch.equal(noise[0], -noise[1]), "of opposite sign too"
    flat = torch.stack([noise[0].flatten() for noise in drawn])
    assert (torch.corrcoef(flat) - torch.eye(len(streams))).abs().max() < 0.15, "also apart from perturbations"


def test_one_vector_of_noise(make_forecaster: Callable[..., Forecaster], world: xr.Dataset) -> None:
    """The whole way: perturbed initial states, antithetic pairs, output on the way."""
    model = make_forecaster(
        noise="global", noise_size=5, sampler=SamplerConfig(name="euler", steps=1), other_step_hours=(6,)
    )
    assert draw_noise(model, TIME, [0, 1], 1, seed=0, antithetic=True).shape == (2, 5)
    time, kind = np.datetime64("2000-02-01", "ns"), NoisePerturbation()
    start = perturbed_states(model, world, time, kind, members=3, seed=0, stepping=Stepping.of(model)).of(range(3))
    assert start.current.shape == (3, 7, 8, 16)
    stepping = Stepping.of(model, output_hours=6)
    forecasts = list(
        rollout(model, initial_state(model, world, time, stepping).of(range(3)), members=range(3), steps=4, seed=0,
                stepping=stepping, antithetic=True)
    )  # fmt: skip
    assert all(forecast.states.isfinite().all() for forecast in forecasts)
    assert (forecasts[0].states[0] - forecasts[0].states[1]).abs().max() > 0
