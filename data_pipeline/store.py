"""The training store: zarr v3, ``(time, channel, latitude, longitude)``, one time step per chunk, checksummed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
import zarr
from zarr.codecs import BloscCodec, Crc32cCodec

from data_pipeline.channels import Channels
from data_pipeline.climatology import Climatology
from data_pipeline.errors import DataError
from data_pipeline.grid import Grid
from data_pipeline.publish import sync_tree
from data_pipeline.statistics import Statistics
from data_pipeline.times import whole_hours
from data_pipeline.variables import COORDINATE_ATTRIBUTES

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

TIMES_PER_SHARD = 64
_EPOCH = np.datetime64("1970-01-01", "ns")
_HOURS = "hours since 1970-01-01"
_TENDENCY = "tendency_std_"
FORMAT = "sphercast training store 1"


@dataclass(frozen=True)
class TrainingStore:
    """A store: labels in memory, fields on disk. Shapes are (time, channel, latitude, longitude)."""

    path: Path
    channels: Channels
    grid: Grid
    times: NDArray[np.datetime64]
    group: zarr.Group

    @cached_property
    def fields(self) -> zarr.Array[Any]:
        """The fields on disk, float32, in physical units."""
        return _array(self.group, "fields")

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
        """Mean, standard deviation and tendency standard deviations of the training period."""
        group = _group(self.group, "statistics")
        names = sorted(name for name in group.array_keys() if name.startswith(_TENDENCY))
        tendencies = {int(name.removeprefix(_TENDENCY)): _values(group, name) for name in names}
        return Statistics(_values(group, "mean"), _values(group, "std"), tendencies)

    @property
    def climatology(self) -> Climatology:
        """Seasonal mean and variance of the training period."""
        group = _group(self.group, "climatology")
        return Climatology(self.channels, self.grid, _values(group, "mean"), _values(group, "variance"))

    def dataset(self) -> xr.Dataset:
        """The fields as a canonical dataset, lazy."""
        raw = xr.open_zarr(self.path, consolidated=False, decode_timedelta=False)
        return self.channels.unstack_array(raw["fields"])


def is_store(path: Path) -> bool:
    """Whether ``path`` is a training store. One that is being built stands under ``partial_path`` instead."""
    label = path / "zarr.json"
    try:
        attributes = json.loads(label.read_text(encoding="utf-8")).get("attributes", {}) if label.is_file() else {}
    except ValueError as error:
        raise DataError(f"{label} is not readable ({error}), expected a zarr group; build or copy it again") from error
    return bool(attributes.get("format") == FORMAT)


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
        raise DataError(f"{path} is not a training store; expected one made by 'sphercast data build CONFIG'")
    group = zarr.open_group(path, mode="r")
    return store_of(path, group)


def store_of(path: Path, group: zarr.Group) -> TrainingStore:
    """The store that an open zarr group at ``path`` holds."""
    times = _EPOCH + _values(group, "time").astype("timedelta64[h]")
    latitude, longitude = (tuple(map(float, _values(group, name))) for name in ("latitude", "longitude"))
    return TrainingStore(path, Channels.from_names(_names(group, "channels")), Grid(latitude, longitude), times, group)


def partial_path(path: Path) -> Path:
    """The folder that a store is built in."""
    return path.with_name(path.name + ".partial")


def create(
    path: Path, channels: Channels, grid: Grid, times: NDArray[np.datetime64], *, static: xr.Dataset,
    attributes: dict[str, Any],
) -> zarr.Group:  # fmt: skip
    """An empty store with its labels; fields are NaN until they are written.

    Raises
    ------
    DataError
        If a time is not a whole hour: times are stored as hours.
    """
    hours = whole_hours(times, _EPOCH)
    names = [str(name) for name in static.data_vars]
    group = zarr.open_group(path, mode="w", zarr_format=3)
    _label(group, "time", hours, units=_HOURS, calendar="proleptic_gregorian", standard_name="time")
    for name, values in grid.coordinates.items():
        _label(group, name, np.asarray(values), **COORDINATE_ATTRIBUTES[name])
    fields = (len(channels), *grid.shape)
    group.create_array(
        "fields",
        shape=(len(times), *fields),
        chunks=(1, *fields),
        shards=(TIMES_PER_SHARD, *fields),
        dtype="float32",
        compressors=[BloscCodec(cname="lz4", clevel=5, shuffle="shuffle"), Crc32cCodec()],
        fill_value=np.nan,
        dimension_names=("time", "channel", "latitude", "longitude"),
    )
    fixed = np.stack([static[name].values for name in names]) if names else np.zeros((0, *grid.shape))
    _put(group, "static", fixed.astype(np.float32), ("static", "latitude", "longitude"))
    group.attrs.update({"channels": channels.names, "static": names, **attributes})
    return group


def write_shard(path: Path, start: int, values: NDArray[np.float32]) -> None:
    """Put ``values`` (time, channel, latitude, longitude) at times from ``start``, a multiple of TIMES_PER_SHARD."""
    fields = _array(zarr.open_group(path, mode="r+"), "fields")
    fields[start : start + len(values)] = values
    sync_tree(path / "fields" / "c" / str(start // TIMES_PER_SHARD))


def remove_torn_writes(path: Path) -> None:
    """Remove what zarr leaves where it was killed while writing a file."""
    for torn in path.rglob("*.partial"):
        torn.unlink()


def write_summaries(group: zarr.Group, statistics: Statistics, climatology: Climatology) -> None:
    """Add statistics and climatology; what was there of an interrupted attempt is replaced."""
    summary = group.create_group("statistics", overwrite=True)
    _put(summary, "mean", statistics.mean, ("channel",))
    _put(summary, "std", statistics.std, ("channel",))
    for hours, values in statistics.tendency_std.items():
        _put(summary, f"{_TENDENCY}{hours}", values, ("channel",))
    seasons = group.create_group("climatology", overwrite=True)
    for name, values in (("mean", climatology.mean), ("variance", climatology.variance)):
        _put(seasons, name, values, ("harmonic", "channel", "latitude", "longitude"))


def _label(group: zarr.Group, name: str, values: NDArray[Any], **attributes: str) -> None:
    _put(group, name, values, (name,)).attrs.update(attributes)


def _put(group: zarr.Group, name: str, values: NDArray[Any], dims: tuple[str, ...]) -> zarr.Array[Any]:
    chunks = tuple(max(size, 1) for size in values.shape)
    array = group.create_array(
        name, shape=values.shape, chunks=chunks, dtype=values.dtype, dimension_names=dims, overwrite=True
    )
    array[...] = values
    return array


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
    return np.asarray(_array(group, name)[:])


def _names(group: zarr.Group, attribute: str) -> list[str]:
    names = group.attrs[attribute]
    assert isinstance(names, list)
    return [str(name) for name in names]
