"""The training store: zarr v3, ``(time, channel, latitude, longitude)``, one time step per chunk, checksummed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
import zarr

from data_pipeline.channels import Channels
from data_pipeline.climatology import Climatology
from data_pipeline.day_of_year import DayOfYearClimatology
from data_pipeline.errors import DataError
from data_pipeline.grid import Grid
from data_pipeline.scaling import Scaling
from data_pipeline.shards import Shards
from data_pipeline.statistics import Statistics

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

EPOCH = np.datetime64("1970-01-01", "ns")
TENDENCY = "tendency_std_"
FORMAT = "sphercast training store 2"


@dataclass(frozen=True)
class TrainingStore:
    """A store: labels in memory, fields on disk. Shapes are (time, channel, latitude, longitude)."""

    path: Path
    channels: Channels
    grid: Grid
    times: NDArray[np.datetime64]
    group: zarr.Group

    @cached_property
    def shards(self) -> Shards:
        """The fields as they are stored, one state at a time: float32, or what ``scaling`` made of them."""
        array = _array(self.group, "fields")
        slots = (array.shards or array.chunks)[0]
        return Shards(self.path / "fields", slots, array.shape[1:], array.dtype)

    @cached_property
    def scaling(self) -> Scaling | None:
        """What makes physical units of stored numbers; None where they are physical."""
        if "scale" not in self.group:
            return None
        return Scaling(_values(self.group, "offset"), _values(self.group, "scale"))

    def read(self, positions: Sequence[int] | NDArray[np.integer]) -> NDArray[np.float32]:
        """Fields at positions along time, float32, in physical units: (len(positions), channel, latitude, longitude).

        Raises
        ------
        DataError
            If a shard is missing or damaged.
        """
        stored = np.empty((len(positions), *self.shards.shape), dtype=self.shards.dtype)
        for out, position in zip(stored, positions, strict=True):
            self.shards.read_into(int(position), out)
        return self.scaling.decode(stored) if self.scaling else stored

    @property
    def interval(self) -> np.timedelta64:
        """Time between two states; a DataError if there is only one."""
        if len(self.times) < 2:
            raise DataError(f"{self.path} holds one time, expected two or more to have an interval; build a longer one")
        return np.timedelta64(self.times[1] - self.times[0])

    @property
    def static(self) -> tuple[list[str], NDArray[np.float32]]:
        """Names and values (static, latitude, longitude) of the fields that never change."""
        return _names(self.group, "static"), np.asarray(_array(self.group, "static")[:], dtype=np.float32)

    @property
    def statistics(self) -> Statistics:
        """Moments, extremes and tendency standard deviations of the training period."""
        group = _group(self.group, "statistics")
        names = sorted(name for name in group.array_keys() if name.startswith(TENDENCY))
        tendencies = {int(name.removeprefix(TENDENCY)): _values(group, name) for name in names}
        others = (_values(group, name) for name in ("minimum", "maximum", "valid_fraction"))
        return Statistics(_values(group, "mean"), _values(group, "std"), tendencies, *others)

    @property
    def climatology(self) -> Climatology:
        """Seasonal mean and variance of the training period, as harmonics of the year."""
        group = _group(self.group, "climatology")
        return Climatology(self.channels, self.grid, _values(group, "mean"), _values(group, "variance"))

    @property
    def day_of_year(self) -> DayOfYearClimatology:
        """Mean, standard deviation and quantiles by hour and day of year; a DataError if it was not asked for."""
        return DayOfYearClimatology.from_group(_group(self.group, "day_of_year"), self.channels, self.grid)

    def dataset(self) -> xr.Dataset:
        """The fields as a canonical dataset, lazy, in physical units."""
        raw = xr.open_zarr(self.path, decode_timedelta=False)
        fields = raw["fields"]
        if self.scaling:
            scale, offset = (xr.DataArray(v, dims="channel") for v in (self.scaling.scale, self.scaling.offset))
            fields = fields.astype(np.float32) * scale + offset
        return self.channels.unstack_array(fields)


def is_store(path: Path) -> bool:
    """Whether ``path`` is a training store. One that is being built stands under ``partial_path`` instead."""
    return _format(path) == FORMAT


def _format(path: Path) -> str:
    label = path / "zarr.json"
    try:
        attributes = json.loads(label.read_text(encoding="utf-8")).get("attributes", {}) if label.is_file() else {}
    except ValueError as error:
        raise DataError(f"{label} is not readable ({error}), expected a zarr group; build or copy it again") from error
    return str(attributes.get("format", ""))


def open_store(path: Path) -> TrainingStore:
    """Open a finished store.

    Raises
    ------
    DataError
        If there is none at ``path``, or it is another kind of zarr.
    """
    if not path.exists():
        hint = "its build was interrupted: run the same 'sphercast data build' again to resume"
        missing = hint if partial_path(path).exists() else "make it with 'sphercast data build CONFIG'"
        raise DataError(f"no training store at {path}; {missing}")
    if not is_store(path):
        kind = _format(path) or "something else"
        raise DataError(f"{path} is {kind}, expected a {FORMAT}; make it with 'sphercast data build CONFIG'")
    return store_of(path, zarr.open_group(path, mode="r"))


def store_of(path: Path, group: zarr.Group) -> TrainingStore:
    """The store that an open zarr group at ``path`` holds; a DataError if its labels are damaged."""
    times = EPOCH + _values(group, "time").astype("timedelta64[h]")
    if np.any(np.diff(times) <= np.timedelta64(0)):
        raise DataError(f"the times of {path} do not ascend, so a file of it is lost; build or copy it again")
    latitude, longitude = (tuple(map(float, _values(group, name))) for name in ("latitude", "longitude"))
    return TrainingStore(path, Channels.from_names(_names(group, "channels")), Grid(latitude, longitude), times, group)


def partial_path(path: Path) -> Path:
    """The folder that a store is built in."""
    return path.with_name(path.name + ".partial")


def _member(group: zarr.Group, name: str) -> zarr.Array[Any] | zarr.Group:
    if name not in group:
        raise DataError(f"{group.store_path} lacks {name!r}, so it is not whole; build or copy it again")
    return group[name]


def _array(group: zarr.Group, name: str) -> zarr.Array[Any]:
    array = _member(group, name)
    assert isinstance(array, zarr.Array)
    return array


def _group(group: zarr.Group, name: str) -> zarr.Group:
    inner = _member(group, name)
    assert isinstance(inner, zarr.Group)
    return inner


def _values(group: zarr.Group, name: str) -> NDArray[Any]:
    values = np.asarray(_array(group, name)[:])
    if values.dtype.kind == "f" and values.size and np.isnan(values).all():  # what a lost file reads as
        raise DataError(f"{group.store_path} lost the values of {name!r}, so it is not whole; build or copy it again")
    return values


def _names(group: zarr.Group, attribute: str) -> list[str]:
    names = group.attrs[attribute]
    assert isinstance(names, list)
    return [str(name) for name in names]
