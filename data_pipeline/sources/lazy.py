"""Windows of time, cut out of raw data before dask sees them, in chunks that end where those on disk end.

A store of decades has more chunks than a dask graph can hold; a window of days has few.
"""

from __future__ import annotations

import math
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from dask.array.core import from_array

from data_pipeline.errors import reading

if TYPE_CHECKING:
    from collections.abc import Hashable

    from numpy.typing import NDArray

    from data_pipeline.sources.protocol import Window

TIMES_PER_CHUNK = 64
CHUNK_BYTES = 2**26

_HORIZONTAL = {"latitude", "longitude", "lat", "lon"}


class NamedArray:
    """Values of one variable, read when they are indexed; a damaged chunk is an error that names the variable."""

    def __init__(self, variable: xr.Variable, label: str) -> None:
        self.variable, self.label = variable, label
        self.shape, self.dtype, self.ndim = variable.shape, variable.dtype, variable.ndim

    def __getitem__(self, key: Any) -> NDArray[Any]:
        with reading(self.label):
            try:
                return self.variable[key].to_numpy()
            except (zlib.error, EOFError) as error:  # the only decoders whose errors are no OSError or ValueError
                raise ValueError(str(error)) from error


def time_name(dataset: xr.Dataset) -> str:
    """Of the axis that files follow each other along; ``time`` beside ``valid_time`` is a forecast's start."""
    return "valid_time" if "valid_time" in dataset.variables and "time" not in dataset.dims else "time"


def inside(dataset: xr.Dataset, window: Window | None) -> slice | NDArray[np.intp]:
    """Positions along time inside ``window``: a slice where times ascend, an empty array where nothing is inside.

    All of them where there is no window, or the time axis holds no dates.
    """
    name = time_name(dataset)
    if window is None or name not in dataset.variables or not np.issubdtype(dataset[name].dtype, np.datetime64):
        return slice(None)
    times = np.atleast_1d(dataset[name].values)
    if name in dataset.indexes and dataset.indexes[name].is_monotonic_increasing:  # which the index remembers
        start, stop = int(np.searchsorted(times, window[0])), int(np.searchsorted(times, window[1], side="right"))
        return slice(start, stop) if stop > start else np.empty(0, dtype=np.intp)
    return np.flatnonzero((times >= window[0]) & (times <= window[1]))


def chunked(dataset: xr.Dataset, label: str, positions: slice | NDArray[np.intp] = slice(None)) -> xr.Dataset:
    """The dataset at ``positions`` along time, as dask arrays; coordinates stay as they are."""
    name = time_name(dataset)
    along = name in dataset.dims
    cut = dataset.isel({name: positions}) if along else dataset
    if along and isinstance(positions, slice):
        start, stop, _ = positions.indices(dataset.sizes[name])
    else:
        start, stop = 0, cut.sizes.get(name, 0)
    fields = {key: _as_dask(field.variable, key, name, (start, stop), label) for key, field in cut.data_vars.items()}
    return cut.assign(fields)


def _as_dask(variable: xr.Variable, key: Hashable, time: str, span: tuple[int, int], label: str) -> xr.Variable:
    if variable.ndim == 0:
        return variable
    array = NamedArray(variable, f"{key} of {label}")
    meta = np.empty((0,) * variable.ndim, dtype=variable.dtype)
    lazy = from_array(array, chunks=_chunks(variable, time, span), name=False, meta=meta)  # type: ignore[no-untyped-call]
    return xr.Variable(variable.dims, lazy, variable.attrs, variable.encoding)


def _chunks(variable: xr.Variable, time: str, span: tuple[int, int]) -> tuple[tuple[int, ...], ...]:
    """Whole rows and columns; the disk's own chunks of levels, one level where it has none; times as many as fit."""
    on_disk = variable.encoding.get("preferred_chunks", {})
    sizes = dict(zip(variable.dims, variable.shape, strict=True))
    steps = {dim: size if dim in _HORIZONTAL else max(1, on_disk.get(dim, 1)) for dim, size in sizes.items()}
    others = math.prod(min(steps[dim], size) for dim, size in sizes.items() if dim != time)
    steps[time] = _times_at_once(others * variable.dtype.itemsize, on_disk.get(time, 1))
    return tuple(
        between_multiples(*(span if dim == time else (0, size)), max(1, steps[dim])) for dim, size in sizes.items()
    )


def _times_at_once(bytes_per_time: int, on_disk: int) -> int:
    """Whole chunks of the disk, as many as stay below ``CHUNK_BYTES``, but at least one."""
    wished = max(1, min(TIMES_PER_CHUNK, CHUNK_BYTES // max(1, bytes_per_time)))
    return max(on_disk, wished // on_disk * on_disk)


def between_multiples(start: int, stop: int, step: int) -> tuple[int, ...]:
    """Lengths of the pieces of ``start .. stop`` cut at every multiple of ``step``.

    >>> between_multiples(5, 25, 10), between_multiples(0, 6, 3), between_multiples(2, 2, 4)
    ((5, 10, 5), (3, 3), (0,))
    """
    if start == stop:
        return (0,)
    first = (start // step + 1) * step
    edges = [start, *range(first, stop, step), stop]
    return tuple(np.diff(edges).tolist())
