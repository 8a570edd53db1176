"""The writing side of the training store: labels at its creation, summaries at its end."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr
from zarr.codecs import BloscCodec, Crc32cCodec

from data_pipeline.shards import COMPRESSION_LEVEL, COMPRESSOR
from data_pipeline.store import EPOCH, TENDENCY
from data_pipeline.times import whole_hours
from data_pipeline.variables import COORDINATE_ATTRIBUTES

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr
    from numpy.typing import NDArray

    from data_pipeline.climatology import Climatology
    from data_pipeline.config import DataConfig
    from data_pipeline.scaling import Scaling
    from data_pipeline.statistics import Statistics

_HOURS = "hours since 1970-01-01"


def create(
    path: Path, config: DataConfig, static: xr.Dataset, scaling: Scaling | None, attributes: dict[str, Any]
) -> None:
    """An empty store with its labels and static fields; its fields are NaN until shards are written.

    Raises
    ------
    DataError
        If a time is not a whole hour: times are stored as hours.
    """
    grid, times = config.grid.build(), config.times
    hours = whole_hours(times, EPOCH)
    names = [str(name) for name in static.data_vars]
    group = zarr.open_group(path, mode="w", zarr_format=3)
    _label(group, "time", hours, units=_HOURS, calendar="proleptic_gregorian", standard_name="time")
    for name, values in grid.coordinates.items():
        _label(group, name, np.asarray(values), **COORDINATE_ATTRIBUTES[name])
    state = (len(config.channels), *grid.shape)
    group.create_array(
        "fields",
        shape=(len(times), *state),
        chunks=(1, *state),
        shards=(config.slots, *state),
        dtype=config.precision,
        compressors=[BloscCodec(cname=COMPRESSOR, clevel=COMPRESSION_LEVEL, shuffle="shuffle"), Crc32cCodec()],
        fill_value=np.nan,
        dimension_names=("time", "channel", "latitude", "longitude"),
        attributes={"units": "1, see offset and scale" if scaling else "as of the channels"},
    )
    if scaling:
        _put(group, "offset", scaling.offset, ("channel",)).attrs["description"] = "physical = offset + scale * stored"
        _put(group, "scale", scaling.scale, ("channel",)).attrs["description"] = "physical = offset + scale * stored"
    fixed = np.stack([static[name].values for name in names]) if names else np.zeros((0, *grid.shape))
    _put(group, "static", fixed.astype(np.float32), ("static", "latitude", "longitude"))
    group.attrs.update({"channels": config.channels.names, "static": names, **attributes})


def write_statistics(group: zarr.Group, statistics: Statistics) -> None:
    """Add statistics; what was there of an interrupted attempt is replaced."""
    summary = group.create_group("statistics", overwrite=True)
    for name in ("mean", "std", "minimum", "maximum", "valid_fraction"):
        _put(summary, name, getattr(statistics, name), ("channel",))
    for hours, values in statistics.tendency_std.items():
        _put(summary, f"{TENDENCY}{hours}", values, ("channel",))


def write_climatology(group: zarr.Group, climatology: Climatology) -> None:
    """Add harmonics; what was there of an interrupted attempt is replaced."""
    seasons = group.create_group("climatology", overwrite=True)
    for name, values in (("mean", climatology.mean), ("variance", climatology.variance)):
        _put(seasons, name, values, ("harmonic", "channel", "latitude", "longitude"))


def consolidate(path: Path) -> None:
    """Put the metadata of all arrays into the group's, so that a store opens with one read."""
    with warnings.catch_warnings():  # zarr-python warns that format 3 does not list it yet; readers that ignore it work
        warnings.filterwarnings("ignore", "Consolidated metadata", UserWarning)
        zarr.consolidate_metadata(path)


def remove_torn_writes(path: Path) -> None:
    """Remove what a killed process left where it was writing a file."""
    for torn in path.rglob("*.partial"):
        torn.unlink()


def _label(group: zarr.Group, name: str, values: NDArray[Any], **attributes: str) -> None:
    _put(group, name, values, (name,)).attrs.update(attributes)


def _put(group: zarr.Group, name: str, values: NDArray[Any], dims: tuple[str, ...]) -> zarr.Array[Any]:
    chunks = tuple(max(size, 1) for size in values.shape)
    missing = np.nan if values.dtype.kind == "f" else 0  # what a lost file reads as: never a plausible number
    array = group.create_array(
        name, shape=values.shape, chunks=chunks, dtype=values.dtype, fill_value=missing, dimension_names=dims,
        overwrite=True,
    )  # fmt: skip
    array[...] = values
    return array
