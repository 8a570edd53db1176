"""Files of NetCDF's classic format that are cut short are refused, and whole ones are not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import netCDF4
import numpy as np
import pytest
import xarray as xr

from data_pipeline.errors import DataError
from data_pipeline.netcdf_classic import check_whole
from data_pipeline.sources.opening import open_raw, raw_parts

if TYPE_CHECKING:
    from pathlib import Path

CLASSIC = ("NETCDF3_CLASSIC", "NETCDF3_64BIT_OFFSET", "NETCDF3_64BIT_DATA")
LAYOUTS = {
    "fixed": {"t": ("x", "y")},
    "a record": {"t": ("time", "x"), "z": ("x", "y")},
    "records beside each other": {"t": ("time", "x"), "odd": ("time", "y"), "bare": ("time",)},
    "scalars": {"one": ()},
}


def file_of(path: Path, form: str, layout: dict[str, tuple[str, ...]], records: int = 3) -> Path:
    """Shorts and doubles over an odd number of points, so that padding matters, and attributes of every length."""
    with netCDF4.Dataset(path, "w", format=form) as file:
        for name, length in (("time", None), ("x", 5), ("y", 3)):
            file.createDimension(name, length)
        file.setncatts({"title": "odd", "numbers": np.arange(3, dtype="i2")})
        for number, (name, dims) in enumerate(layout.items()):
            variable = file.createVariable(name, "i2" if number % 2 else "f8", dims)
            variable.units = "m s-1"
            shape = tuple({"time": records, "x": 5, "y": 3}[dim] for dim in dims)
            variable[:] = np.ones(shape)
    return path


@pytest.mark.parametrize("form", CLASSIC)
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_every_layout_is_whole_and_is_not_when_cut(tmp_path: Path, form: str, layout: dict) -> None:
    path = file_of(tmp_path / "whole.nc", form, layout)
    check_whole(path)
    content = path.read_bytes()
    (tmp_path / "cut.nc").write_bytes(content[:-5])
    with pytest.raises(EOFError, match=r"^truncated: it has \d+ bytes, its header says \d+$"):
        check_whole(tmp_path / "cut.nc")
    for size in (5, 30, len(content) // 2):  # in the header or after it
        (tmp_path / f"cut{size}.nc").write_bytes(content[:size])
        with pytest.raises(DataError, match=rf"cut{size}.nc as zarr .* \((truncated|its header is damaged).*complete"):
            open_raw(tmp_path / f"cut{size}.nc")


@pytest.mark.parametrize("form", CLASSIC)
def test_a_file_that_nothing_was_written_to_is_whole(tmp_path: Path, form: str) -> None:
    check_whole(file_of(tmp_path / "empty.nc", form, LAYOUTS["a record"], records=0))


def test_a_header_of_unknown_types(tmp_path: Path) -> None:
    content = file_of(tmp_path / "whole.nc", CLASSIC[0], LAYOUTS["fixed"]).read_bytes()
    title = b"title\0\0\0\0\0\0"  # its name, padded, and the type of its value
    assert title + b"\2" in content
    (tmp_path / "odd.nc").write_bytes(content.replace(title + b"\2", title + b"\x63"))
    with pytest.raises(DataError, match=r"odd.nc as zarr or NetCDF \(its header is damaged\); is it complete"):
        open_raw(tmp_path / "odd.nc")


def test_files_of_other_formats_are_not_looked_at(tmp_path: Path) -> None:
    for name, content in (("hdf.nc", b"\x89HDF\r\n"), ("other", b"CDF\x09"), ("empty", b"")):
        (tmp_path / name).write_bytes(content)
        check_whole(tmp_path / name)


def test_states_of_a_truncated_file_are_not_zeros(tmp_path: Path) -> None:
    path = tmp_path / "states.nc"
    fields = np.ones((4, 6, 8), dtype=np.float32)
    xr.Dataset({"t2m": (("time", "latitude", "longitude"), fields)}, {"time": np.arange(4)}).to_netcdf(
        path, engine="netcdf4", format="NETCDF3_CLASSIC"
    )
    path.write_bytes(path.read_bytes()[:-300])
    for opening in (open_raw, raw_parts):
        with pytest.raises(DataError, match=r"states.nc as zarr or NetCDF \(truncated: it has \d+ bytes.*complete"):
            opening(path)
