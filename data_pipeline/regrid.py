"""Conservative regridding between latitude-longitude grids: two separable passes, latitude then longitude."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from scipy import sparse

from data_pipeline.errors import DataError
from data_pipeline.grid import CIRCLE, Grid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_ROUNDING = 1e-9
"""Of fractions of area: a cell that is covered wholly must count as whole."""


@dataclass(frozen=True)
class Regridder:
    """First-order conservative remapping (Jones 1999, eq. 8) from a global grid to another.

    The value of a target cell is the mean over the source cells that it covers, weighted by the area of
    overlap. On latitude-longitude grids the overlap is a product of a latitude and a longitude factor.
    Missing values are left out of the mean, as long as at least ``min_valid_fraction`` of the target cell's
    area is valid; below that the target is NaN. Infinite values count as missing.
    """

    source: Grid
    target: Grid
    min_valid_fraction: float = 0.5

    def __post_init__(self) -> None:
        for role, grid in (("source", self.source), ("target", self.target)):
            if not grid.is_global:
                raise DataError(f"conservative regridding needs a global {role} grid, got the {grid}")

    @cached_property
    def latitude_weights(self) -> sparse.csr_array:
        """Shape (target latitudes, source latitudes), rows sum to 1; overlaps measured in sine of latitude."""
        south_to_north = _overlap(_sines(self.source), _sines(self.target))
        return sparse.csr_array(south_to_north[::-1, ::-1])

    @cached_property
    def longitude_weights(self) -> sparse.csr_array:
        """Shape (target longitudes, source longitudes), rows sum to 1; overlaps on the circle."""
        source, target = self.source.longitude_bounds(), self.target.longitude_bounds()
        turns = [_overlap(source + turn, target, normalise=False) for turn in (-CIRCLE, 0.0, CIRCLE)]
        return _normalise(turns[0] + turns[1] + turns[2])

    def __call__(self, dataset: xr.Dataset) -> xr.Dataset:
        """The dataset on the target grid; lazy where the input is lazy.

        Raises
        ------
        DataError
            If the dataset is on another grid than ``source``.
        """
        if not dataset.data_vars:
            return dataset
        if not Grid.of(dataset).matches(self.source):
            raise DataError(f"got data on the {Grid.of(dataset)}, expected the {self.source}; make a Regridder for it")
        if self.source.matches(self.target):
            return dataset.assign_coords(self.target.coordinates)
        sizes = dict(zip(("latitude", "longitude"), self.target.shape, strict=True))
        regridded: xr.Dataset = xr.apply_ufunc(
            self.regrid_array,
            dataset,
            input_core_dims=[["latitude", "longitude"]],
            output_core_dims=[["latitude", "longitude"]],
            exclude_dims={"latitude", "longitude"},
            dask="parallelized",
            dask_gufunc_kwargs={"output_sizes": sizes, "allow_rechunk": True},
            output_dtypes=[np.float32],
            keep_attrs=True,
        )
        return regridded.assign_coords(self.target.coordinates)

    def regrid_array(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """``(..., latitude, longitude)`` on the source grid to the target grid, float32."""
        if values.shape[-2:] != self.source.shape:
            raise DataError(f"got fields of shape {values.shape[-2:]}, expected {self.source.shape}: {self.source}")
        valid = np.isfinite(values)
        if valid.all():
            return self._apply(values).astype(np.float32)
        fraction = self._apply(valid.astype(np.float64))
        total = self._apply(np.where(valid, values, 0.0))
        enough = fraction > max(self.min_valid_fraction - _ROUNDING, _ROUNDING)
        mean = np.divide(total, fraction, out=np.full_like(total, np.nan), where=enough)
        return mean.astype(np.float32)

    def _apply(self, values: NDArray[Any]) -> Floats:
        lead, (n_latitude, n_longitude) = values.shape[:-2], self.source.shape
        stacked = np.asarray(values, dtype=np.float64).reshape(-1, n_latitude, n_longitude)
        rows = self.latitude_weights @ np.moveaxis(stacked, 1, 0).reshape(n_latitude, -1)
        rows = rows.reshape(-1, n_longitude)
        columns = np.asarray(self.longitude_weights @ rows.T, dtype=np.float64).T
        target = columns.reshape(self.target.shape[0], stacked.shape[0], self.target.shape[1])
        return np.moveaxis(target, 0, 1).reshape(*lead, *self.target.shape)


def _sines(grid: Grid) -> Floats:
    return np.asarray(np.sin(np.deg2rad(grid.latitude_bounds()[::-1])), dtype=np.float64)


def _overlap(source_edges: Floats, target_edges: Floats, *, normalise: bool = True) -> sparse.csr_array:
    """Lengths of overlap of the intervals between ascending edges, (target intervals, source intervals)."""
    low = np.maximum(target_edges[:-1, None], source_edges[None, :-1])
    high = np.minimum(target_edges[1:, None], source_edges[None, 1:])
    lengths = sparse.csr_array(np.clip(high - low, 0.0, None))
    return _normalise(lengths) if normalise else lengths


def _normalise(lengths: sparse.csr_array) -> sparse.csr_array:
    totals = np.asarray(lengths.sum(axis=1)).ravel()
    return sparse.csr_array(sparse.diags_array(1.0 / totals) @ lengths)
