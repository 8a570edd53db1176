"""A training store of random fields in a moment, made of zarr's own arrays and ``write_shard``, not by a build."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import zarr
from zarr.codecs import BloscCodec, Crc32cCodec

from data_pipeline.grid import Grid
from data_pipeline.integrity import write_sums
from data_pipeline.moments import Moments
from data_pipeline.scaling import Scaling
from data_pipeline.shards import shard_path, write_shard
from data_pipeline.store import EPOCH, TrainingStore, store_of
from tests.mock_world import mock_times

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

GRID = Grid.gaussian(4, 8)
CHANNELS = ["temperature_500", "temperature_850", "2m_temperature"]
SLOTS = 8
TIMES = mock_times("2000-01-01", 30)


def small_fields(count: int = 30, seed: int = 0) -> NDArray[np.float32]:
    """(count, channel, latitude, longitude), every value another one."""
    noise = np.random.default_rng(seed).standard_normal((count, len(CHANNELS), *GRID.shape), dtype=np.float32)
    return 280 + 10 * noise


def create_fields(
    group: zarr.Group, count: int, dtype: str = "float32", shape: tuple[int, ...] = ()
) -> zarr.Array[Any]:
    """An empty array as the training store has one."""
    state = shape or (len(CHANNELS), *GRID.shape)
    return group.create_array(
        "fields", shape=(count, *state), chunks=(1, *state), shards=(SLOTS, *state), dtype=dtype, fill_value=np.nan,
        compressors=[BloscCodec(cname="lz4", clevel=5, shuffle="shuffle"), Crc32cCodec()],
        dimension_names=("time", "channel", "latitude", "longitude"),
    )  # fmt: skip


def write_fields(array: Path, stored: NDArray[Any], slots: int = SLOTS) -> None:
    """All shards of ``stored`` (time, ...)."""
    for number in range(-(-len(stored) // slots)):
        write_shard(shard_path(array, number), stored[number * slots : (number + 1) * slots], slots)


def small_store(
    path: Path, fields: NDArray[np.float32], *, half: bool = False, valid_fraction: tuple[float, ...] = (1, 1, 1)
) -> TrainingStore:
    """A store at ``path`` that holds ``fields``, in float16 if ``half``."""
    scaling = Scaling.of(Moments.of(fields, np.ones(fields.shape[2]))) if half else None
    stored = scaling.encode(fields) if scaling else fields
    group = zarr.open_group(path, mode="w", zarr_format=3)
    hours = (mock_times("2000-01-01", len(fields)) - EPOCH) // np.timedelta64(1, "h")
    small = {"time": hours.astype(np.int64), **{name: np.asarray(axis) for name, axis in GRID.coordinates.items()}}
    for name, values in small.items():
        group.create_array(name, data=values)
    if scaling:
        group.create_array("scale", data=scaling.scale)
        group.create_array("offset", data=scaling.offset)
    statistics = group.create_group("statistics")
    for name in ("mean", "std", "minimum", "maximum"):
        statistics.create_array(name, data=np.ones(len(CHANNELS)))
    statistics.create_array("valid_fraction", data=np.array(valid_fraction, dtype=np.float64))
    group.attrs["channels"] = CHANNELS
    create_fields(group, len(fields), stored.dtype.name)
    write_fields(path / "fields", stored)
    write_sums(path, {})
    return store_of(path, zarr.open_group(path, mode="r"))
