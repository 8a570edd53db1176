"""Quantiles of the members through the leads, at every point: what a meteogram shows.

Every lead must be read for the first point that is asked for, so all points are made at once and kept on the disk as
16-bit codes, of which a row of points lies together.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from data_pipeline.errors import DataError
from evaluation.viewer.encoding import MISSING, packed, quantize

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from evaluation.plots.fields import EnsembleField

PERCENTS = (0, 10, 25, 50, 75, 90, 100)
_KEPT = 6
"""Blocks on the disk: one is 2 bytes x leads x quantiles x points."""


@dataclass(frozen=True)
class Block:
    """``codes`` (row, lead, quantity, column) with a scale and an offset for each lead.

    ``quantities`` are the quantiles and, where a member is the control, its own values; of a single forecast its
    values alone. ``gaps`` says why leads are missing.
    """

    codes: NDArray[np.uint16]
    quantities: tuple[str, ...]
    scale: tuple[float, ...]
    offset: tuple[float, ...]
    gaps: tuple[tuple[int, str], ...]

    def row(self, row: int, columns: NDArray[np.intp]) -> dict[str, Any]:
        """What the page needs of a row of points: codes (lead, quantity, column), the columns in this order."""
        return {
            "quantities": list(self.quantities), "scale": list(self.scale), "offset": list(self.offset),
            "gaps": [{"lead": lead, "words": words} for lead, words in self.gaps],
            "shape": list(self.codes.shape[1:]), "data": packed(self.codes[row][..., columns]),
        }  # fmt: skip


class Blocks:
    """Blocks by key, made when they are first asked for; the oldest are forgotten."""

    def __init__(self) -> None:
        self._made: TemporaryDirectory[str] | None = None
        self._blocks: OrderedDict[tuple[str, int, int], Block] = OrderedDict()
        self._making = Lock()

    @property
    def folder(self) -> Path:
        """Where they are, made when it is first asked for."""
        if self._made is None:
            self._made = TemporaryDirectory(prefix="sphercast-view-")
        return Path(self._made.name)

    def get(
        self, key: tuple[str, int, int], ensemble: Callable[[int], EnsembleField], leads: int, control: str | None
    ) -> Block:
        """The block of a key; ``ensemble`` gives the members at each of ``leads``.

        Raises
        ------
        DataError
            If there is nothing at any lead.
        """
        with self._making:  # two requests for the same are one work
            if key not in self._blocks:
                path = self.folder / "-".join(map(str, key))
                self._blocks[key] = block(path, ensemble, leads, control)
                while len(self._blocks) > _KEPT:
                    forgotten, _ = self._blocks.popitem(last=False)
                    (self.folder / "-".join(map(str, forgotten))).unlink()
            self._blocks.move_to_end(key)
            return self._blocks[key]

    def close(self) -> None:
        """Remove all of them from the disk."""
        self._blocks.clear()
        if self._made is not None:
            self._made.cleanup()


def block(path: Path, ensemble: Callable[[int], EnsembleField], leads: int, control: str | None) -> Block:
    """A block in the new file ``path``; a DataError if there is nothing at any lead."""
    codes: np.memmap[Any, np.dtype[np.uint16]] | None = None
    quantities: tuple[str, ...] = ()
    steps, gaps = [(0.0, 0.0)] * leads, []
    for lead in range(leads):
        try:
            names, values = _quantities(ensemble(lead), control)
        except DataError as error:
            gaps.append((lead, str(error)))
            continue
        if codes is None:
            quantities = names
            shape = (values.shape[1], leads, values.shape[0], values.shape[2])
            codes = np.memmap(path, "<u2", "w+", shape=shape)
            codes[:] = MISSING
        quantized = quantize(values)
        # Members may stop one by one until a single one is left; the page is told of the same quantities all along.
        codes[:, lead] = quantized.codes.transpose(1, 0, 2)
        steps[lead] = quantized.scale, quantized.offset
    if codes is None:
        raise DataError(gaps[0][1])
    codes.flush()
    scale, offset = zip(*steps, strict=True)
    return Block(codes, quantities, scale, offset, tuple(gaps))


def _quantities(ensemble: EnsembleField, control: str | None) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Names, and values (quantity, latitude, longitude); missing where any member is."""
    if ensemble.size == 1:
        return ("value",), ensemble.values[:1]
    names = tuple(f"q{percent}" for percent in PERCENTS)
    values = quantiles(ensemble.values)
    if control is None:
        return names, values
    own = np.full((1, *values.shape[1:]), np.nan)
    if control in ensemble.members:
        own = ensemble.values[[ensemble.members.index(control)]]
    return (*names, "control"), np.concatenate([values, own])


def quantiles(members: NDArray[np.float64]) -> NDArray[np.float64]:
    """``PERCENTS`` of members (member, ...), linear between order statistics (Hyndman and Fan 1996, type 7).

    As ``np.quantile``, several times as fast for many points; NaN where any member is.
    """
    ordered = np.sort(members, axis=0)  # NaN comes last
    at = np.array(PERCENTS) / 100 * (members.shape[0] - 1)
    below = np.floor(at).astype(int)
    share = (at - below).reshape(-1, *(1,) * (members.ndim - 1))
    between = ordered[below] * (1 - share) + ordered[np.minimum(below + 1, members.shape[0] - 1)] * share
    return np.where(np.isnan(ordered[-1]), np.nan, between)
