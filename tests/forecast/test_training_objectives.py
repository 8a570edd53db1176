"""What each objective minimises, against the forecaster's own steps and closed forms."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import torch

from data_pipeline.dataset import Request
from data_pipeline.grid import Grid
from forecast.harmonics import SphericalTransform
from forecast.training.objectives import FAINTEST, crps_loss, degree_std, denoising_loss, mean_loss
from forecast.training.randomness import StepRandom
from forecast.training.scores import almost_fair_crps
from tests.forecast.trainings import (
    OBJECTIVES,
    begun,
    gradients,
    persistence_errors,
    standard_normal,
    task_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from forecast.config import Experiment
    from forecast.training.loop import Run
    from forecast.training.objectives import Task

    Make = Callable[..., Experiment]

INDICES = torch.tensor([3, 40, 77])
SINGLE = {**OBJECTIVES["crps"], "sampler__steps": 1}


def random_of(step: int, batch: int = 3) -> StepRandom:
    return StepRandom(0, step, torch.device("cpu"), batch)


def silent(run: Run) -> Run:
    """With a network that says 0: flow matching then has no better estimate than the shrunken noise.

    Global means are its own too.
    """
    head: Any = run.denoiser.network.head  # type: ignore[union-attr]
    torch.nn.init.zeros_(head.weight)
    own = replace(run.learner.forecaster, global_means=None)
    return replace(run, learner=run.learner._replace(forecaster=own))


def loss_of(run: Run, task: Task, step: int = 0) -> torch.Tensor:
    return run.loss(task, random_of(step, len(task.static)))


# tasks


def test_repeated_samples_stand_block_by_block(experiment: Make) -> None:
    run = begun(experiment(**OBJECTIVES["mean"]))
    task = task_of(run, Request(INDICES, 2))
    repeated = task.repeated(4)
    for fields, parts in zip((*task.sample, task.static), (*repeated.sample, repeated.static), strict=True):
        blocks = parts.split(3, dim=-1 if fields is task.sample.hour else -4)  # type: ignore[no-untyped-call]
        assert len(blocks) == 4
        assert all(torch.equal(block, fields) for block in blocks)


def test_rows_are_those_of_all_fields(experiment: Make) -> None:
    run = begun(experiment(**OBJECTIVES["mean"]))
    whole, part = task_of(run, Request(INDICES, 2)), task_of(run, Request(INDICES[1:], 2))
    got = whole.rows(1, 3)
    pairs = zip((*got.sample, got.static), (*part.sample, part.static), strict=True)
    assert all(torch.equal(left, right) for left, right in pairs)
    assert task_of(run, Request(INDICES, hours=24)).rows(0, 1).hours == 24


def test_turns_go_with_their_samples(experiment: Make) -> None:
    run = begun(experiment(**OBJECTIVES["mean"]))
    every_second, columns = torch.tensor([False, True, False]), torch.tensor([5, 6, 7])
    task = task_of(run, Request(INDICES))._replace(turn=run.learner.forecaster.turn(every_second, columns))
    repeated, part = task.repeated(2).turn, task.rows(1, 3).turn
    assert repeated
    assert part
    assert (repeated.columns.tolist(), repeated.mirrored.tolist()) == ([5, 6, 7, 5, 6, 7], 2 * every_second.tolist())
    assert (part.columns.tolist(), part.mirrored.tolist()) == ([6, 7], [True, False])


# rollouts


@pytest.mark.parametrize("kind", ["mean", "crps"])
def test_rollout_is_the_forecasters_steps(experiment: Make, kind: str) -> None:
    run = begun(experiment(**OBJECTIVES[kind]))
    run.denoiser.eval()
    forecaster, lag = run.learner.forecaster, run.learner.forecaster.step_length
    task = task_of(run, Request(INDICES[:1], 2))
    noises = standard_normal(0, 2, 1, len(forecaster.channels), *forecaster.grid.shape)
    remaining = iter(noises)
    states = run.learner.rollout(task, lambda: next(remaining))
    previous, current, time = task.sample.previous, task.sample.current, run.samples.time(3) + lag
    for noise, state in zip(noises, states, strict=True):
        previous, current = current, forecaster.step(previous, current, time, noise)
        torch.testing.assert_close(state, current, rtol=1e-6, atol=1e-4)
        time = time + lag


def test_members_of_a_rollout_are_in_their_blocks(experiment: Make) -> None:
    run = begun(experiment(**OBJECTIVES["crps"]))
    run.denoiser.eval()
    task, forecaster = task_of(run, Request(INDICES)), run.learner.forecaster
    noise = standard_normal(1, 2, 3, len(forecaster.channels), *forecaster.grid.shape)
    (together,) = run.learner.rollout(task.repeated(2), lambda: noise.flatten(0, 1))
    for member in range(2):
        (alone,) = run.learner.rollout(task, lambda: noise[member])  # noqa: B023
        torch.testing.assert_close(together.reshape(2, *alone.shape)[member], alone, rtol=1e-6, atol=1e-4)


def test_members_differ_where_dropout_is_shared(experiment: Make) -> None:
    """With the same noise they are the same member, though dropout is at work; samples differ."""
    run = begun(experiment(**OBJECTIVES["crps"], model__dropout=0.5))
    task, forecaster = task_of(run, Request(INDICES)), run.learner.forecaster
    noise = standard_normal(1, 3, len(forecaster.channels), *forecaster.grid.shape)
    run.denoiser.train()
    (states,) = run.learner.rollout(task.repeated(2), lambda: noise.repeat(2, 1, 1, 1))
    first, second = states.chunk(2)
    torch.testing.assert_close(first, second, rtol=1e-6, atol=1e-4)
    run.denoiser.eval()
    (without,) = run.learner.rollout(task, lambda: noise)
    assert not torch.allclose(first, without, rtol=1e-6, atol=1e-4)


# losses


@pytest.mark.parametrize(("norm", "measure"), [("mse", torch.square), ("mae", torch.abs)])
@pytest.mark.parametrize("hours", [None, 24])
def test_mean_loss_of_no_increment_is_the_error_of_persistence(
    experiment: Make, norm: str, measure: Callable[[torch.Tensor], torch.Tensor], hours: int | None
) -> None:
    changes = OBJECTIVES["mean"] | {"training__objective": {"kind": "mean", "norm": norm}}
    run = silent(begun(experiment(**changes, model__other_step_hours=[24])))
    task = task_of(run, Request(INDICES, 1 if hours else 2, hours))
    expected = (run.learner.weights * measure(persistence_errors(run, task))).mean()
    torch.testing.assert_close(mean_loss(run.learner, task, run.config.objective), expected)  # type: ignore[arg-type]


def test_denoising_loss_of_no_velocity_is_that_of_noise_less_data(experiment: Make) -> None:
    run = silent(begun(experiment(training__batch_size=16)))
    task = task_of(run, Request(torch.arange(64)))
    increments = persistence_errors(run, task)
    expected = 1 + (run.learner.weights * increments.square()).mean().item()
    assert denoising_loss(run.learner, task, random_of(0, 64)).item() == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("members", [2, 3])
def test_crps_loss_of_known_members(experiment: Make, members: int) -> None:
    """Of a network that says 0, the increment of a member is t e, with t = 0.99 where sampling begins."""
    objective = {"kind": "crps", "members": members, "alpha": 0.9, "spectral": 0.0}
    run = silent(begun(experiment(**SINGLE | {"training__objective": objective})))
    task, forecaster = task_of(run, Request(INDICES)), run.learner.forecaster
    noise = forecaster.noise.of_normal(random_of(7).normal(3 * members, *forecaster.noise.shape_of_numbers(7)))
    increments = forecaster.truncation(0.99 * noise).reshape(members, 3, *noise.shape[1:])
    drawn = forecaster.persisted(task.sample.current) + increments * forecaster.normalizer.tendency_std
    drawn = drawn.maximum(torch.tensor([-torch.inf] * 5 + [0, -torch.inf])[:, None, None])
    errors = (drawn - task.sample.following[0]) / forecaster.normalizer.tendency_std
    expected = (run.learner.weights * almost_fair_crps(errors, 0.9)).mean()
    got = crps_loss(run.learner, task, run.config.objective, random_of(7))  # type: ignore[arg-type]
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)


def test_spectral_term_is_the_crps_of_the_harmonics(experiment: Make) -> None:
    losses = {}
    for spectral in (0.0, 0.5):
        objective = {"kind": "crps", "alpha": 0.95, "spectral": spectral}
        run = begun(experiment(**SINGLE | {"training__objective": objective}))
        run.denoiser.eval()
        task = task_of(run, Request(INDICES))
        losses[spectral] = loss_of(run, task)
    forecaster = run.learner.forecaster
    noise = forecaster.noise.of_normal(random_of(0).normal(6, *forecaster.noise.shape_of_numbers(7)))
    (states,) = run.learner.rollout(task.repeated(2), lambda: noise)
    errors = (states.reshape(2, 3, *states.shape[1:]) - task.sample.following[0]) / forecaster.normalizer.tendency_std
    waves = SphericalTransform(forecaster.grid).coefficients(errors) / run.learner.wave_std[None]
    expected = almost_fair_crps(waves, 0.95).mean()
    torch.testing.assert_close(losses[0.5] - losses[0.0], 0.5 * expected, rtol=1e-3, atol=1e-5)


def test_each_degree_has_its_standard_deviation() -> None:
    transform = SphericalTransform(Grid.equiangular(8, 16, poles=False))
    spread = torch.where(transform.degrees < 3, 2.0, 0.01)
    waves = spread * torch.randn(4000, 1, len(spread), generator=torch.Generator().manual_seed(0))
    std = degree_std(transform, transform.fields(waves))[0]
    torch.testing.assert_close(std[transform.degrees < 3], torch.full((9,), 2.0), rtol=0.05, atol=0.01)
    faint = (0.01**2 + FAINTEST * float(waves.square().mean())) ** 0.5
    torch.testing.assert_close(std[transform.degrees >= 3], torch.full((len(spread) - 9,), faint), rtol=0.05, atol=0)


@pytest.mark.parametrize("kind", OBJECTIVES)
def test_losses_are_functions_of_seed_and_step(experiment: Make, kind: str) -> None:
    run = begun(experiment(**OBJECTIVES[kind], model__dropout=0.2))
    run.denoiser.train()
    task = task_of(run, Request(INDICES))
    first = loss_of(run, task)
    torch.manual_seed(2)
    assert loss_of(run, task) == first
    assert loss_of(run, task, step=1) != first


CONDITIONED = {"model__noise": "global", "model__noise_size": 8}


@pytest.mark.parametrize("network", [{}, {"model__network": "transformer", "model__widths": [16]}], ids=["unet", "vit"])
@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("mean", {}),
        ("denoising", {}),
        ("crps", {}),
        ("crps", {**SINGLE, **CONDITIONED}),
        ("denoising", {"model__process": "edm"}),
    ],
)
def test_gradients_reach_all_weights(
    experiment: Make, kind: str, changes: dict[str, Any], network: dict[str, Any]
) -> None:
    run = begun(experiment(**{**OBJECTIVES[kind], "model__other_step_hours": [24], **changes, **network}))
    task = task_of(run, Request(INDICES, 2 if kind == "crps" else 1))
    loss_of(run, task).backward()  # type: ignore[no-untyped-call]
    got = gradients(run.denoiser)
    assert set(got) == {name for name, _ in run.denoiser.named_parameters()}
    assert not [name for name, value in got.items() if not value.any() or not value.isfinite().all()]


@pytest.mark.parametrize("kind", ["mean", "crps"])
def test_checkpointing_changes_neither_losses_nor_gradients(experiment: Make, kind: str) -> None:
    found = []
    for checkpointing in (False, True):
        changes = {"model__dropout": 0.3, "training__checkpointing": checkpointing}
        run = begun(experiment(**OBJECTIVES[kind], **changes))
        run.denoiser.train()
        loss = loss_of(run, task_of(run, Request(INDICES, 2)))
        loss.backward()  # type: ignore[no-untyped-call]
        found.append((loss, gradients(run.denoiser)))
    (plain, slopes), (saving, same) = found
    assert torch.equal(plain, saving)
    assert all(torch.equal(slopes[name], value) for name, value in same.items())
