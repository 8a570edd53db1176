"""What a training begins with: the forecaster, on its device, and the samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from data_pipeline.config import Period
from data_pipeline.dataset import StoreDataset
from data_pipeline.errors import CheckpointError, DataError
from data_pipeline.joined_dataset import JoinedDataset
from data_pipeline.store import TrainingStore, open_store
from data_pipeline.times import HOUR
from forecast.checkpoint import find_checkpoint, load_checkpoint, one_line
from forecast.config import CHECKPOINT
from forecast.forecaster import Forecaster, static_features
from forecast.networks.dropout import share_dropout
from forecast.normalizer import Normalizer
from forecast.training.climate import wave_stds, with_climate
from forecast.training.distributed import ALONE, choose_own_device
from forecast.training.objectives import Learner
from forecast.training.state import newest_state

if TYPE_CHECKING:
    from pathlib import Path

    from data_pipeline.residence import Residence
    from forecast.config import Experiment
    from forecast.denoiser import Denoiser
    from forecast.training.distributed import World


class Prepared(NamedTuple):
    """A forecaster that is to learn, samples to learn from, and samples held out."""

    learner: Learner
    samples: JoinedDataset
    held_out: JoinedDataset


def prepare(experiment: Experiment, world: World = ALONE) -> Prepared:
    """Open the stores and make the forecaster; errors as of ``train``."""
    config = experiment.training
    device = choose_own_device(config.device, world)
    stores = [open_fitting(path, experiment) for path in (experiment.data.store, *config.more_stores)]
    forecaster = untrained(experiment, stores[0])
    if config.start and newest_state(config.folder) is None:
        begin_with(forecaster, config.start)
    forecaster = forecaster.to(device)
    forecaster.denoiser.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    share_dropout(forecaster.denoiser, config.objective.members if config.objective.kind == "crps" else 1)
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = True
    forecaster.denoiser.network.recompute = config.checkpointing  # type: ignore[assignment]
    if config.compile:
        forecaster.denoiser.network.compile()
    weights = torch.as_tensor(forecaster.grid.area_weights(), dtype=torch.float32, device=device)[:, None]
    residence: Residence | None = config.residence or ("device" if device.type == "cuda" else None)
    reach = reach_of(experiment)

    def dataset(store: TrainingStore, period: Period | None) -> StoreDataset:
        return StoreDataset(
            store, period or whole(store), forecaster.step_length, reach=reach, residence=residence,
            device=device, flat_cache=config.flat_cache if period else None,
        )  # fmt: skip

    parts = [dataset(store, experiment.data.training_period if store is stores[0] else None) for store in stores]
    held_out = StoreDataset(stores[0], config.validation_period, forecaster.step_length, device=device)
    samples = JoinedDataset(parts)
    if experiment.model.damped:
        forecaster = with_climate(forecaster, samples)
    spectral = config.objective.kind == "crps" and config.objective.spectral > 0
    wave_std = wave_stds(forecaster, samples) if spectral else {}
    learner = Learner(forecaster, weights, wave_std)
    return Prepared(learner, samples, JoinedDataset([held_out]))


def reach_of(experiment: Experiment) -> np.timedelta64:
    """From the state now to the last one that a sample needs."""
    model, longest = experiment.model, experiment.training.longest_rollout
    return max(model.step_hours * longest, *model.other_step_hours, 0) * HOUR


def whole(store: TrainingStore) -> Period:
    """All of its times."""
    first, last = (np.datetime_as_string(time, unit="s") for time in store.times[[0, -1]])
    return Period(start=first, stop=last)


def open_fitting(path: Path, experiment: Experiment) -> TrainingStore:
    """The store, or a DataError if it is missing or not of the experiment's channels and grid."""
    store = open_store(path)
    channels, grid = experiment.data.channels, experiment.data.grid.build()
    if store.channels != channels:
        raise DataError(f"{store.path} holds {store.channels.names}, the config asks for {channels.names}; rebuild it")
    if not store.grid.matches(grid):
        raise DataError(f"{store.path} is on the {store.grid}, the config asks for the {grid}; rebuild it")
    return store


def untrained(experiment: Experiment, store: TrainingStore) -> Forecaster:
    """With the first weights; errors as of ``Normalizer.of`` and ``Forecaster.create``."""
    torch.manual_seed(experiment.training.seed)
    model = experiment.model
    normalizer = Normalizer.of(store.statistics, model.step_hours, model.other_step_hours)
    static = static_features(store.static[1], store.grid)
    sampler = experiment.sampler.model_copy(update={"inflation": 1.0, "turned": False})  # for finished ones only
    return Forecaster.create(
        store.channels, store.grid, normalizer=normalizer, static=static, model=model, sampler=sampler
    )


def begin_with(forecaster: Forecaster, start: str) -> None:
    """Take the weights of another stage or checkpoint.

    Its channels, grid and network must be the same, or a CheckpointError says what is not. Its step lengths and
    statistics may be others.
    """
    path = find_checkpoint(start)
    if path.name == CHECKPOINT and not path.exists():
        raise CheckpointError(f"no checkpoint at {path} to start from; train stage {path.parent.name} first")
    found, expected = load_checkpoint(path), forecaster.channels
    if found.channels != expected:
        raise CheckpointError(
            f"{path} is of {found.channels.names}, the config asks for {expected.names}; set another training.start"
        )
    if not found.grid.matches(forecaster.grid):
        raise CheckpointError(
            f"{path} is on the {found.grid}, the config asks for the {forecaster.grid}; set another training.start"
        )
    if found.model.damped != forecaster.model.damped:
        raise CheckpointError(
            f"{path} has model.damped {found.model.damped}, the config {forecaster.model.damped}: its increments start "
            "from other states; set another training.start, or model.damped"
        )
    try:
        forecaster.denoiser.load_state_dict(found.denoiser.state_dict())
    except RuntimeError as error:
        reason = one_line(error)
        raise CheckpointError(f"{path} is of another network ({reason}); set another training.start") from error
    if _sign(found.denoiser) != _sign(forecaster.denoiser):
        for name, value in forecaster.denoiser.network.named_parameters():
            if name.startswith("head."):
                value.data.neg_()


def _sign(denoiser: Denoiser) -> float:
    """Of the clean estimate in the network's output, from noise alone: flow matching's is noise less data."""
    s = torch.tensor([denoiser.process.largest_noise_level])
    return float(denoiser.process.coefficients(s).c_out.sign())
