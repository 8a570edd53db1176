"""The samples of several stores as if they were one's: runs of a model, or reanalyses with a gap between."""

from __future__ import annotations

from functools import partial
from itertools import tee
from typing import TYPE_CHECKING

import numpy as np
import torch

from data_pipeline.dataset import Sample
from data_pipeline.times import DAYS_OF_A_YEAR, HOUR

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from data_pipeline.dataset import Request, StoreDataset


_BATCH_DIMS = (0, 0, 1, 1, 1)
"""Of a Sample's fields: those of steps have the step first."""


class JoinedDataset:
    """The samples of several stores, one after the other; no sample reaches from one into the next."""

    def __init__(self, parts: Sequence[StoreDataset]) -> None:
        self.parts = tuple(parts)
        self._edges = np.cumsum([0, *(len(part) for part in parts)])

    def describe(self) -> str:
        """A line for each store."""
        return "\n".join(part.describe() for part in self.parts)

    def __len__(self) -> int:
        return int(self._edges[-1])

    @property
    def years(self) -> float:
        """How long a time the samples cover."""
        return float(sum(len(part) * (part.interval / HOUR) for part in self.parts) / 24 / DAYS_OF_A_YEAR)

    def time(self, index: int) -> np.datetime64:
        """The time of the first state of a sample."""
        part = self._owners(np.array([index]))[0]
        return np.datetime64(self.parts[part].times[index - self._edges[part]])

    def batch(self, request: Request) -> Sample:
        """As of ``StoreDataset``."""
        return next(self.batches([request]))

    def batches(self, order: Iterable[Request]) -> Iterator[Sample]:
        """As of ``StoreDataset``."""
        *copies, whole = tee(order, len(self.parts) + 1)
        shares = [
            part.batches(map(partial(self._share, number), copy))
            for number, (part, copy) in enumerate(zip(self.parts, copies, strict=True))
        ]
        for request, *samples in zip(whole, *shares, strict=True):
            owners = self._owners(request.indices.numpy())
            places = torch.from_numpy(np.argsort(np.argsort(owners, kind="stable"), kind="stable"))
            yield samples[0] if len(samples) == 1 else _joined(samples, places.to(samples[0].current.device))

    def _owners(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """The numbers of the parts; those of samples that no part has are the nearest part's, which refuses them."""
        return np.clip(np.searchsorted(self._edges, indices, side="right") - 1, 0, len(self.parts) - 1)

    def _share(self, number: int, request: Request) -> Request:
        own = torch.from_numpy(self._owners(request.indices.numpy()) == number)
        return request._replace(indices=request.indices[own] - int(self._edges[number]))


def _joined(samples: Sequence[Sample], places: Tensor) -> Sample:
    """Each sample of the batch where it was asked for."""
    columns = zip(zip(*samples, strict=True), _BATCH_DIMS, strict=True)
    return Sample(*(torch.cat(parts, dim).index_select(dim, places) for parts, dim in columns))
