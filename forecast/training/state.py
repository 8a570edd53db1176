"""What a training run must remember to go on as if nothing had happened: weights, average, optimiser, step."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from safetensors import SafetensorError, safe_open

from data_pipeline.errors import CheckpointError
from data_pipeline.publish import publishing
from forecast.checkpoint import one_line, read_tensors, write_tensors
from forecast.differences import difference, in_words
from forecast.training.distributed import ALONE, gathered, shared_like

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor, nn

    from forecast.training.distributed import World
    from forecast.training.ema import MovingAverage
    from forecast.training.optimizers import Optimizers


def save_state(
    folder: Path, step: int, origin: Mapping[str, str], *,
    module: nn.Module, average: MovingAverage, optimizers: Optimizers, keep: int, world: World = ALONE,
) -> None:  # fmt: skip
    """Write ``state-<step>.safetensors`` atomically and keep the last ``keep`` of them.

    It is whole, so that any number of processes can go on. All give their shares, process 0 writes. States of later
    steps were damaged, or this step would not be made again; they and other damaged ones are removed.
    """
    tensors: dict[str, Tensor] = {}
    tensors |= {f"weight.{name}": value for name, value in module.state_dict().items()}
    tensors |= {f"average.{name}": value for name, value in average.weights.items()}
    tensors |= {f"optimizer.{name}": value for name, value in optimizers.tensors().items()}
    tensors = gathered(tensors, world)
    if not world.writes:
        return
    path = folder / f"state-{step:07d}.safetensors"
    with publishing(path) as aside:
        write_tensors(tensors, {"step": str(step), **origin}, aside)
    good = [old for old in _states(folder) if old.name <= path.name and _metadata(old) is not None]
    for old in set(_states(folder)) - set(good[-keep:]):
        old.unlink()


def restore_state(
    folder: Path, origin: Mapping[str, str], *, module: nn.Module, average: MovingAverage, optimizers: Optimizers
) -> int:
    """Load the newest readable state into the objects and return its step; 0 if there is none.

    A truncated state counts as absent: the one before it is taken. Tensors are copied into the memory layout
    of a run without interruption, so that a resumed one rounds alike.

    Raises
    ------
    CheckpointError
        If the state belongs to another config, network or number of samples, or began with other weights.
    """
    for path in reversed(_states(folder)):
        try:
            metadata, tensors = read_tensors(path)
        except CheckpointError:
            continue
        require_same_origin(metadata, origin, path)
        try:
            own = module.state_dict()
            weights = _part(tensors, "weight.").items()
            module.load_state_dict({name: shared_like(value, own.get(name)) for name, value in weights})
            average.load(_part(tensors, "average."))
        except (RuntimeError, KeyError) as error:
            raise CheckpointError(f"{path} is of another network ({one_line(error)}); remove {folder}") from error
        optimizers.load(_part(tensors, "optimizer."))
        return int(metadata["step"])
    return 0


def newest_state(folder: Path) -> tuple[Path, dict[str, str]] | None:
    """The path and what it says of itself; None if no state can be read."""
    for path in reversed(_states(folder)):
        if (metadata := _metadata(path)) is not None:
            return path, metadata
    return None


def require_same_origin(found: Mapping[str, str], origin: Mapping[str, str], path: Path) -> None:
    """Raise a CheckpointError if what ``path`` says of its config, its start and its samples is not what is there."""
    folder = path.parent
    if found.get("config_sha256") != origin["config_sha256"]:
        raise CheckpointError(
            f"{path} was trained with another config{_other(found, origin)}; remove {folder}, or set another 'folder'"
        )
    if "start_sha256" in origin and found.get("start_sha256") != origin["start_sha256"]:
        raise CheckpointError(
            f"{path} began with other weights than training.start has now; remove {folder} to train it anew from these"
        )
    if "samples" in origin and found.get("samples") != origin["samples"]:
        raise CheckpointError(
            f"{path} was learnt from {found.get('samples')} samples, the stores hold {origin['samples']} now; remove "
            f"{folder} to learn from these, or put the stores back"
        )


def _other(found: Mapping[str, str], origin: Mapping[str, str]) -> str:
    """What is other, where that is known."""
    if "config" not in found or "config" not in origin:
        return ""
    place, old, new = difference("", *(json.loads(each["config"]) for each in (found, origin)))
    return f": {place.removeprefix(', ').replace(', ', '.')} was {in_words(old)}, now {in_words(new)}"


def _states(folder: Path) -> list[Path]:
    """By their steps."""
    return sorted(folder.glob("state-*.safetensors"))


def _metadata(path: Path) -> dict[str, str] | None:
    """None if the file is truncated: its length does not fit its header."""
    try:
        with safe_open(path, framework="pt") as file:
            return dict(file.metadata() or {})
    except (SafetensorError, OSError):
        return None


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
