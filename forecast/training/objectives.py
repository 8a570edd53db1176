"""What a stage of training minimises, as a function of a batch of samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

from data_pipeline.dataset import Sample
from forecast.training.scores import almost_fair_crps

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor

    from forecast.forecaster import Forecaster
    from forecast.harmonics import SphericalTransform
    from forecast.training.config import CrpsObjective, MeanObjective
    from forecast.training.randomness import StepRandom
    from forecast.turning import Turn


class Task(NamedTuple):
    """A batch of samples, static fields (batch, feature, latitude, longitude), and the ``hours`` of the steps.

    Networks see a turned world, if there is a ``turn``.
    """

    sample: Sample
    static: Tensor
    hours: int | None = None
    turn: Turn | None = None

    def repeated(self, members: int) -> Task:
        """All samples once for each member, one block after the other."""
        previous, current, static = (
            fields.repeat(members, 1, 1, 1) for fields in (self.sample.previous, self.sample.current, self.static)
        )
        following, forcings = (fields.repeat(1, members, 1, 1, 1) for fields in self.sample[2:4])
        sample = Sample(previous, current, following, forcings, self.sample.hour.repeat(1, members))
        return Task(sample, static, self.hours, self.turn and self.turn.repeated(members))

    def rows(self, start: int, stop: int) -> Task:
        """Some of the samples."""
        states, steps = self.sample[:2], self.sample[2:]
        part = Sample(*(each[start:stop] for each in states), *(each[:, start:stop] for each in steps))
        return Task(part, self.static[start:stop], self.hours, self.turn and self.turn.rows(start, stop))


class Learner(NamedTuple):
    """A forecaster in training: what every objective needs beside the batch.

    ``weights`` are the cells' areas (latitude, 1), of mean 1. ``wave_std`` holds, by the hours of the step, the
    standard deviation of the harmonics' coefficients of scaled increments (channel, coefficient).
    """

    forecaster: Forecaster
    weights: Tensor
    wave_std: Mapping[int | None, Tensor]

    @property
    def transform(self) -> SphericalTransform:
        """The harmonics of the grid."""
        return self.forecaster.truncation.transform

    def rollout(self, task: Task, noise: Callable[[], Tensor]) -> list[Tensor]:
        """The states after each step of the task; gradients go through all steps."""
        forecaster, states = self.forecaster, []
        previous, current = task.sample.previous, task.sample.current
        for forcing, hour in zip(task.sample.forcings, task.sample.hour, strict=True):
            known = forecaster.known(previous, current, forcing, task.static)
            after = forecaster.advance(current, known, noise(), hour, hours=task.hours, turn=task.turn)
            previous, current = current, after
            states.append(current)
        return states


def mean_loss(learner: Learner, task: Task, objective: MeanObjective) -> Tensor:
    """Of increments scaled by the tendency's standard deviation, the mean square or absolute error over all steps."""
    forecaster = learner.forecaster
    nothing = torch.zeros((), device=learner.weights.device)
    shape = _noise_shape(forecaster, len(task.static))
    states = learner.rollout(task, lambda: nothing.expand(shape))
    errors = [_scaled(forecaster, got - truth, task) for got, truth in zip(states, task.sample.following, strict=True)]
    measure = torch.square if objective.norm == "mse" else torch.abs
    return torch.stack([(learner.weights * measure(error)).mean() for error in errors]).mean()


def denoising_loss(learner: Learner, task: Task, random: StepRandom) -> Tensor:
    """Of one step's scaled increment at noise levels that the process draws (see ``Denoiser.loss``)."""
    forecaster, sample, count = learner.forecaster, task.sample, len(task.static)
    known = forecaster.known(sample.previous, sample.current, sample.forcings[0], task.static)
    clean = forecaster.increment(sample.current, sample.following[0], task.hours)
    noise = draw_training_noise(forecaster, count, random)
    s = forecaster.denoiser.process.draw_noise_levels(random.normal(count))
    step = forecaster.step_label(count, task.hours)
    return forecaster.denoiser.loss(clean, noise, s, known, step, learner.weights, task.turn)


def crps_loss(learner: Learner, task: Task, objective: CrpsObjective, random: StepRandom) -> Tensor:
    """The almost fair CRPS of the members' scaled errors, and of their harmonics' coefficients, over all steps.

    Coefficients are over the standard deviation of those of the true increments, degree by degree. So small
    scales, which hold little of the variance, count as much as large ones, and members cannot fill them with noise.
    """
    forecaster, members = learner.forecaster, objective.members
    repeated = task.repeated(members)
    states = learner.rollout(repeated, lambda: draw_training_noise(forecaster, len(repeated.static), random))
    losses = []
    for got, truth in zip(states, task.sample.following, strict=True):
        errors = _scaled(forecaster, got.reshape(members, *truth.shape) - truth, task)
        score = (learner.weights * almost_fair_crps(errors, objective.alpha)).mean()
        if objective.spectral:
            waves = learner.transform.coefficients(errors) / learner.wave_std[task.hours]
            score = score + objective.spectral * almost_fair_crps(waves, objective.alpha).mean()
        losses.append(score)
    return torch.stack(losses).mean()


FAINTEST = 1e-3
"""Of a degree's power over the mean of all: fainter degrees are taken for this strong."""


def degree_std(transform: SphericalTransform, fields: Tensor) -> Tensor:
    """Standard deviation of the coefficients of each degree of fields (batch, channel, ...): (channel, coefficient)."""
    degrees = transform.degrees.to(fields.device)
    power = transform.coefficients(fields).square().mean(0)
    sums = power.new_zeros(len(power), int(transform.degree) + 1).index_add(1, degrees, power)
    means = sums / torch.bincount(degrees)
    return (means[:, degrees] + FAINTEST * power.mean(1, keepdim=True)).sqrt()


def draw_training_noise(forecaster: Forecaster, count: int, random: StepRandom) -> Tensor:
    """Unit-variance noise for ``count`` samples."""
    numbers = forecaster.noise.shape_of_numbers(len(forecaster.channels))
    return forecaster.noise.of_normal(random.normal(count, *numbers))


def _noise_shape(forecaster: Forecaster, count: int) -> tuple[int, ...]:
    if size := forecaster.model.latent_size:
        return (count, size)
    return (count, len(forecaster.channels), *forecaster.grid.shape)


def _scaled(forecaster: Forecaster, error: Tensor, task: Task) -> Tensor:
    return error / forecaster.normalizer.tendency(task.hours)
