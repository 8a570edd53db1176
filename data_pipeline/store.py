"""The training store: zarr v3, ``(time, channel, latitude, longitude)``, one time step per chunk, checksummed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
import zarr
from zarr.codecs import BloscCodec, Crc32cCodec

from data_pipeline.channels import Channels
from data_pipeline.climatology import Climatology
from data_pipeline.errors import DataError
from data_pipeline.grid import Grid
from data_pipeline.statistics import Statistics

if TYPE_CHECKING:
    from numpy.typing import NDArray

TIMES_PER_SHARD = 64
_EPOCH = "hours since 1970-01-01"
FORMAT = "sphercast training store 1"


@dataclass(frozen=True)
class TrainingStore:
    """A finished store: labels in memory, fields on disk. Shapes are (time, channel, latitude, longitude)."""

    path: Path
    channels: Channels
    grid: Grid
    times: NDArray[np.datetime64]
    group: zarr.Group

    @property
    def fields(self) -> zarr.Array[Any]:
        """The fields on disk, float32, in physical units."""
        return _array(self.group, "fields")

    @property
    def interval(self) -> np.timedelta64:
        """Time between two states."""
        return np.timedelta64(self.times[1] - self.times[0])

    @property
    def static(self) -> tuple[list[str], NDArray[np.float32]]:
        """Names and values (static, latitude, longitude) of the fields that never change."""
        names = list(self.group.attrs["static"])  # type: ignore[call-overload]
        return names, np.asarray(_array(self.group, "static")[:], dtype=np.float32)

    @property
    def statistics(self) -> Statistics:
        """Mean, standard deviation and tendency standard deviations of the training period."""
        group = self.group["statistics"]
        tendencies = {int(name.rpartition("_")[2]): values[:] for name, values in group.arrays() if "tendency" in name}
        return Statistics(np.asarray(group["mean"][:]), np.asarray(group["std"][:]), tendencies)

    @property
    def climatology(self) -> Climatology:
        """Seasonal mean and variance of the training period."""
        group = self.group["climatology"]
        return Climatology(self.channels, self.grid, np.asarray(group["mean"][:]), np.asarray(group["variance"][:]))

    def dataset(self) -> xr.Dataset:
        """The fields as a canonical dataset, lazy."""
        with xr.open_zarr(self.path, consolidated=False, decode_timedelta=False) as raw:
            return self.channels.unstack_array(raw["fields"])


def is_store(path: Path) -> bool:
    """Whether ``path`` is a finished training store."""
    return (path / "zarr.json").is_file() and zarr.open_group(path, mode="r").attrs.get("format") == FORMAT


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
    hours = np.asarray(_array(group, "time")[:])
    times = np.datetime64("1970-01-01", "ns") + hours.astype("timedelta64[h]")
    coordinates = (tuple(_array(group, name)[:].tolist()) for name in ("latitude", "longitude"))  # type: ignore[union-attr]
    channels = Channels.from_names(group.attrs["channels"])  # type: ignore[arg-type]
    return TrainingStore(path, channels, Grid(*coordinates), times, group)


def partial_path(path: Path) -> Path:
    """Where a store stands while it is being built."""
    return path.with_name(path.name + ".partial")


def create(
    path: Path, channels: Channels, grid: Grid, times: NDArray[np.datetime64], static: xr.Dataset, attributes: dict[str, Any]
) -> zarr.Group:
    """An empty store with its labels; fields are NaN until they are written."""
    names = [str(name) for name in static.data_vars]
    group = zarr.open_group(path, mode="w", zarr_format=3)
    hours = (times - np.datetime64("1970-01-01", "ns")) // np.timedelta64(1, "h")
    _label(group, "time", hours.astype(np.int64), units=_EPOCH, calendar="proleptic_gregorian", standard_name="time")
    _label(group, "latitude", np.asarray(grid.latitude), units="degrees_north", standard_name="latitude")
    _label(group, "longitude", np.asarray(grid.longitude), units="degrees_east", standard_name="longitude")
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
    values = np.stack([static[name].values for name in names]) if names else np.zeros((0, *grid.shape))
    _put(group, "static", values.astype(np.float32), ("static", "latitude", "longitude"))
    group.attrs.update({"channels": channels.names, "static": names, **attributes})
    return group


def write_summaries(group: zarr.Group, statistics: Statistics, climatology: Climatology) -> None:
    """Add statistics and climatology; what was there of an interrupted attempt is replaced."""
    summary = group.require_group("statistics")
    _put(summary, "mean", statistics.mean, ("channel",))
    _put(summary, "std", statistics.std, ("channel",))
    for hours, values in statistics.tendency_std.items():
        _put(summary, f"tendency_std_{hours}", values, ("channel",))
    seasons = group.require_group("climatology")
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


def _array(group: zarr.Group, name: str) -> zarr.Array[Any]:
    array = group[name]
    assert isinstance(array, zarr.Array)
    return array
