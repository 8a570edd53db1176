"""Real GRIB files beside a plain loop over their messages, and beside NetCDF of the same fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr

from data_pipeline.canonical import canonicalise
from data_pipeline.errors import DataError
from data_pipeline.sources.grib import GribSource
from tests.data_pipeline.grib_messages import eccodes, everything

if TYPE_CHECKING:
    from pathlib import Path


def by_hand(path: Path, names: dict[str, str], **asked: int) -> dict[tuple[str, int, str], np.ndarray]:
    """Fields of a file in double precision by (canonical name, level, valid time), one message after the other."""
    fields = {}
    with path.open("rb") as file:
        while (handle := eccodes.codes_grib_new_from_file(file)) is not None:
            short, level, day, hour = (
                eccodes.codes_get(handle, key) for key in ("shortName", "level", "validityDate", "validityTime")
            )
            if short in names and all(eccodes.codes_get(handle, key) == value for key, value in asked.items()):
                shape = eccodes.codes_get(handle, "Nj"), eccodes.codes_get(handle, "Ni")
                fields[names[short], level, f"{day}T{hour:04}"] = eccodes.codes_get_values(handle).reshape(shape)
            eccodes.codes_release(handle)
    return fields


@pytest.mark.parametrize(
    ("name", "options", "asked"),
    [
        ("ifs_forecast_10deg.grib", {"step_hours": 6}, {"endStep": 6}),
        ("ifs_forecast_10deg.grib", {"step_hours": 0}, {"endStep": 0}),
        ("era5_eda_members_3deg.grib", {"member": 7}, {"number": 7}),
        ("era5_z_t_1deg.grib", {}, {}),
    ],
)
def test_real_files_are_as_a_plain_loop_reads_them(
    real_data: Path, name: str, options: dict[str, int], asked: dict[str, int]
) -> None:
    names = {"z": "geopotential", "t": "temperature", "u": "u_component_of_wind", "r": "relative_humidity"}
    result = everything(GribSource(path=str(real_data / name), **options), set(names.values())).compute()
    expected = by_hand(real_data / name, names, **asked)
    assert sum(field.sizes["time"] * field.sizes["level"] for field in result.data_vars.values()) == len(expected)
    for (variable, level, time), values in expected.items():
        stamp = np.datetime64(f"{time[:4]}-{time[4:6]}-{time[6:8]}T{time[9:11]}:{time[11:]}")
        np.testing.assert_allclose(result[variable].sel(level=level, time=stamp), values, rtol=1e-6, atol=1e-6)


def test_the_same_fields_from_grib_and_netcdf(real_data: Path) -> None:
    result = everything(GribSource(path=str(real_data / "era5_z_t_1deg.grib")), {"geopotential", "temperature"})
    with xr.open_dataset(real_data / "era5_z_t_1deg.nc", engine="netcdf4") as file:
        expected = canonicalise(file).load()
    for name, field in expected.data_vars.items():
        step = np.ptp(field.values) / 2**16  # both are packed in 16 bits
        np.testing.assert_allclose(result[name], field, rtol=0, atol=2 * step)
    np.testing.assert_array_equal(result["longitude"], expected["longitude"])


def test_real_files_that_need_a_choice(real_data: Path) -> None:
    with pytest.raises(DataError, match="has members 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, got no choice"):
        GribSource(path=str(real_data / "era5_eda_members_3deg.grib")).open({"temperature"})
    with pytest.raises(DataError, match="has forecast steps of 0, 6 h, got no choice"):
        GribSource(path=str(real_data / "ifs_forecast_10deg.grib")).open({"temperature"})
