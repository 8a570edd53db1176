"""Weighted sums over places that add up: any split of the work, in any order, gives the same means."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import xarray as xr

from data_pipeline.errors import ScoreError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from data_pipeline.grid import Grid
    from evaluation.metrics.forms import Floats
    from evaluation.regions import Region

    Mask = NDArray[np.bool_]


class Sum(NamedTuple):
    """The sum of a weighted statistic (region, *axes), and the sum of its weights (region,).

    >>> west, east = Sum(np.array([6.0]), np.array([2.0])), Sum(np.array([0.0]), np.array([1.0]))
    >>> west.plus(east).mean.tolist()
    [2.0]
    """

    total: Floats
    weight: Floats

    def plus(self, other: Sum) -> Sum:
        """The sum over both."""
        return Sum(self.total + other.total, self.weight + other.weight)

    @property
    def mean(self) -> Floats:
        """The weighted mean (region, *axes), NaN where nothing had weight."""
        weight = self.weight.reshape(-1, *(1 for _ in self.total.shape[1:]))
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(np.where(weight > 0, self.total / weight, np.nan))


@dataclass(frozen=True)
class Places:
    """Regions of a grid, with the area of each of their points as its weight; areas come from ``Grid.area_weights``.

    Raises
    ------
    ScoreError
        If a region holds no point of the grid.
    """

    grid: Grid
    regions: tuple[Region, ...]

    def __post_init__(self) -> None:
        empty = [region.name for region, mask in zip(self.regions, self.masks, strict=True) if not mask.any()]
        if empty:
            raise ScoreError(f"no point of the {self.grid} is in {', '.join(empty)}; choose larger regions")

    @property
    def names(self) -> list[str]:
        """Of the regions."""
        return [region.name for region in self.regions]

    @cached_property
    def masks(self) -> list[Mask]:
        """Of the regions, (latitude, longitude)."""
        return [region.contains(self.grid) for region in self.regions]

    @cached_property
    def _windows(self) -> list[tuple[slice, slice, Floats]]:
        """The rows and columns that a region is in, and its weights there."""
        area = self.grid.area_weights()
        windows = []
        for mask in self.masks:
            rows, columns = (_span(mask.any(axis=axis)) for axis in (1, 0))
            windows.append((rows, columns, mask[rows, columns] * area[rows, None]))
        return windows

    def weights(self, observed: Mask) -> list[Floats]:
        """Of each region (latitude, longitude), zero outside it and where nothing is observed."""
        area = self.grid.area_weights()[:, None]
        return [np.where(mask & observed, area, 0.0) for mask in self.masks]

    def sum(self, statistic: Floats, observed: Mask) -> Sum:
        """Of a statistic (*axes, latitude, longitude) over the observed points of each region.

        What the statistic is elsewhere does not matter, even if NaN; NaN at one of these points makes a sum NaN, and
        an infinite value makes it infinite.
        """
        finite = np.isfinite(statistic)
        whole = bool(observed.all())
        clean = statistic if whole and finite.all() else np.where(observed & finite, statistic, 0.0)
        total = self._totals(clean)
        if not finite.all():
            for value in (np.inf, -np.inf, np.nan):
                there = (np.isnan(statistic) if np.isnan(value) else statistic == value) & observed
                total[self._totals(there.astype(np.float64)) > 0] = value
        return Sum(total, self._whole if whole else self._totals(observed.astype(np.float64)))

    def count(self, where: Mask) -> Sum:
        """The number of points of each region that are there, and of all its points."""
        there, whole = ([np.count_nonzero(mask & points) for mask in self.masks] for points in (where, True))
        return Sum(np.asarray(there, dtype=np.float64), np.asarray(whole, dtype=np.float64))

    @cached_property
    def _whole(self) -> Floats:
        """The weights of the regions where everything is observed."""
        return self._totals(np.ones(self.grid.shape))

    def _totals(self, values: Floats) -> Floats:
        """Weighted sums (region, *axes) of values (*axes, latitude, longitude) without NaN.

        Row by row and without BLAS, whose sums depend on the number of threads: a worker has another than a laptop.
        """
        totals = [
            np.einsum("...ij,ij->...i", values[..., rows, columns], weights).sum(axis=-1)
            for rows, columns, weights in self._windows
        ]
        return np.asarray(totals, dtype=np.float64)


@dataclass(frozen=True)
class EveryPoint:
    """Every point of a grid by itself, for maps: a mean over times with no place weighing more than another."""

    grid: Grid

    @property
    def names(self) -> list[str]:
        """Numbers of the points, row by row."""
        return [str(number) for number in range(int(np.prod(self.grid.shape)))]

    def sum(self, statistic: Floats, observed: Mask) -> Sum:
        """Of a statistic (*axes, latitude, longitude): itself where observed, as (point, *axes)."""
        total = np.moveaxis(np.where(observed, statistic, 0.0).reshape(*statistic.shape[:-2], -1), -1, 0)
        return Sum(total, observed.astype(np.float64).ravel())

    def count(self, where: Mask) -> Sum:
        """1 for each point that is there, of 1."""
        return Sum(where.astype(np.float64).ravel(), np.ones(where.size))

    def weights(self, observed: Mask) -> list[Floats]:
        """Of each point; for scores of whole fields, which have no map and are refused before."""
        return [np.where(place, 1.0, 0.0) for place in np.eye(observed.size).reshape(-1, *observed.shape)]


def on_map(scores: xr.Dataset, grid: Grid) -> xr.Dataset:
    """Scores of ``EveryPoint`` with latitude and longitude in place of the region."""
    places = {"latitude": ("latitude", list(grid.latitude)), "longitude": ("longitude", list(grid.longitude))}
    found = {}
    for name, field in scores.data_vars.items():
        if "region" not in field.dims:
            found[name] = field
            continue
        last = field.transpose(..., "region")
        shape = (*last.shape[:-1], *grid.shape)
        found[name] = xr.DataArray(last.values.reshape(shape), dims=(*last.dims[:-1], *places), attrs=field.attrs)
    labels = {name: label for name, label in scores.coords.items() if name != "region"}
    return xr.Dataset(found, coords={**labels, **places}, attrs=scores.attrs)


def _span(inside: ArrayLike) -> slice:
    """From the first to the last place inside; nothing if none is."""
    places = np.flatnonzero(inside)
    return slice(int(places[0]), int(places[-1]) + 1) if places.size else slice(0, 0)
