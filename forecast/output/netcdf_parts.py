"""The parts that NetCDF files of fields and of products have in common, made by the netCDF library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import h5py
import netCDF4
import numpy as np

from data_pipeline.times import HOUR
from forecast.output.attributes import EPOCH_HOURS, hours_since_epoch

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

BOUNDS = "bnds"
"""The dimension of the two ends of an interval."""
MISSING = np.float32(np.nan)
_ROOM = 2**20


def write_parts(path: Path, define: Callable[[netCDF4.Dataset], None]) -> None:
    """A new file as ``define`` makes it; equal definitions make equal bytes.

    Raises
    ------
    OSError
        If the disk is full or fails.
    """
    path.write_bytes(bytes(_ROOM))  # of a full disk the netCDF library says only 'HDF error'
    with netCDF4.Dataset(path, "w", format="NETCDF4") as file:
        define(file)
    with h5py.File(path, "r+") as plain:
        _say_what_is_missing(plain)


def define_axis(file: netCDF4.Dataset, name: str, values: NDArray[Any], **attributes: str) -> None:
    """A dimension with its coordinate."""
    file.createDimension(name, len(values))
    define_coordinate(file, name, (name,), values, **attributes)


def define_coordinate(file: netCDF4.Dataset, name: str, dims: tuple[str, ...], values: Any, **attributes: str) -> None:
    """A coordinate along dimensions that are there; without any it is a scalar."""
    coordinate = file.createVariable(name, np.asarray(values).dtype, dims)
    coordinate[...] = values
    coordinate.setncatts(attributes)


def define_times(
    file: netCDF4.Dataset, times: NDArray[np.datetime64], initial_time: np.datetime64, sum_of: np.timedelta64 | None
) -> None:
    """Valid times, lead times and the initial time; with the bounds of sums over ``sum_of``, if there are any.

    Raises
    ------
    DataError
        If times are not whole hours.
    """
    bounds = {} if sum_of is None else {"bounds": "time_bnds"}
    define_axis(file, "time", hours_since_epoch(times), standard_name="time", long_name="valid time", axis="T",
                **EPOCH_HOURS, **bounds)  # fmt: skip
    if sum_of is not None:
        file.createDimension(BOUNDS, 2)
        ends = np.stack([times - sum_of, times], -1)
        define_coordinate(file, "time_bnds", ("time", BOUNDS), hours_since_epoch(ends))
    define_coordinate(
        file, "forecast_period", ("time",), np.asarray((times - initial_time) / HOUR, np.float64),
        standard_name="forecast_period", units="hours", long_name="time since the initial time",
    )  # fmt: skip
    define_coordinate(
        file, "forecast_reference_time", (), hours_since_epoch(initial_time),
        standard_name="forecast_reference_time", long_name="initial time", **EPOCH_HOURS,
    )  # fmt: skip


def define_heights(file: netCDF4.Dataset, heights: Mapping[str, int]) -> None:
    """Scalar coordinates of variables at a height above the ground, in metres."""
    for name, height in heights.items():
        define_coordinate(file, name, (), np.float64(height), standard_name="height",
                          long_name="height above the ground", units="m", positive="up")  # fmt: skip


def define_field(
    file: netCDF4.Dataset, name: str, dims: tuple[str, ...], whole: Collection[str], compression: int, *,
    plain: bool = False,
) -> netCDF4.Variable[Any]:  # fmt: skip
    """A variable of float32, whose chunks have all of the dimensions ``whole``, missing until they are written.

    A ``plain`` one has no chunks, its values follow each other in the file, and each must be written.
    """
    if plain:
        return file.createVariable(name, "f4", dims, contiguous=True, fill_value=False)
    chunks = [len(file.dimensions[dim]) if dim in whole else 1 for dim in dims]
    deflated: dict[str, Any] = {"zlib": True, "complevel": compression, "shuffle": True} if compression else {}
    return file.createVariable(name, "f4", dims, chunksizes=chunks, fill_value=MISSING, **deflated)


def _say_what_is_missing(file: h5py.File) -> None:
    """The fill value of plain fields, which the netCDF library would write everywhere before they are written."""
    for field in file.values():
        if field.dtype == MISSING.dtype and field.chunks is None:
            field.attrs.create("_FillValue", MISSING, (1,))
