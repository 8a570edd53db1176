"""The random numbers of a training step: functions of (seed, step), so that a rerun resumes bit for bit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


def draw_indices(count: int, batch_size: int, seed: int, step: int) -> Tensor:
    """Sample numbers of batch ``step``: epochs are permutations of ``range(count)``, cut without a gap."""
    positions = np.arange(step * batch_size, (step + 1) * batch_size)
    orders = {int(e): np.random.default_rng([seed, int(e)]).permutation(count) for e in set(positions // count)}
    return torch.tensor([int(orders[int(position // count)][position % count]) for position in positions])


def draw_hours(hours: Sequence[int], seed: int, step: int) -> int:
    """The length of the forecast step of a batch: each of ``hours`` equally often."""
    return int(np.random.default_rng([seed, step, 1]).choice(list(hours)))


def draw_columns(count: int, seed: int, step: int) -> int:
    """By how many of ``count`` columns a batch is rolled."""
    return int(np.random.default_rng([seed, step, 2]).integers(count))


class StepRandom:
    """The normal numbers of one training step on a device, in the order in which they are asked for.

    They are drawn for all ``batch`` samples, of which ``rows`` (by default all) get theirs: what a sample gets does not
    depend on the parts that a batch is learnt in. Dropout draws from torch's global generator, which is set here too;
    its masks do depend on them.
    """

    def __init__(self, seed: int, step: int, device: torch.device, batch: int, rows: range | None = None) -> None:
        self._batch, self._rows = batch, range(batch) if rows is None else rows
        words = np.random.SeedSequence([seed, step]).generate_state(2, np.uint64) % 2**62
        self._generator = torch.Generator(device).manual_seed(int(words[0]))
        torch.manual_seed(int(words[1]) + self._rows.start)

    def normal(self, count: int, *shape: int) -> Tensor:
        """Standard normal numbers (count, *shape) of float32; ``count`` is that of the rows, once for each member."""
        whole = (count // len(self._rows), self._batch, *shape)
        numbers = torch.randn(whole, generator=self._generator, device=self._generator.device)
        return numbers[:, self._rows.start : self._rows.stop].flatten(0, 1)
