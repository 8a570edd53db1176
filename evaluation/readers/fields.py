"""Fields that are read when they are indexed, always whole: reordered, converted, regridded or gathered from files.

xarray's own lazy indexing reads what a file holds as it lies; a grid that is turned round, a variable that is spread
over files or levels, or other units need a step after the reading, and dask would cost a millisecond for each field.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core.indexing import IndexingSupport, LazilyIndexedArray, explicit_indexing_adapter

from data_pipeline.axes import orient
from data_pipeline.errors import reading
from data_pipeline.grid import Grid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray
    from xarray.core.indexing import ExplicitIndexer

    Field = NDArray[Any]
    Step = Callable[[Field], Field]
    Key = tuple[int | slice, ...]

HORIZONTAL = ("latitude", "longitude")
UNSTRUCTURED = "values"
"""The dimension of points that are in no order."""


class Reordered:
    """Rows and columns in another order, given by the positions of those to take."""

    def __init__(self, rows: Sequence[int], columns: Sequence[int]) -> None:
        self.shape = len(rows), len(columns)
        self.rows, self.columns = stretches(rows), stretches(columns)

    def __call__(self, fields: Field) -> Field:
        """Fields (..., latitude, longitude)."""
        ordered = np.empty((*fields.shape[:-2], *self.shape), fields.dtype)
        for rows, from_rows in self.rows:
            for columns, from_columns in self.columns:  # slices copy five times as fast as positions
                ordered[..., rows, columns] = fields[..., from_rows, from_columns]
        return ordered


@dataclass(frozen=True, eq=False)
class Arranged:
    """Points (..., values) as a grid: ``order`` (latitude, longitude) says where each point of it stands."""

    order: NDArray[np.intp]

    def __call__(self, fields: Field) -> Field:
        """Fields (..., latitude, longitude)."""
        return fields[..., self.order]


@dataclass(frozen=True)
class Scaled:
    """``scale * value + offset``, by way of double precision, as the canonical form of reanalysis is made."""

    scale: float
    offset: float

    def __call__(self, fields: Field) -> Field:
        """Float32 of the shape given."""
        return (fields.astype(np.float64) * self.scale + self.offset).astype(np.float32)


def stretches(positions: Sequence[int]) -> list[tuple[slice, slice]]:
    """Where positions follow each other up or down: the slice of them, and the slice that they take.

    >>> stretches([3, 4, 5, 0, 1])
    [(slice(0, 3, None), slice(3, 6, 1)), (slice(3, 5, None), slice(0, 2, 1))]
    >>> stretches([2, 1, 0])
    [(slice(0, 3, None), slice(2, None, -1))]
    """
    found, start = [], 0
    while start < len(positions):
        step = positions[start + 1] - positions[start] if start + 1 < len(positions) else 1
        step = step if abs(step) == 1 else 1
        stop = start + 1
        while stop < len(positions) and positions[stop] - positions[stop - 1] == step:
            stop += 1
        end = positions[stop - 1] + step
        found.append((slice(start, stop), slice(positions[start], end if end >= 0 else None, step)))
        start = stop
    return found


def upright(latitude: NDArray[Any], longitude: NDArray[Any]) -> tuple[Grid, list[Step]]:
    """The grid of rows and columns in any order, and what brings fields on them from north to south and 0 to 360."""
    labels = xr.Dataset(
        {"rows": ("latitude", np.arange(latitude.size)), "columns": ("longitude", np.arange(longitude.size))},
        {"latitude": latitude, "longitude": longitude},
    )
    ordered = orient(labels)
    rows, columns = ordered["rows"].values, ordered["columns"].values
    as_they_are = np.array_equal(rows, labels["rows"]) and np.array_equal(columns, labels["columns"])
    return Grid.of(ordered), [] if as_they_are else [Reordered(rows.tolist(), columns.tolist())]


def lazily(
    variable: xr.Variable, shape: tuple[int, int], steps: Sequence[Step], dtype: np.dtype[Any] | None = None
) -> xr.Variable:
    """The variable with dims (..., latitude, longitude), whose fields of ``shape`` come out of ``steps``."""
    backend = _Stepwise(variable, shape, tuple(steps), dtype or variable.dtype)
    return xr.Variable(backend.dims, LazilyIndexedArray(backend), variable.attrs)


class Source(Protocol):
    """Where one field is."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of its values."""
        ...

    def read(self) -> Field:
        """The field (latitude, longitude)."""
        ...


@dataclass(frozen=True, eq=False)
class Place:
    """A field of a variable of a file, whose last dims are (latitude, longitude), at certain indices of all others."""

    path: str
    variable: xr.Variable
    at: Mapping[str, int]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of its values."""
        kind: np.dtype[Any] = self.variable.dtype
        return kind

    def read(self) -> Field:
        """The field; a DataError that names the file if it is damaged."""
        with reading(self.path):
            values: Field = self.variable.isel(self.at, missing_dims="ignore").values
        return values


def gathered(
    dims: Sequence[str], sources: NDArray[np.object_], shape: tuple[int, int], dtype: np.dtype[Any], units: str
) -> xr.Variable:
    """A variable (*dims, latitude, longitude) put together of single fields; NaN where the source is None."""
    backend = _Gathered(sources, shape, dtype)
    return xr.Variable((*dims, *HORIZONTAL), LazilyIndexedArray(backend), {"units": units} if units else {})


class _Whole(BackendArray):
    """An array whose last two dimensions are read whole and then cut."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __getitem__(self, key: ExplicitIndexer) -> Field:
        cut: Field = explicit_indexing_adapter(key, self.shape, IndexingSupport.BASIC, self._cut)
        return cut

    def _cut(self, key: Key) -> Field:
        return self._fields(key[:-2])[(..., *key[-2:])]

    @abstractmethod
    def _fields(self, key: Key) -> Field:
        """Whole fields at ``key``, which is of all other dimensions."""


class _Stepwise(_Whole):
    def __init__(
        self, variable: xr.Variable, shape: tuple[int, int], steps: tuple[Step, ...], dtype: np.dtype[Any]
    ) -> None:
        self.variable, self.steps, self.dtype = variable, steps, np.dtype(dtype)
        self.leading = tuple(str(dim) for dim in variable.dims if dim not in {*HORIZONTAL, UNSTRUCTURED})
        self.dims = (*self.leading, *HORIZONTAL)
        self.shape = (*(variable.sizes[dim] for dim in self.leading), *shape)

    def _fields(self, key: Key) -> Field:
        cut = self.variable.isel(dict(zip(self.leading, key, strict=True)))
        order = [dim for dim in (*self.leading, *HORIZONTAL, UNSTRUCTURED) if dim in cut.dims]
        fields: Field = np.transpose(cut.values, [cut.dims.index(dim) for dim in order])
        for step in self.steps:
            fields = step(fields)
        return np.asarray(fields, dtype=self.dtype)


class _Gathered(_Whole):
    def __init__(self, sources: NDArray[np.object_], shape: tuple[int, int], dtype: np.dtype[Any]) -> None:
        self.sources, self.dtype = sources, np.dtype(dtype)
        self.shape = (*sources.shape, *shape)

    def _fields(self, key: Key) -> Field:
        chosen: NDArray[Any] = self.sources[(*key, ...)]
        fields = np.full((*chosen.shape, *self.shape[-2:]), np.nan, dtype=self.dtype)
        for place in np.ndindex(chosen.shape):
            if chosen[place] is not None:
                fields[place] = cast("Source", chosen[place]).read()
        return fields
