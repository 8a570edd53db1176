"""Zarr stores in WeatherBench2's forecast layout."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr

from tests.forecast.outputs import CHANNELS, INITIAL, LAYOUT, STOP, TIMES, all_states, write_one

if TYPE_CHECKING:
    from pathlib import Path


DIMS = ("time", "prediction_timedelta", "realization", "level", "latitude", "longitude")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_one(tmp_path_factory.mktemp("zarr"), "forecast.zarr")


def test_the_layout_of_weatherbench2(path: Path) -> None:
    with xr.open_zarr(path, decode_timedelta=True) as opened:
        assert opened["temperature"].dims == DIMS
        assert opened["2m_temperature"].dims == tuple(dim for dim in DIMS if dim != "level")
        assert opened["time"].values == [INITIAL]
        np.testing.assert_array_equal(opened["prediction_timedelta"], TIMES - INITIAL)
        assert opened["realization"].values.tolist() == [0, 1, 2], "0 is no missing value"
        assert opened["level"].values.tolist() == [500, 850]
        assert opened["steps_completed"].values.tolist() == [3, 3, 3]
        assert opened["height_2m"] == 2


def test_xarray_reads_back_what_was_written(path: Path) -> None:
    with xr.open_zarr(path, decode_timedelta=True, chunks=None) as opened:
        fields = CHANNELS.stack(opened[list(CHANNELS.variables)].isel(time=0))
        np.testing.assert_array_equal(fields.transpose("realization", "prediction_timedelta", ...), all_states())
        assert np.isnan(opened["geopotential"].sel(level=850)).all()


@pytest.mark.parametrize("compression", [0, 9])
def test_any_compression(tmp_path: Path, compression: int) -> None:
    with xr.open_zarr(write_one(tmp_path, "f.zarr", compression=compression), chunks=None) as opened:
        np.testing.assert_array_equal(opened["2m_temperature"][0], np.swapaxes(all_states(), 0, 1)[:, :, 4])


def test_metadata_is_in_one_file_and_says_what_variables_are(path: Path) -> None:
    metadata = json.loads((path / ".zmetadata").read_text())["metadata"]
    assert {f"{name}/.zarray" for name in CHANNELS.variables} <= set(metadata)
    about = metadata["total_precipitation/.zattrs"]
    assert about["standard_name"] == "lwe_thickness_of_precipitation_amount"
    assert about["units"] == "m"
    assert about["cell_methods"] == "prediction_timedelta: sum"
    assert metadata[".zattrs"]["channels"].split() == CHANNELS.names
    assert metadata[".zattrs"]["seed"] == "7"


def test_levels_of_a_variable_are_one_chunk(path: Path) -> None:
    assert len([file for file in (path / "temperature").iterdir() if file.name[0] != "."]) == 9
    assert json.loads((path / "temperature" / ".zarray").read_text())["chunks"] == [1, 1, 1, 2, 8, 16]


def test_region_across_greenwich_and_lead_times(tmp_path: Path) -> None:
    with xr.open_zarr(write_one(tmp_path, "f.zarr", region=(0, 70, -50, 50), lead_hours=(24,)), chunks=None) as opened:
        assert opened["longitude"].values.tolist() == [-45, -22.5, 0, 22.5, 45]
        expected = all_states()[:, 1, 3, 1:4][..., [14, 15, 0, 1, 2]]
        np.testing.assert_array_equal(opened["mean_sea_level_pressure"][0, 0], expected)


def test_stopped_members_are_said(tmp_path: Path) -> None:
    from forecast.output import OutputConfig
    from tests.forecast.outputs import write

    (path,) = write(tmp_path, OutputConfig(name="f.zarr"), stopped={1: STOP})
    with xr.open_zarr(path, chunks=None) as opened:
        assert opened["steps_completed"].values.tolist() == [3, 1, 3]
        assert opened.attrs["stopped_members"] == str(STOP)


def test_no_reader_opens_it_before_the_end(tmp_path: Path) -> None:
    from forecast.output import OutputConfig, open_sinks
    from tests.forecast.outputs import put

    (sink,) = open_sinks([OutputConfig(name="f.zarr")], LAYOUT, {}, tmp_path, 0)
    put([sink])
    assert not list((tmp_path / "f.zarr").rglob(".z*"))
    sink.close()
