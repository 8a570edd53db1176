"""What a training run must remember to go on as if nothing had happened: weights, average, optimiser, step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_pipeline.errors import CheckpointError
from data_pipeline.publish import publishing
from forecast.checkpoint import one_line, read_tensors, write_tensors
from forecast.training.distributed import ALONE, gathered, shared_like

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor, nn

    from forecast.training.distributed import World
    from forecast.training.ema import MovingAverage
    from forecast.training.optimizers import Optimizers


def save_state(
    folder: Path, step: int, config_hash: str, *,
    module: nn.Module, average: MovingAverage, optimizers: Optimizers, keep: int, world: World = ALONE,
) -> None:  # fmt: skip
    """Write ``state-<step>.safetensors`` atomically and keep the last ``keep`` of them.

    It is whole, so that any number of processes can go on. All give their shares, process 0 writes.
    """
    tensors: dict[str, Tensor] = {}
    tensors |= {f"weight.{name}": value for name, value in module.state_dict().items()}
    tensors |= {f"average.{name}": value for name, value in average.weights.items()}
    tensors |= {f"optimizer.{name}": value for name, value in optimizers.tensors().items()}
    tensors = gathered(tensors, world)
    if not world.writes:
        return
    with publishing(folder / f"state-{step:07d}.safetensors") as aside:
        write_tensors(tensors, {"step": str(step), "config_sha256": config_hash}, aside)
    for old in sorted(folder.glob("state-*.safetensors"))[:-keep]:
        old.unlink()


def restore_state(
    folder: Path, config_hash: str, *, module: nn.Module, average: MovingAverage, optimizers: Optimizers
) -> int:
    """Load the newest readable state into the objects and return its step; 0 if there is none.

    A truncated state counts as absent: the one before it is taken. Tensors are copied into the memory layout
    of a run without interruption, so that a resumed one rounds alike.

    Raises
    ------
    CheckpointError
        If the state belongs to another config or another network.
    """
    for path in sorted(folder.glob("state-*.safetensors"), reverse=True):
        try:
            metadata, tensors = read_tensors(path)
        except CheckpointError:
            continue
        if metadata.get("config_sha256") != config_hash:
            raise CheckpointError(f"{path} was trained with another config; remove {folder}, or set another 'folder'")
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


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
