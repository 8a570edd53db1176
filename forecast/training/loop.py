"""The training loop. Every random number is a function of (seed, step), so a rerun resumes bit for bit."""

from __future__ import annotations

import math
import sys
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import torch

from data_pipeline.dataset import Request
from data_pipeline.errors import CheckpointError, ConfigError, SphercastError, listed
from data_pipeline.progress import track
from data_pipeline.publish import only_one_in
from forecast.checkpoint import load_checkpoint, provenance, save_checkpoint
from forecast.config import CHECKPOINT
from forecast.devices import computes_bfloat16
from forecast.training.distributed import ALONE, World, averaging, gathered, shard, whole
from forecast.training.ema import MovingAverage
from forecast.training.identity import is_finished, origin, provenance_of
from forecast.training.metrics import Metrics
from forecast.training.objectives import Learner, Task, crps_loss, denoising_loss, mean_loss
from forecast.training.optimizers import Optimizers, learning_rate
from forecast.training.preparing import Prepared, prepare
from forecast.training.randomness import StepRandom, draw_columns, draw_hours, draw_indices
from forecast.training.state import restore_state, save_state

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from torch import Tensor

    from data_pipeline.dataset import Sample
    from data_pipeline.joined_dataset import JoinedDataset
    from forecast.config import Experiment
    from forecast.training.config import TrainingConfig
    from forecast.turning import Turn

VALIDATION_SAMPLES = 64


def train(experiment: Experiment, *, progress: bool = True, world: World = ALONE) -> Path:
    """Train, or go on training, and return the path of the finished checkpoint. All processes of ``world`` do it.

    Where it is finished already, nothing is read and nothing learnt.

    Raises
    ------
    ConfigError
        If the batch cannot be shared out between the processes.
    DataError
        If the store is missing, or built for other channels or another grid than the experiment's.
    CheckpointError
        If the folder or the checkpoint to start from is another network's, or the folder began with other weights or
        samples.
    SphercastError
        If the loss or its gradient is not finite; the message names the step and the samples.
    """
    config, progress = experiment.training, progress and world.writes
    with _alone_in(config.folder, world):
        if _says_finished(experiment, world):
            return _with_sampler(experiment, world)
        require_equal_shares(config, world)
        with world.first_alone() if config.flat_cache else nullcontext():
            prepared = prepare(experiment, world)
        if progress:
            print(prepared.samples.describe(), file=sys.stderr)
        samples = str(len(prepared.samples))  # a store may have grown meanwhile
        run = Run.begin(prepared, config, {**origin(experiment), "samples": samples}, world)
        average = run.fit(progress=progress)
        weights, path = gathered(average.weights, world), config.folder / CHECKPOINT
        if world.writes:
            forecaster = replace(prepared.learner.forecaster, sampler=experiment.sampler)
            save_checkpoint(forecaster, path, provenance_of(experiment, run.origin), weights)
    return path


def _says_finished(experiment: Experiment, world: World) -> bool:
    """What process 0 finds, so that all do the same."""
    found = is_finished(experiment)
    return bool(world.sum(torch.tensor(float(found and world.writes))))


def _with_sampler(experiment: Experiment, world: World) -> Path:
    """The finished checkpoint, which gets the config's sampler where no weight depends on it."""
    path = experiment.training.folder / CHECKPOINT
    forecaster = load_checkpoint(path)
    if world.writes and forecaster.sampler != experiment.sampler:
        said = {key: value for key, value in provenance(path).items() if key != "sha256"}
        save_checkpoint(replace(forecaster, sampler=experiment.sampler), path, said)
    return path


@contextmanager
def _alone_in(folder: Path, world: World) -> Iterator[None]:
    """The processes together, and no others, from when process 0 has the folder until all are ready."""
    with only_one_in(folder) if world.writes else nullcontext():
        world.wait()
        yield
        world.wait()


def require_equal_shares(config: TrainingConfig, world: World) -> None:
    """Raise a ConfigError if the batch cannot be shared out between the processes."""
    if config.batch_size % (world.size * config.accumulate):
        raise ConfigError(
            f"batch_size {config.batch_size} is not a multiple of {world.size} processes x accumulate "
            f"{config.accumulate}; change one of them"
        )


def require_enough_steps(done: int, config: TrainingConfig) -> None:
    """Raise a CheckpointError if more steps are done than the config asks for."""
    if done > config.steps:
        raise CheckpointError(
            f"{config.folder} has {done} steps, the config asks for {config.steps}; raise it, or empty the folder"
        )


@dataclass(frozen=True)
class Run:
    """A training on its way: what is learnt from, and the parts that a rerun restores."""

    learner: Learner
    samples: JoinedDataset
    held_out: JoinedDataset
    config: TrainingConfig
    origin: Mapping[str, str]
    average: MovingAverage
    optimizers: Optimizers
    world: World = ALONE

    @classmethod
    def begin(cls, prepared: Prepared, config: TrainingConfig, origin: Mapping[str, str], world: World = ALONE) -> Run:
        """At the first step."""
        denoiser = prepared.learner.forecaster.denoiser
        if config.shard and world.size > 1:
            shard(denoiser.network)
        average, optimizers = MovingAverage(denoiser, config.ema_steps), Optimizers(denoiser, config)
        return cls(*prepared, config, origin, average, optimizers, world)

    @property
    def denoiser(self) -> torch.nn.Module:
        """What is trained."""
        return self.learner.forecaster.denoiser

    def fit(self, *, progress: bool) -> MovingAverage:
        """Make the steps that are still to be made, and return the averaged weights."""
        config = self.config
        done = self._restore()
        metrics = Metrics(config.folder, done, tensorboard=config.tensorboard) if self.world.writes else None
        self.denoiser.train()
        steps = range(done, config.steps)
        shown = track(steps, "training", "step", start=done, total=config.steps, enabled=progress)
        last: tuple[int, Tensor, Tensor] | None = None
        for step, batch in zip(shown, self.samples.batches(map(self._request, steps)), strict=True):
            loss, norm = self._update(batch, step)
            self.average.update(self.denoiser, step + 1)
            if last:
                self._require_finite(*last)
            last = step, loss, norm
            if (step + 1) % config.log_every == 0:
                self._require_finite(*last)
                if metrics:
                    metrics.add(step + 1, loss=loss, gradient_norm=norm, learning_rate=learning_rate(step, config))
            if (step + 1) % config.save_every == 0 or step + 1 == config.steps:
                self._require_finite(*last)
                validation_loss = self._finite_validation_loss(step + 1)
                if metrics:
                    metrics.add(step + 1, validation_loss=validation_loss)
                self._save(step + 1)
        return self.average

    def _restore(self) -> int:
        folder = self.config.folder
        done = restore_state(
            folder, self.origin, module=self.denoiser, average=self.average, optimizers=self.optimizers
        )
        require_enough_steps(done, self.config)
        if self.world.sum(torch.tensor(float(done))) != done * self.world.size:
            raise CheckpointError(
                f"process {self.world.rank} found {done} steps in {folder}, another process others; "
                "put it on a disk that all processes see"
            )
        return done

    def _save(self, done: int) -> None:
        save_state(
            self.config.folder, done, self.origin, module=self.denoiser, average=self.average,
            optimizers=self.optimizers, keep=self.config.keep, world=self.world,
        )  # fmt: skip

    def _request(self, step: int) -> Request:
        """Steps of other lengths are learnt one at a time: the state before a second step would be missing."""
        config, model = self.config, self.learner.forecaster.model
        own = self.world.rows(config.batch_size)
        indices = draw_indices(len(self.samples), config.batch_size, config.seed, step)[own.start : own.stop]
        if not model.other_step_hours:
            return Request(indices, config.rollout_at(step))
        hours = draw_hours((model.step_hours, *model.other_step_hours), config.seed, step)
        return Request(indices, config.rollout_at(step)) if hours == model.step_hours else Request(indices, 1, hours)

    def _update(self, batch: Sample, step: int) -> tuple[Tensor, Tensor]:
        """The loss of a step, and the norm of its gradients before they are cut."""
        config, own = self.config, self.world.rows(self.config.batch_size)
        task = Task(batch, self._static(len(own)), self._request(step).hours, self._turn(own, step))
        device, size = batch.current.device, len(own) // config.accumulate
        total = torch.zeros((), device=device)
        for start in range(0, len(own), size):
            random = StepRandom(config.seed, step, device, config.batch_size, own[start : start + size])
            loss = self._shared_loss(task.rows(start, start + size), random) / config.accumulate
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.detach()
        norm = whole(torch.nn.utils.clip_grad_norm_(self.denoiser.parameters(), config.clip_norm))
        self.optimizers.step(step)
        self.denoiser.zero_grad(set_to_none=True)
        return self.world.sum(total) / self.world.size, norm

    def _turn(self, rows: range, step: int) -> Turn | None:
        """How the ``rows`` of a batch are turned."""
        config, forecaster = self.config, self.learner.forecaster
        if not (config.mirror or config.rotate):
            return None
        numbers = torch.arange(rows.start, rows.stop, device=forecaster.static.device) + step * config.batch_size
        every_second = numbers % 2 == 1
        columns = draw_columns(forecaster.grid.shape[1], config.seed, step) if config.rotate else 0
        return forecaster.turn(every_second & config.mirror, torch.full_like(every_second, columns, dtype=torch.long))

    @cached_property
    def _shared_loss(self) -> Callable[[Task, StepRandom], Tensor]:
        """``loss``, whose gradients are those of all processes."""
        alone_or_sharded = self.world.size == 1 or self.config.shard
        return self.loss if alone_or_sharded else averaging(self.denoiser, self.loss)

    def _static(self, count: int) -> Tensor:
        static = self.learner.forecaster.static
        return static.expand(count, *static.shape)

    def loss(self, task: Task, random: StepRandom) -> Tensor:
        """What the stage minimises."""
        objective, device = self.config.objective, task.static.device
        half = self.config.bfloat16 and computes_bfloat16(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            if objective.kind == "denoising":
                return denoising_loss(self.learner, task, random)
            if objective.kind == "mean":
                return mean_loss(self.learner, task, objective)
            return crps_loss(self.learner, task, objective, random)

    @torch.no_grad()
    @torch.compiler.set_stance("force_eager")  # type: ignore[untyped-decorator]
    def validation_loss(self) -> float:
        """The loss of the averaged weights on evenly spaced samples of the validation period, always the same noise.

        A process without rows of a part computes one all the same: sharded weights are fetched by all at once.
        """
        denoiser, config = self.denoiser, self.config
        current = {name: value.clone() for name, value in denoiser.state_dict().items()}
        denoiser.load_state_dict(self.average.weights)
        denoiser.eval()
        indices = torch.linspace(0, len(self.held_out) - 1, min(VALIDATION_SAMPLES, len(self.held_out))).long()
        losses = []
        for number, part in enumerate(torch.split(indices, config.batch_size)):
            own = self.world.rows(len(part))
            rows = own or range(1)
            batch = self.held_out.batch(Request(part[rows.start : rows.stop]))
            random = StepRandom(config.seed, 2**31 + number, batch.current.device, len(part), rows)
            losses.append(len(own) * self.loss(Task(batch, self._static(len(rows))), random))
        denoiser.load_state_dict(current)
        denoiser.train()
        return float(self.world.sum(torch.stack(losses).sum()) / len(indices))

    def _finite_validation_loss(self, done: int) -> float:
        loss: float = self.validation_loss()
        if not math.isfinite(loss):
            found = f"the validation loss is {loss:g} after {done} steps"
            raise SphercastError(f"{found}; lower learning_rate, or look at the data of validation_period")
        return loss

    def _require_finite(self, step: int, loss: Tensor, norm: Tensor) -> None:
        """Asked one step late, so that a GPU has work while its answer is on the way."""
        value, slope = torch.stack([loss, norm]).tolist()
        if math.isfinite(value) and math.isfinite(slope):
            return
        indices = draw_indices(len(self.samples), self.config.batch_size, self.config.seed, step)
        named = listed((self.samples.time(int(i)) for i in indices), most=5)
        found = f"the loss is {value:g} and its gradient {slope:g}"
        raise SphercastError(f"{found} at step {step}, samples starting at {named}; lower learning_rate")
