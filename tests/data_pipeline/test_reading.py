"""Opening whatever holds states."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from data_pipeline import reading
from data_pipeline.errors import DataError
from data_pipeline.reading import describe, find_climatology, open_states
from data_pipeline.store import open_store, partial_path
from tests.data_pipeline.test_store import CHANNELS, GRID, written
from tests.mock_world import climate_data_store_layout, mock_states, mock_times

WORLD = mock_states(GRID, mock_times("2000-01-01", 4), CHANNELS.variables)


def test_a_store_a_file_and_a_zarr_give_the_same(tmp_path) -> None:
    written(tmp_path / "store.zarr", 4)
    WORLD.to_netcdf(tmp_path / "canonical.nc")
    climate_data_store_layout(WORLD).to_netcdf(tmp_path / "cds.nc")
    WORLD.to_zarr(tmp_path / "plain.zarr", consolidated=False)
    for name in ("store.zarr", "canonical.nc", "cds.nc", "plain.zarr"):
        for path in (tmp_path / name, str(tmp_path / name)):
            xr.testing.assert_equal(open_states(path), WORLD)


def test_the_sample_stands_for_its_files(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(reading, "files", lambda package: tmp_path)
    written(tmp_path / "store.zarr", 4)
    WORLD.to_netcdf(tmp_path / "states.nc")
    climatology = open_store(tmp_path / "store.zarr").climatology
    climatology.to_dataset().to_netcdf(tmp_path / "climatology.nc")
    xr.testing.assert_equal(open_states("sample"), WORLD)
    found = find_climatology("sample")
    assert found is not None
    np.testing.assert_array_equal(found.mean, climatology.mean)


def test_an_unfinished_store_is_named(tmp_path) -> None:
    partial_path(tmp_path / "store.zarr").mkdir()
    with pytest.raises(DataError, match=r"store\.zarr is not finished; run the same 'sphercast data build' again"):
        open_states(tmp_path / "store.zarr")


def test_nothing_there(tmp_path) -> None:
    with pytest.raises(DataError, match="no such file or store"):
        open_states(tmp_path / "nothing.nc")


def test_climatology_of_a_store_and_of_none(tmp_path) -> None:
    fields = written(tmp_path / "store.zarr", 4)
    found = find_climatology(tmp_path / "store.zarr")
    assert found is not None
    np.testing.assert_allclose(found.mean[0], fields.mean(axis=0), rtol=1e-6)
    WORLD.to_netcdf(tmp_path / "plain.nc")
    assert find_climatology(tmp_path / "plain.nc") is None


def test_description() -> None:
    assert describe(WORLD).splitlines() == [
        "4x8 grid (latitude 59.4444..-59.4444, longitude 0..315)",
        "4 times, 2000-01-01T00 to 2000-01-01T18",
        "temperature [K] at 500, 850 hPa",
        "2m_temperature [K]",
    ]
