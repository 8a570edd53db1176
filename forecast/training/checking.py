"""What would stop a training at its beginning, found before the first of several stages takes its hours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from data_pipeline.dataset import StoreDataset
from data_pipeline.errors import CheckpointError, DataError, SphercastError, listed
from data_pipeline.times import HOUR
from forecast.config import CHECKPOINT
from forecast.training.distributed import ALONE, choose_own_device
from forecast.training.identity import is_finished, origin
from forecast.training.loop import require_enough_steps, require_equal_shares
from forecast.training.metrics import board_writer
from forecast.training.preparing import begin_with, open_fitting, reach_of, untrained, whole
from forecast.training.state import newest_state, require_same_origin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from data_pipeline.config import Period
    from data_pipeline.store import TrainingStore
    from forecast.config import Experiment
    from forecast.training.distributed import World

    Shapes = dict[str, torch.Size]


def check(stages: Mapping[str, Experiment], world: World = ALONE) -> None:
    """Check all stages that are not finished, by name and in their order, without reading any state of the weather.

    Raises
    ------
    ConfigError, DataError, CheckpointError
        As ``train`` would for one of them later; the message begins with the stage, if there are several.
    """
    to_come: dict[str, tuple[str, Shapes]] = {}
    for name, experiment in stages.items():
        try:
            if not is_finished(experiment):
                shapes = _checked(experiment, world, to_come)
                to_come[str(experiment.training.folder / CHECKPOINT)] = name, shapes
        except SphercastError as error:
            raise type(error)(f"stage {name}: {error}" if len(stages) > 1 else str(error)) from error


def planned(stages: Mapping[str, Experiment]) -> list[str]:
    """A line for each stage: what it learns, how much of it is done, and where it goes."""
    return [f"{name}: {_plan(experiment)}" for name, experiment in stages.items()]


def _plan(experiment: Experiment) -> str:
    config, state = experiment.training, newest_state(experiment.training.folder)
    done = "finished" if is_finished(experiment) else f"{state[1]['step'] if state else 0} done"
    return f"{config.steps} batches of {config.batch_size}, {config.objective.kind}, {done}, in {config.folder}"


def _checked(experiment: Experiment, world: World, to_come: Mapping[str, tuple[str, Shapes]]) -> Shapes:
    """Those of the weights; the start is one of the checkpoints ``to_come``, or there already."""
    config = experiment.training
    require_equal_shares(config, world)
    choose_own_device(config.device, world)
    if config.tensorboard:
        board_writer()
    store, samples = _checked_store(experiment)
    forecaster = untrained(experiment, store)
    shapes = {name: value.shape for name, value in forecaster.denoiser.state_dict().items()}
    shapes["model.damped"] = torch.Size([experiment.model.damped])  # other increments are another network's too
    if state := newest_state(config.folder):
        require_same_origin(state[1], {**origin(experiment), "samples": str(samples)}, state[0])
        require_enough_steps(int(state[1]["step"]), config)
    elif config.start and config.start in to_come:
        _require_same(shapes, *to_come[config.start])
    elif config.start:
        begin_with(forecaster, config.start)
    return shapes


def _checked_store(experiment: Experiment) -> tuple[TrainingStore, int]:
    """The first of the stores, all of which have what is asked of them, and how many samples all have."""
    data, config = experiment.data, experiment.training
    store, *more = (open_fitting(path, experiment) for path in (data.store, *config.more_stores))
    step, reach = experiment.model.step_hours * HOUR, reach_of(experiment)
    for period in (data.training_period, config.validation_period):
        _require_inside(period, store)
    periods = [(store, data.training_period), *((each, whole(each)) for each in more)]
    samples = sum(len(StoreDataset(each, period, step, reach=reach, residence="disk")) for each, period in periods)
    StoreDataset(store, config.validation_period, step, residence="disk")
    return store, samples


def _require_inside(period: Period, store: TrainingStore) -> None:
    """Its ends may lie between the times of the store and the ones that would be next."""
    begin, end = period.bounds()
    if begin <= store.times[0] - store.interval or end >= store.times[-1] + store.interval:
        held = f"{store.times[0].astype('datetime64[h]')} to {store.times[-1].astype('datetime64[h]')}"
        raise DataError(
            f"the period {period.start}..{period.stop} is partly outside {store.path}, which holds {held}; "
            "shorten it, or build a longer store"
        )


def _require_same(shapes: Shapes, start: str, others: Shapes) -> None:
    different = [name for name in shapes | others if shapes.get(name) != others.get(name)]
    if different:
        raise CheckpointError(
            f"it starts with stage {start}, whose network is another ({listed(different)}); give both the same model"
        )
