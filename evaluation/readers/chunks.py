"""Chunks that hold more than one field: decoded once, although fields are read one after the other.

Neither zarr nor xarray keeps what it has decoded, so that of a chunk of thirteen levels each level would cost thirteen.
"""

from __future__ import annotations

import math
from threading import Lock
from typing import TYPE_CHECKING, Any

import xarray as xr
from xarray.backends import BackendArray
from xarray.core.indexing import IndexingSupport, LazilyIndexedArray, explicit_indexing_adapter

from evaluation.recent import Recent

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from xarray.core.indexing import ExplicitIndexer

    Values = NDArray[Any]
    Span = tuple[int, int]

KEPT_BYTES = 2**30
"""Of fields that are kept, as the rest of their chunks is asked for next."""
_FIELD_DIMS = 2


class Ahead:
    """Fields of all files of a score that were read with others of their chunks."""

    def __init__(self, kept_bytes: int = KEPT_BYTES) -> None:
        self.kept_bytes = kept_bytes
        self._recent = Recent(kept_bytes)
        self._lock = Lock()

    def __reduce__(self) -> tuple[type[Ahead], tuple[int]]:
        return Ahead, (self.kept_bytes,)  # workers read for themselves

    def get(self, key: Hashable, read: Callable[[], Values]) -> Values:
        """What is kept under a key, or else is read and kept."""
        with self._lock:
            if key in self._recent:
                return self._recent.get(key)
        values = read()
        with self._lock:
            if key not in self._recent:
                self._recent.put(key, values)
        return values


def in_chunks(dataset: xr.Dataset, ahead: Ahead) -> xr.Dataset:
    """The same, but what is read of a variable is read with the rest of its chunks, as far as its share allows."""
    chunks = {name: _chunks(field.variable) for name, field in dataset.data_vars.items()}
    shared = {name: own for name, own in chunks.items() if any(size > 1 for size in own[: _leading(len(own))])}
    share = ahead.kept_bytes // max(len(shared), 1)
    return dataset.assign({name: _read_in(dataset[name].variable, own, ahead, share) for name, own in shared.items()})


def _leading(dims: int) -> int:
    """How many dims are not those of a field, of which there are two, or one of points in no order."""
    return max(dims - _FIELD_DIMS, 1)


def _chunks(variable: xr.Variable) -> tuple[int, ...]:
    """Of a variable of numbers in a file; nothing where it has none."""
    sizes = variable.encoding.get("preferred_chunks", {}) if variable.dtype.kind in "fiu" else {}
    return tuple(sizes[dim] for dim in variable.dims) if sizes.keys() >= set(variable.dims) else ()


def _read_in(variable: xr.Variable, chunks: tuple[int, ...], ahead: Ahead, share: int) -> xr.Variable:
    lazy = LazilyIndexedArray(_Chunked(variable, chunks, ahead, share))
    return xr.Variable(variable.dims, lazy, variable.attrs, variable.encoding)


class _Chunked(BackendArray):
    def __init__(self, variable: xr.Variable, chunks: tuple[int, ...], ahead: Ahead, share: int) -> None:
        self.variable, self.chunks, self.ahead, self.share = variable, chunks, ahead, share
        self.shape: tuple[int, ...] = variable.shape
        self.dtype: np.dtype[Any] = variable.dtype

    def __getitem__(self, key: ExplicitIndexer) -> Values:
        cut: Values = explicit_indexing_adapter(key, self.shape, IndexingSupport.BASIC, self._cut)
        return cut

    def _cut(self, key: tuple[int | slice, ...]) -> Values:
        wanted = [_span(own, size) for own, size in zip(key, self.shape, strict=True)]
        box = grown(wanted, self.chunks, self.shape, self.share // self.dtype.itemsize)
        if box == wanted:
            values: Values = self.variable[key].values
            return values
        slices = tuple(slice(*own) for own in box)
        together = self.ahead.get((self, tuple(box)), lambda: self.variable[slices].values)
        inside = (_from(own, size, start) for own, size, (start, _) in zip(key, self.shape, box, strict=True))
        return together[tuple(inside)].copy()  # a view could be changed, and would keep the rest in memory


def grown(wanted: Sequence[Span], chunks: Sequence[int], shape: Sequence[int], most: int) -> list[Span]:
    """The positions from start to stop along each dim to read: the rest of the chunks, but at most ``most`` values.

    Grown from the last dim to the first: levels stand after lead times in all layouts and are asked for first. If a
    chunk is too large, a part of it.

    >>> grown([(1, 2), (5, 6), (0, 8)], (4, 13, 8), (40, 13, 8), 13 * 8 * 4)
    [(0, 4), (0, 13), (0, 8)]
    >>> grown([(1, 2), (5, 6), (0, 8)], (4, 13, 8), (40, 13, 8), 5 * 8)
    [(1, 2), (5, 10), (0, 8)]
    """
    box = list(wanted)
    for dim in reversed(range(len(box))):
        start, stop = box[dim]
        others = math.prod(end - begin for begin, end in box) // max(stop - start, 1)
        first, last = start // chunks[dim] * chunks[dim], min(-(-stop // chunks[dim]) * chunks[dim], shape[dim])
        step = min(most // max(others, 1), last - first)
        if step > stop - start:
            begin = first + (start - first) // step * step
            end = min(begin + step, last)
            box[dim] = (begin, end) if end >= stop else box[dim]
    return box


def _span(own: int | slice, size: int) -> Span:
    positions = range(size)[own] if isinstance(own, slice) else [range(size)[own]]
    return (positions[0], positions[-1] + 1) if len(positions) else (0, 0)


def _from(own: int | slice, size: int, start: int) -> int | slice:
    """The same positions, which ascend, counted from ``start``."""
    if not isinstance(own, slice):
        return range(size)[own] - start
    positions = range(size)[own]
    return slice(positions.start - start, positions.stop - start, positions.step)
