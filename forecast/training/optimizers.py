"""The optimisers of a training, and the course of their learning rate."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from forecast.training.distributed import shared_like

if TYPE_CHECKING:
    from forecast.training.config import TrainingConfig

BETAS = (0.9, 0.99)


class Optimizers:
    """AdamW for all weights, or Muon for those of layers and AdamW for the rest."""

    def __init__(self, module: nn.Module, config: TrainingConfig) -> None:
        named = [(name, value) for name, value in module.named_parameters() if value.requires_grad]
        layers = [value for name, value in named if config.optimizer == "muon" and _is_layer(name, value)]
        rest = [value for _, value in named if not any(value is layer for layer in layers)]
        self._layers = [(weight, nn.Parameter(_matrix(weight.detach(), own=True))) for weight in layers]
        self._config = config
        fused = rest[0].device.type == "cuda"
        rate, decay = config.learning_rate, config.weight_decay
        self.all: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(rest, lr=rate, betas=BETAS, weight_decay=decay, fused=fused)
        ]
        if layers:
            matrices = [matrix for _, matrix in self._layers]
            self.all.append(torch.optim.Muon(matrices, lr=rate, weight_decay=decay, adjust_lr_fn="match_rms_adamw"))

    def step(self, step: int) -> None:
        """Follow the gradients of training step ``step``, at its learning rate."""
        for weight, matrix in self._layers:
            matrix.grad = None if weight.grad is None else _matrix(weight.grad)
        for optimizer in self.all:
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step, self._config)
            optimizer.step()

    def tensors(self) -> dict[str, Tensor]:
        """All that a rerun must know, by name."""
        return {
            f"{number}.{index}.{name}": value
            for number, optimizer in enumerate(self.all)
            for index, moments in optimizer.state_dict()["state"].items()
            for name, value in moments.items()
        }

    def load(self, tensors: dict[str, Tensor]) -> None:
        """Go on from ``tensors``, copied into the memory layout of the weights, so that sums round alike."""
        for number, optimizer in enumerate(self.all):
            state: dict[int, dict[str, Tensor]] = {}
            for name, value in tensors.items():
                owner, index, moment = name.split(".")
                if int(owner) == number:
                    state.setdefault(int(index), {})[moment] = value
            optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
            for parameter, moments in optimizer.state.items():
                for name, value in moments.items():
                    if value.shape == parameter.shape:
                        moments[name] = parameter.detach().clone().copy_(shared_like(value, parameter))


def learning_rate(step: int, config: TrainingConfig) -> float:
    """A linear warm-up, then half a cosine to zero, or constant with a linear cooldown at the end."""
    warm = min(1.0, (step + 1) / max(config.warmup_steps, 1))
    if config.schedule == "cosine":
        return config.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * step / config.steps))
    left = (config.steps - step) / (config.cooldown_share * config.steps)
    return config.learning_rate * warm * min(1.0, left)


def _is_layer(name: str, value: Tensor) -> bool:
    """Of a layer inside the network: first and last ones are AdamW's (Jordan et al. 2024, Muon)."""
    return value.ndim >= 2 and not any(part in name for part in ("stem", "head.", "embedding"))


def _matrix(weight: Tensor, *, own: bool = False) -> Tensor:
    """(output, all inputs); with ``own`` the same memory, a RuntimeError unless kernels are laid out channels last."""
    if weight.ndim == 2:
        return weight
    last = weight.permute(0, 2, 3, 1)
    return last.view(len(weight), -1) if own else last.flatten(1)
