"""Regridding from a latitude-longitude grid to any target, of arrays and of datasets."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from data_pipeline.errors import DataError
from data_pipeline.grid import Grid
from data_pipeline.regrid.kernels import Separable, Sparse, apply_separable, apply_sparse
from data_pipeline.regrid.points import Points
from data_pipeline.regrid.poles import polar_rows
from data_pipeline.regrid.weights import bilinear_weights, conservative_weights, require_cells
from data_pipeline.variables import VARIABLES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from data_pipeline.regrid.healpix import HealpixGrid

    Singles = NDArray[np.float32]

_METHODS = ("conservative", "bilinear")

_ROUNDING = 1e-9
"""Of fractions of area: a cell that is covered wholly must count as whole."""

_BLOCK_BYTES = 2**25
"""Fields are converted and put in order this much at a time, where they come otherwise."""

_HORIZONTAL = ("latitude", "longitude")


@dataclass(frozen=True)
class Regridder:
    """Remapping from a latitude-longitude grid.

    ``conservative``: first-order remapping (Jones 1999, eq. 8). The value of a target cell is the mean over the
    source cells that it covers, weighted by the area of overlap. Source and target must be global.

    ``bilinear``: interpolation linear in latitude and in longitude, round the circle. Poleward of the last row of
    a source without rows on the poles it goes to a value on the pole made from that row (see
    ``data_pipeline.regrid.poles``). Outside a regional source the target is NaN: nothing is extrapolated.

    Missing values are left out of the mean, as long as at least ``min_valid_fraction`` of the target's weight (its
    cell's area where conservative) is valid; below that the target is NaN. Infinite values count as missing.

    Raises
    ------
    DataError
        If the method is unknown or impossible: conservative from or to a grid with gaps, or to points.
    """

    source: Grid
    target: Grid | HealpixGrid | Points
    min_valid_fraction: float = 0.5
    method: Literal["conservative", "bilinear"] = "conservative"

    def __post_init__(self) -> None:
        if self.method not in _METHODS:
            raise DataError(f"unknown regridding method {self.method!r}; expected one of: {', '.join(_METHODS)}")
        if self.method == "conservative":
            require_cells(self.source, self.target)

    @cached_property
    def weights(self) -> Separable | Sparse:
        """What the source's values weigh in each of the target's, as the compiled loops take it."""
        if self.method == "bilinear" or isinstance(self.target, Points):
            return bilinear_weights(self.source, self.target)
        return conservative_weights(self.source, self.target)

    @property
    def dimensions(self) -> tuple[str, ...]:
        """The target's dimensions in a dataset: latitude and longitude, or ``cell``, or ``point``."""
        return _HORIZONTAL if isinstance(self.target, Grid) else (self.target.dimension,)

    def __call__(self, dataset: xr.Dataset, *, with_valid_fraction: bool = False) -> xr.Dataset:
        """The dataset on the target; lazy where the input is lazy.

        Variables that ``data_pipeline.variables`` knows as components of horizontal vectors are treated as such at
        the poles. ``with_valid_fraction`` adds ``<name>_valid_fraction`` (1) for every variable.

        Raises
        ------
        DataError
            If the dataset is on another grid than ``source``.
        """
        if not dataset.data_vars:
            return dataset
        if not Grid.of(dataset).matches(self.source):
            raise DataError(f"got data on the {Grid.of(dataset)}, expected the {self.source}; make a Regridder for it")
        if isinstance(self.target, Grid) and self.source.matches(self.target) and not with_valid_fraction:
            return dataset.assign_coords(self.target.coordinates)
        fields: dict[str, xr.DataArray] = {}
        for name, field in dataset.data_vars.items():
            regridded, *fractions = self._regrid_variable(field, with_fraction=with_valid_fraction)
            fields[str(name)] = regridded
            fields |= {f"{name}_valid_fraction": _described(fraction, str(name)) for fraction in fractions}
        return xr.Dataset(fields, attrs=dataset.attrs).assign_coords(self.target.coordinates)

    def regrid_array(self, values: NDArray[Any], *, vector: bool = False) -> Singles:
        """``(..., latitude, longitude)`` on the source grid to the target, ``(..., *target.shape)`` float32.

        ``vector`` says that the values are a component of a horizontal vector, which matters at the poles.
        """
        return self._regrid(values, vector=vector, with_fraction=False)[0]

    def regrid_with_fraction(self, values: NDArray[Any], *, vector: bool = False) -> tuple[Singles, Singles]:
        """What ``regrid_array`` gives, and the fraction of each target's weight (or area) that was valid."""
        return self._regrid(values, vector=vector, with_fraction=True)

    def _regrid_variable(self, field: xr.DataArray, *, with_fraction: bool) -> tuple[xr.DataArray, ...]:
        known = VARIABLES.get(str(field.name))
        result = xr.apply_ufunc(
            self.regrid_with_fraction if with_fraction else self.regrid_array,
            field,
            kwargs={"vector": known is not None and known.crosses_pole_with_sign == -1},
            input_core_dims=[_HORIZONTAL],
            output_core_dims=[self.dimensions] * (1 + with_fraction),
            exclude_dims=set(_HORIZONTAL),
            dask="parallelized",
            dask_gufunc_kwargs={
                "output_sizes": dict(zip(self.dimensions, self.target.shape, strict=True)),
                "allow_rechunk": True,
            },
            output_dtypes=[np.float32] * (1 + with_fraction),
            keep_attrs=True,
        )
        return result if isinstance(result, tuple) else (result,)

    def _regrid(self, values: NDArray[Any], *, vector: bool, with_fraction: bool) -> tuple[Singles, Singles]:
        if values.shape[-2:] != self.source.shape:
            raise DataError(f"got fields of shape {values.shape[-2:]}, expected {self.source.shape}: {self.source}")
        fields = values.reshape(-1, *self.source.shape)
        out = np.empty((len(fields), *self.target.shape), dtype=np.float32)
        fraction = np.empty(out.shape if with_fraction else (0,) * out.ndim, dtype=np.float32)
        size = max(1, _BLOCK_BYTES // (8 * fields[0].size)) if len(fields) else 1
        for start in range(0, len(fields), size):
            block = slice(start, start + size)
            self._apply(_native(fields[block]), vector, out[block], fraction[block])
        shape = (*values.shape[:-2], *self.target.shape)
        return out.reshape(shape), fraction.reshape(shape if with_fraction else (0,))

    def _apply(self, fields: NDArray[Any], vector: bool, out: Singles, fraction: Singles) -> None:
        least = max(self.min_valid_fraction - _ROUNDING, _ROUNDING)
        polar = np.empty((len(fields), 2, self.source.shape[1]))
        if self.method == "bilinear":
            polar = polar_rows(fields, self.source, vector=vector)
        if isinstance(self.weights, Separable):
            apply_separable(fields, polar, self.weights, least, out, fraction)
        else:
            flat = fields.reshape(len(fields), -1), polar.reshape(len(fields), -1)
            apply_sparse(*flat, self.weights, least, out, fraction)


def _native(fields: NDArray[Any]) -> NDArray[Any]:
    """In this machine's byte order, one value beside the other; float64 where float32 would lose digits."""
    single = fields.dtype.kind == "f" and fields.dtype.itemsize <= np.dtype(np.float32).itemsize
    return np.ascontiguousarray(fields, dtype=np.float32 if single else np.float64)


def _described(fraction: xr.DataArray, name: str) -> xr.DataArray:
    fraction.attrs = {"long_name": f"valid fraction of {name.replace('_', ' ')}", "units": "1"}
    return fraction
