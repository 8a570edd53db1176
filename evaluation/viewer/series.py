"""Members of one variable on one level through the leads, at every point: what meteograms are made of.

Every lead must be read for the first point that is asked for, so all points are kept, on the disk, as 16-bit codes, of
which a row of points lies together.
"""

from __future__ import annotations

import shutil
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from data_pipeline.errors import DataError
from evaluation.viewer.encoding import MISSING, quantize

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_KEPT = 6
"""Blocks on the disk at most; fewer where they are larger than ``_KEPT_BYTES`` together."""
_KEPT_BYTES = 2**31
_GIGABYTE = 10**9


@dataclass(frozen=True)
class Block:
    """``codes`` (row, lead, member, column) with a scale and an offset for each lead; ``gaps`` says why some lack."""

    codes: NDArray[np.uint16]
    scale: Floats
    offset: Floats
    gaps: tuple[tuple[int, str], ...]

    def values(self, rows: slice, columns: Sequence[int] | slice = slice(None)) -> Floats:
        """(row, lead, member, column) in the units that were given; NaN where nothing is known."""
        codes = np.asarray(self.codes[rows][..., columns])
        steps = (None, slice(None), None, None)
        return np.where(codes == MISSING, np.nan, codes * self.scale[steps] + self.offset[steps])


class Blocks:
    """Blocks by key, made when they are first asked for; the oldest are forgotten."""

    def __init__(self) -> None:
        self._made: TemporaryDirectory[str] | None = None
        self._blocks: OrderedDict[tuple[str, str, int | None], Block] = OrderedDict()
        self._making = Lock()

    @property
    def folder(self) -> Path:
        """Where they are, made when it is first asked for."""
        if self._made is None:
            self._made = TemporaryDirectory(prefix="sphercast-view-")
        return Path(self._made.name)

    def get(self, key: tuple[str, str, int | None], members: Callable[[int], Floats], leads: int) -> Block:
        """The block of a side, variable and level; ``members`` gives (member, latitude, longitude) at each lead.

        Raises
        ------
        DataError
            If there is nothing at any lead, or the disk has no room.
        """
        with self._making:  # two requests for the same are one work
            if key not in self._blocks:
                self._blocks[key] = block(self.folder / _file(key), members, leads)
                while len(self._blocks) > 1 and (len(self._blocks) > _KEPT or self._bytes() > _KEPT_BYTES):
                    forgotten, _ = self._blocks.popitem(last=False)
                    (self.folder / _file(forgotten)).unlink()
            self._blocks.move_to_end(key)
            return self._blocks[key]

    def _bytes(self) -> int:
        return sum(own.codes.nbytes for own in self._blocks.values())

    def close(self) -> None:
        """Remove all of them from the disk."""
        self._blocks.clear()
        if self._made is not None:
            self._made.cleanup()


def _file(key: tuple[str, str, int | None]) -> str:
    return "-".join(map(str, key))


def block(path: Path, members: Callable[[int], Floats], leads: int) -> Block:
    """A block in the new file ``path``; a DataError if there is nothing at any lead, or no room for it."""
    codes: np.memmap[Any, np.dtype[np.uint16]] | None = None
    scale, offset, gaps = np.zeros(leads), np.zeros(leads), []
    for lead in range(leads):
        try:
            values = members(lead)
            if codes is None:
                codes = _empty(path, (values.shape[1], leads, values.shape[0], values.shape[2]))
            _require_as_many(values.shape[0], codes.shape[2])
        except DataError as error:
            gaps.append((lead, str(error)))
            continue
        quantized = quantize(values)
        codes[:, lead] = quantized.codes.transpose(1, 0, 2)
        scale[lead], offset[lead] = quantized.scale, quantized.offset
    if codes is None:
        raise DataError(gaps[0][1])
    codes.flush()
    return Block(codes, scale, offset, tuple(gaps))


def _empty(path: Path, shape: tuple[int, ...]) -> np.memmap[Any, np.dtype[np.uint16]]:
    size, free = 2 * int(np.prod(shape)), shutil.disk_usage(path.parent).free
    if size > free:
        raise DataError(
            f"a meteogram of this field keeps {size / _GIGABYTE:.1f} GB in {path.parent.parent}, which has "
            f"{free / _GIGABYTE:.1f} GB left; give another folder in TMPDIR, or fewer --leads"
        )
    codes = np.memmap(path, "<u2", "w+", shape=shape)
    codes[:] = MISSING
    return codes


def _require_as_many(members: int, expected: int) -> None:
    if members != expected:
        raise DataError(f"there are {members} members at this lead time and {expected} before; give one forecast alone")
