"""Forecasts, truth and climatology on one grid: regridded conservatively, field by field, as they are read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from data_pipeline.addresses import is_url
from data_pipeline.errors import DataError, ScoreError
from data_pipeline.grid import Grid
from data_pipeline.reading import SAMPLE, sample_path
from data_pipeline.regrid import Regridder
from data_pipeline.regrid.files import target_of
from data_pipeline.sampling import CLIMATOLOGY, TRAINING_PERIOD, is_sample_folder
from data_pipeline.store import is_store, open_store
from data_pipeline.times import shown
from evaluation.climate import has_quantiles
from evaluation.readers.fields import HORIZONTAL, lazily

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from evaluation.climate import Climatology
    from evaluation.readers.fields import Field

    Times = NDArray[np.datetime64]

_YEARS = re.compile(r"(?<!\d)(\d{4})-(\d{4})(?!\d)")


@dataclass(frozen=True)
class Regridded:
    """Fields (..., latitude, longitude) on another grid; missing values are left out of a cell's mean, which is NaN
    where less than half of its area is there."""

    regridder: Regridder

    def __call__(self, fields: Field) -> Field:
        """Float32 on the target."""
        return self.regridder.regrid_array(fields)


def common_grid(runs: Sequence[xr.Dataset], truth: xr.Dataset, asked: str | None = None) -> Grid:
    """The grid to score on: that which is asked for, or else the one with the fewest points.

    Grids that have the same points within a thousandth of a degree are one, and the truth's is taken; of different
    grids with as many points, too.

    Parameters
    ----------
    runs, truth
        Whose grids they are.
    asked
        A grid as ``sphercast data regrid --to`` takes it, e.g. ``equiangular:32x64``.

    Raises
    ------
    ScoreError
        If what is asked is no latitude-longitude grid, or a grid that must be regridded does not cover the globe.
    """
    own = Grid.of(truth)
    grids = {Grid.of(run): str(run.attrs.get("path", "a forecast")) for run in runs}
    target = _asked(asked) if asked else min([own, *grids], key=lambda grid: grid.shape[0] * grid.shape[1])
    target = own if target.matches(own) else target
    for grid, name in {**grids, own: "the truth"}.items():
        if not grid.matches(target):
            _regridder(grid, target, name)
    return target


def on_grid(dataset: xr.Dataset, grid: Grid) -> xr.Dataset:
    """A run, truth or climatology on ``grid``, regridded conservatively field by field as it is read.

    What is on this grid already is returned as it is. Encoding and attributes stay.

    Raises
    ------
    ScoreError
        If either grid does not cover the globe.
    """
    source = Grid.of(dataset)
    if source.matches(grid):
        return dataset
    step = Regridded(_regridder(source, grid, str(dataset.attrs.get("path", "the truth or climatology"))))
    fields = {
        name: lazily(field.variable, grid.shape, [step], np.dtype(np.float32))
        for name, field in dataset.data_vars.items()
        if set(HORIZONTAL) <= set(field.dims)
    }
    others = {name: field for name, field in dataset.data_vars.items() if name not in fields}
    labels = {name: label for name, label in dataset.coords.items() if name not in HORIZONTAL}
    regridded = xr.Dataset({**fields, **others}, {**labels, **grid.coordinates}, dataset.attrs)
    regridded.encoding = dict(dataset.encoding)
    return regridded


class RegriddedClimatology:
    """A climatology on another grid.

    The mean is that of the regridded fields. Standard deviation and quantiles are area means of those on the finer
    grid, which are more spread than those of the regridded fields would be: prefer a climatology of the grid itself.
    """

    def __init__(self, climatology: Climatology, grid: Grid) -> None:
        self._climatology, self._grid = climatology, grid
        if has_quantiles(climatology):
            self.quantiles_at = self._quantiles_at

    def at(self, times: Times) -> tuple[xr.Dataset, xr.Dataset]:
        """Mean and standard deviation, as ``evaluation.climate.Climatology`` gives them.

        Raises
        ------
        ScoreError
            If its grid is coarser than the one that is asked for.
        """
        mean, std = self._climatology.at(times)
        return self._on_grid(mean), self._on_grid(std)

    def _quantiles_at(self, times: Times) -> xr.Dataset:
        return self._on_grid(self._climatology.quantiles_at(times))  # type: ignore[attr-defined]

    def _on_grid(self, dataset: xr.Dataset) -> xr.Dataset:
        source = Grid.of(dataset)
        if source.shape[0] * source.shape[1] < self._grid.shape[0] * self._grid.shape[1]:
            raise ScoreError(
                f"the climatology is on a {source}, with fewer points than the {self._grid} that is scored on; ask for "
                "a coarser one with --grid, or give a finer climatology"
            )
        return on_grid(dataset, self._grid)


def training_period(path: str | Path) -> tuple[np.datetime64, np.datetime64] | None:
    """First and last day that a climatology was made of, if known.

    A training store (or its ``day_of_year``) says it, as does a sample; of WeatherBench2's the name does.

    >>> training_period("gs://weatherbench2/datasets/era5-hourly-climatology/1990-2019_6h_64x32.zarr")[1]
    np.datetime64('2019-12-31T00:00:00.000000000')
    """
    years = _YEARS.search(str(path).rstrip("/").rpartition("/")[2])
    if years:
        return np.datetime64(f"{years[1]}-01-01", "ns"), np.datetime64(f"{years[2]}-12-31", "ns")
    stated = _stated(path)
    if stated:
        first, last = stated.split("..")
        return np.datetime64(first, "ns"), np.datetime64(last, "ns")
    folders = () if is_url(path) or not str(path).strip() else (Path(path), Path(path).parent)
    store = next((each for each in folders if is_store(each)), None)
    config = open_store(store).group.attrs.get("config") if store else None
    training = config.get("training_period") if isinstance(config, dict) else None
    if not isinstance(training, dict):
        return None
    return np.datetime64(str(training["start"]), "ns"), np.datetime64(str(training["stop"]), "ns")


def _stated(path: str | Path) -> str:
    """What a sample, or its file of harmonics, says of the days that it was made of; empty if there is none."""
    file = sample_path(CLIMATOLOGY) if str(path) == SAMPLE else Path(path)
    file = file / CLIMATOLOGY if str(path).strip() and is_sample_folder(file) else file
    if is_url(path) or not file.is_file() or file.suffix != ".nc":
        return ""
    with xr.open_dataset(file, engine="netcdf4", decode_times=False) as dataset:
        return str(dataset.attrs.get(TRAINING_PERIOD, ""))


def overlap(period: tuple[np.datetime64, np.datetime64] | None, valid_times: Sequence[np.datetime64]) -> str:
    """What is to be said of a climatology that was made of ``period``; empty if there is nothing.

    A climatology that knows the times that are scored is a baseline that a forecast cannot have had.
    """
    if period is None:
        return "the years of the climatology are not known; if the scored ones are among them, it is flattered"
    end = period[1] + np.timedelta64(1, "D")
    inside = sum(bool(period[0] <= time < end) for time in valid_times)
    if not inside:
        return ""
    return (
        f"{inside} of {len(valid_times)} valid times lie in the period of the climatology ({shown(period[0])} to "
        f"{shown(period[1])}): it has seen them, which flatters it, and skill against it is too low"
    )


def _asked(text: str) -> Grid:
    target = target_of(text)
    if not isinstance(target, Grid):
        raise ScoreError(f"got --grid {text}, expected a latitude-longitude grid such as equiangular:32x64 to score on")
    return target


def _regridder(source: Grid, target: Grid, name: str) -> Regridder:
    try:
        return _cached(source, target)
    except DataError as error:
        raise ScoreError(
            f"{name} is on a {source} and is to be scored on a {target} ({error}); give both on one grid"
        ) from error


@lru_cache(maxsize=16)
def _cached(source: Grid, target: Grid) -> Regridder:
    """One for all fields, as its weights are."""
    return Regridder(source, target)
