"""What a training run must remember to go on as if nothing had happened: weights, average, optimiser, step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_pipeline.errors import CheckpointError
from data_pipeline.publish import publishing
from forecast.checkpoint import one_line, read_tensors, write_tensors

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from torch import Tensor, nn

    from forecast.training.ema import MovingAverage

KEPT = 2


def save_state(
    folder: Path, step: int, config_hash: str, *,
    module: nn.Module, average: MovingAverage, optimizer: torch.optim.Optimizer,
) -> None:  # fmt: skip
    """Write ``state-<step>.safetensors`` atomically and keep the last two."""
    tensors: dict[str, Tensor] = {}
    tensors |= {f"weight.{name}": value for name, value in module.state_dict().items()}
    tensors |= {f"average.{name}": value for name, value in average.weights.items()}
    for index, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": value for name, value in moments.items()}
    with publishing(folder / f"state-{step:07d}.safetensors") as aside:
        write_tensors(tensors, {"step": str(step), "config_sha256": config_hash}, aside)
    for old in sorted(folder.glob("state-*.safetensors"))[:-KEPT]:
        old.unlink()


def restore_state(
    folder: Path, config_hash: str, *, module: nn.Module, average: MovingAverage, optimizer: torch.optim.Optimizer
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
            module.load_state_dict(_part(tensors, "weight."))
            average.load(_part(tensors, "average."))
        except (RuntimeError, KeyError) as error:
            raise CheckpointError(f"{path} is of another network ({one_line(error)}); remove {folder}") from error
        _restore_optimizer(optimizer, _part(tensors, "optimizer."))
        return int(metadata["step"])
    return 0


def _restore_optimizer(optimizer: torch.optim.Optimizer, flat: dict[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in flat.items():
        index, _, moment = name.partition(".")
        state.setdefault(int(index), {})[moment] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    for parameter, moments in optimizer.state.items():
        for name, value in moments.items():
            if value.shape == parameter.shape:
                moments[name] = parameter.detach().clone().copy_(value)


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
