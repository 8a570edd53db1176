"""Activations that are computed again in the backward pass instead of being kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.utils.checkpoint import checkpoint

if TYPE_CHECKING:
    from torch import Tensor, nn


def run(block: nn.Module, *inputs: Any, recompute: bool) -> Tensor:
    """The output of a block; with ``recompute``, of what is inside nothing is kept for the backward pass."""
    kept = not (recompute and torch.is_grad_enabled())
    output: Tensor = block(*inputs) if kept else checkpoint(block, *inputs, use_reentrant=False)
    return output
