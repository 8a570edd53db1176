"""Worlds that the equations of motion do not tell from each other: the other way up, or with another first meridian."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

if TYPE_CHECKING:
    from torch import Tensor


class Turn(NamedTuple):
    """How each sample of a batch is turned before the network sees it. What the network says is turned back.

    North and south are exchanged where ``mirrored`` (batch,) says so, and fields rolled eastward by ``columns``
    (batch,). ``inputs`` (channel, 1, 1) are the signs that mirroring gives the network's inputs, ``states`` its
    outputs.
    """

    mirrored: Tensor
    columns: Tensor
    inputs: Tensor
    states: Tensor

    def repeated(self, members: int) -> Turn:
        """The same for each of so many members, one block after the other."""
        return self._replace(mirrored=self.mirrored.repeat(members), columns=self.columns.repeat(members))

    def rows(self, start: int, stop: int) -> Turn:
        """Of some of the samples."""
        return self._replace(mirrored=self.mirrored[start:stop], columns=self.columns[start:stop])

    def there(self, inputs: Tensor) -> Tensor:
        """Inputs (batch, channel, latitude, longitude) of the turned world."""
        return self._flipped(_rolled(inputs, self.columns), self.inputs)

    def back(self, states: Tensor) -> Tensor:
        """Its outputs, as seen from ours."""
        return self._flipped(_rolled(states, -self.columns), self.states)

    def _flipped(self, fields: Tensor, signs: Tensor) -> Tensor:
        return torch.where(self.mirrored[:, None, None, None], signs.to(fields.dtype) * fields.flip(-2), fields)


def drawn(numbers: Tensor, columns: int) -> tuple[Tensor, Tensor]:
    """Mirrored or not, and rolled by how many of all ``columns``: each as likely, of normal numbers (batch, 2)."""
    mirrored, share = numbers[:, 0] > 0, torch.special.ndtr(numbers[:, 1].double())
    return mirrored, (share * columns).long().clamp(max=columns - 1)


def _rolled(fields: Tensor, columns: Tensor) -> Tensor:
    """Each of a batch by its own number of columns."""
    count = fields.shape[-1]
    places = (torch.arange(count, device=fields.device) - columns[:, None]) % count
    return fields.gather(-1, places[:, None, None].expand_as(fields))
