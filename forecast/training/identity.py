"""What a training is known by, wherever its files lie: its config, the weights it began with, what it has left."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from importlib.metadata import version
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import torch

from data_pipeline.errors import CheckpointError, FormatError
from forecast.checkpoint import find_checkpoint, provenance, read_tensors
from forecast.config import CHECKPOINT
from forecast.training.state import newest_state, require_same_origin

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from forecast.config import Experiment

FREE = {
    "flat_cache", "folder", "steps", "save_every", "log_every", "keep", "residence", "device", "compile",
    "checkpointing", "shard", "tensorboard",
}  # fmt: skip
"""What a resumed run may change: where it lies and runs, and how long it goes on."""
UNLEARNT = {"inflation", "turned"}
"""Of the sampler, what members are given when they have learnt."""


def digest(experiment: Experiment) -> str:
    """The sha256 of ``decisive``."""
    return hashlib.sha256(decisive(experiment).encode()).hexdigest()


def decisive(experiment: Experiment) -> str:
    """All in the config that the weights depend on, as JSON; of files, only the names.

    The sampler makes no difference but to the CRPS, and there what is UNLEARNT does not. The start is known by its
    weights, see ``origin``.
    """
    sampled = experiment.training.objective.kind == "crps"
    left_out: dict[str, Any] = {"stages": True, "training": FREE, "sampler": UNLEARNT if sampled else True}
    values = experiment.model_dump(mode="json", exclude=left_out)
    data, training = values["data"], values["training"]
    data["store"] = _name(data["store"])
    data["sources"] = [
        {key: _name(value) if key.endswith("path") and value else value for key, value in source.items()}
        for source in data["sources"]
    ]
    training["more_stores"] = [_name(path) for path in training["more_stores"]]
    training["start"] = training["start"] is not None
    return json.dumps(values, sort_keys=True)


def _name(path: str) -> str:
    return PurePath(path).name


def origin(experiment: Experiment) -> dict[str, str]:
    """The config and its sha256, and that of the weights to start from.

    The latter is what the newest state says where that checkpoint is gone or damaged; it is left out where nothing says
    it.
    """
    config = experiment.training
    known = {"config": decisive(experiment), "config_sha256": digest(experiment)}
    path = find_checkpoint(config.start) if config.start else None
    if path:
        with suppress(CheckpointError):
            return {**known, "start_sha256": weights_sha256(path)}
    state = newest_state(config.folder)
    recorded = state[1].get("start_sha256") if path and state else None
    return {**known, "start_sha256": recorded} if recorded else known


def weights_sha256(path: Path) -> str:
    """Of a checkpoint's weights, names and values; not of its sampler or its provenance."""
    _, tensors = read_tensors(path)
    found = hashlib.sha256()
    for name in sorted(name for name in tensors if name.startswith("weight.")):
        found.update(name.encode())
        found.update(tensors[name].reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()


def is_finished(experiment: Experiment) -> bool:
    """Whether the folder holds the finished checkpoint of this training; a truncated one counts as absent.

    Raises
    ------
    CheckpointError
        If the checkpoint is another training's, or of another version of sphercast, or has more steps than are asked
        for, or fewer and no state.
    """
    config = experiment.training
    path = config.folder / CHECKPOINT
    try:
        said = provenance(path)
    except FormatError as error:
        raise FormatError(f"{str(error).split(';', 1)[0]}; remove {config.folder}, or set another 'folder'") from error
    except CheckpointError:
        return False
    require_same_origin(said, origin(experiment), path)
    done = int(said["steps"])
    if done == config.steps:
        return True
    if done > config.steps or newest_state(config.folder) is None:
        hint = "raise it, or" if done > config.steps else "its states are gone:"
        raise CheckpointError(f"{path} has {done} steps, the config asks for {config.steps}; {hint} empty the folder")
    return False


def provenance_of(experiment: Experiment, origin: Mapping[str, str]) -> dict[str, str]:
    """Where a finished checkpoint comes from, in words; ``origin`` is that of its first step."""
    period, config = experiment.data.training_period, experiment.training
    more = "".join(f", {store.name}" for store in config.more_stores)
    return {
        "trained_on": f"{experiment.data.store.name}, {period.start} to {period.stop}{more}",
        "objective": config.objective.kind,
        "steps": str(config.steps),
        **origin,
        "sphercast_version": version("sphercast"),
        "torch_version": torch.__version__,
    }
