"""The training loop. Every random number is a function of (seed, step), so a rerun resumes bit for bit."""

from __future__ import annotations

import hashlib
import json
import math
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING, TypedDict

import numpy as np
import torch

from data_pipeline.dataset import Sample, StoreDataset
from data_pipeline.errors import CheckpointError, DataError, SphercastError
from data_pipeline.progress import track
from data_pipeline.publish import only_one_in, write_text
from data_pipeline.store import TrainingStore, open_store
from forecast.checkpoint import save_checkpoint
from forecast.forecaster import Forecaster, static_features
from forecast.normalizer import Normalizer
from forecast.training.ema import MovingAverage
from forecast.training.state import restore_state, save_state

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from forecast.config import Experiment, TrainingConfig


class Parts(TypedDict):
    """What of a run its state holds."""

    module: torch.nn.Module
    average: MovingAverage
    optimizer: torch.optim.Optimizer


VALIDATION_SAMPLES = 64


def train(experiment: Experiment, *, progress: bool = True) -> Path:
    """Train, or go on training, and return the path of the finished checkpoint.

    Raises
    ------
    DataError
        If the store is missing, or built for other channels or another grid than the experiment's.
    SphercastError
        If the loss is not finite; the message names the step and the samples.
    """
    config = experiment.training
    store = open_store(experiment.data.store)
    forecaster = _untrained(experiment, store)
    step_length = forecaster.step_length
    samples = StoreDataset(store, experiment.data.training_period, step_length, flat_cache=config.flat_cache)
    if progress:
        print(samples.describe(), file=sys.stderr)
    held_out = StoreDataset(store, config.validation_period, step_length)
    path = config.folder / "checkpoint.safetensors"
    with only_one_in(config.folder):
        average = _fit(forecaster, samples, held_out, config, _digest(experiment), progress=progress)
        forecaster.denoiser.load_state_dict(average.weights)
        save_checkpoint(forecaster, path, _provenance(experiment))
    return path


def _untrained(experiment: Experiment, store: TrainingStore) -> Forecaster:
    channels = experiment.data.channels
    if store.channels != channels:
        raise DataError(f"{store.path} holds {store.channels.names}, the config asks for {channels.names}; rebuild it")
    grid = experiment.data.grid.build()
    if not store.grid.matches(grid):
        raise DataError(f"{store.path} is on the {store.grid}, the config asks for the {grid}; rebuild it")
    torch.manual_seed(experiment.training.seed)
    normalizer = Normalizer.of(store.statistics, experiment.model.step_hours)
    static = static_features(store.static[1], store.grid)
    return Forecaster.create(
        channels, store.grid, normalizer=normalizer, static=static, model=experiment.model, sampler=experiment.sampler
    )


def _fit(
    forecaster: Forecaster, samples: StoreDataset, held_out: StoreDataset, config: TrainingConfig, digest: str, *,
    progress: bool,
) -> MovingAverage:  # fmt: skip
    denoiser = forecaster.denoiser.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(
        denoiser.parameters(), lr=config.learning_rate, betas=(0.9, 0.99), weight_decay=config.weight_decay
    )
    average = MovingAverage(denoiser, config.ema_steps)
    parts: Parts = {"module": denoiser, "average": average, "optimizer": optimizer}
    done = restore_state(config.folder, digest, **parts)
    if done > config.steps:
        folder = config.folder
        raise CheckpointError(
            f"{folder} has {done} steps, the config asks for {config.steps}; raise it, or empty the folder"
        )
    denoiser.train()
    steps = range(done, config.steps)
    batches = samples.batches(draw_indices(len(samples), config.batch_size, config.seed, step) for step in steps)
    shown = track(steps, "training", "step", start=done, total=config.steps, enabled=progress)
    for step, batch in zip(shown, batches, strict=True):
        loss = _update(forecaster, batch, optimizer, config, step)
        if not math.isfinite(loss):
            indices = draw_indices(len(samples), config.batch_size, config.seed, step)
            named = ", ".join(str(samples.times[int(i)]) for i in indices)
            raise SphercastError(f"the loss is {loss} at step {step}, samples starting at {named}; lower learning_rate")
        average.update(denoiser, step + 1)
        if (step + 1) % config.save_every == 0 or step + 1 == config.steps:
            _log(config.folder, step + 1, loss, validation_loss(forecaster, held_out, average, config))
            save_state(config.folder, step + 1, digest, **parts)
    return average


def draw_indices(count: int, batch_size: int, seed: int, step: int) -> Tensor:
    """Sample numbers of batch ``step``: epochs are permutations of ``range(count)``, cut without a gap."""
    positions = np.arange(step * batch_size, (step + 1) * batch_size)
    orders = {int(e): np.random.default_rng([seed, int(e)]).permutation(count) for e in set(positions // count)}
    return torch.tensor([int(orders[int(position // count)][position % count]) for position in positions])


def _update(
    forecaster: Forecaster, batch: Sample, optimizer: torch.optim.Optimizer, config: TrainingConfig, step: int
) -> float:
    for group in optimizer.param_groups:
        group["lr"] = config.learning_rate * _schedule(step, config)
    loss = batch_loss(forecaster, batch, seed=config.seed, step=step, bfloat16=config.bfloat16, mirror=config.mirror)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(forecaster.denoiser.parameters(), config.clip_norm)
    optimizer.step()
    return loss.item()


def batch_loss(
    forecaster: Forecaster, batch: Sample, *, seed: int, step: int, bfloat16: bool, mirror: bool = False
) -> Tensor:
    """The denoising loss of one batch, with the noise and noise levels that belong to (seed, step)."""
    generator = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, step])))
    torch.manual_seed(int(generator.integers(2**31)))
    count, channels = batch.current.shape[:2]
    noise = forecaster.noise.draw([generator], count * channels).reshape(batch.current.shape)
    normal = torch.from_numpy(generator.standard_normal(count, dtype=np.float32))
    s = forecaster.denoiser.process.draw_noise_levels(normal)
    condition = forecaster.condition(batch.previous, batch.current, batch.forcings)
    clean = forecaster.normalizer.increment(batch.current, batch.following)
    if mirror:
        clean, condition = _mirror_every_second(forecaster, clean, condition)
    weights = torch.as_tensor(forecaster.grid.area_weights(), dtype=torch.float32)[:, None]
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        return forecaster.denoiser.loss(clean, noise, s, condition, weights)


def _mirror_every_second(forecaster: Forecaster, clean: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
    """With north and south exchanged; signs turn scaled fields, as those that have one have a mean near nought."""
    clean, condition = clean.clone(), condition.clone()
    for fields, sign in zip((clean, condition), forecaster.mirror_signs(), strict=True):
        fields[1::2] = fields[1::2].flip(-2) * sign
    return clean, condition


@torch.no_grad()
def validation_loss(
    forecaster: Forecaster, held_out: StoreDataset, average: MovingAverage, config: TrainingConfig
) -> float:
    """The loss of the averaged weights on evenly spaced samples of the validation period, always the same noise."""
    denoiser = forecaster.denoiser
    current = {name: value.clone() for name, value in denoiser.state_dict().items()}
    denoiser.load_state_dict(average.weights)
    denoiser.eval()
    indices = torch.linspace(0, len(held_out) - 1, min(VALIDATION_SAMPLES, len(held_out))).long()
    losses = [
        len(part)
        * batch_loss(forecaster, held_out.batch(part), seed=config.seed, step=2**31 + number, bfloat16=config.bfloat16)
        for number, part in enumerate(torch.split(indices, config.batch_size))
    ]
    denoiser.load_state_dict(current)
    denoiser.train()
    return float(torch.stack(losses).sum() / len(indices))


def _schedule(step: int, config: TrainingConfig) -> float:
    """Linear warm-up, then half a cosine to zero."""
    warm = min(1.0, (step + 1) / max(config.warmup_steps, 1))
    return warm * 0.5 * (1 + math.cos(math.pi * step / config.steps))


def _log(folder: Path, step: int, loss: float, validation: float) -> None:
    """Add a line; those of steps that a resumed run repeats are replaced."""
    path = folder / "metrics.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    kept = [line for line in lines if json.loads(line)["step"] < step]
    kept.append(json.dumps({"step": step, "loss": round(loss, 6), "validation_loss": round(validation, 6)}))
    write_text(path, "\n".join(kept) + "\n")


def _digest(experiment: Experiment) -> str:
    """What a resumed run must share with the one before: all but where it lies and how long it goes on."""
    free = {"training": {"flat_cache", "folder", "steps", "save_every"}}
    return hashlib.sha256(experiment.model_dump_json(exclude=free).encode()).hexdigest()


def _provenance(experiment: Experiment) -> dict[str, str]:
    period = experiment.data.training_period
    return {
        "trained_on": f"{experiment.data.store.name}, {period.start} to {period.stop}",
        "config_sha256": _digest(experiment),
        "sphercast_version": version("sphercast"),
        "torch_version": torch.__version__,
    }
