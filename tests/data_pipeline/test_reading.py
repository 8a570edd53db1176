"""Opening whatever holds states."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from data_pipeline import reading
from data_pipeline.building.build import build
from data_pipeline.errors import DataError
from data_pipeline.grid import Grid
from data_pipeline.reading import find_climatology, open_states
from data_pipeline.store import open_store, partial_path
from tests.data_pipeline.loopback import serving
from tests.mock_world import climate_data_store_layout, mock_states, mock_times


@pytest.fixture
def store(config, tmp_path):
    """A built store of the mock world at ``tmp_path / "store.zarr"``."""
    return open_store(build(config(), progress=False))


def test_a_store_a_file_and_a_zarr_give_the_same(store, tmp_path) -> None:
    world = store.dataset().load()
    world.to_netcdf(tmp_path / "canonical.nc")
    climate_data_store_layout(world).to_netcdf(tmp_path / "cds.nc")
    world.drop_encoding().to_zarr(tmp_path / "plain.zarr", consolidated=False)
    for name in ("store.zarr", "canonical.nc", "cds.nc", "plain.zarr"):
        for path in (tmp_path / name, str(tmp_path / name)):
            xr.testing.assert_equal(open_states(path), world)


def test_the_sample_stands_for_its_files(store, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(reading, "files", lambda package: tmp_path)
    world = store.dataset().load()
    world.to_netcdf(tmp_path / "sample states.nc")
    (tmp_path / "states.nc").unlink()
    (tmp_path / "sample states.nc").rename(tmp_path / "states.nc")
    store.climatology.to_dataset().to_netcdf(tmp_path / "climatology.nc")
    xr.testing.assert_equal(open_states("sample"), world)
    found = find_climatology("sample")
    assert found is not None
    np.testing.assert_array_equal(found.mean, store.climatology.mean)


def test_an_unfinished_store_is_named(tmp_path) -> None:
    partial_path(tmp_path / "store.zarr").mkdir()
    with pytest.raises(DataError, match=r"store\.zarr is not finished; run the same 'sphercast data build' again"):
        open_states(tmp_path / "store.zarr")


def test_nothing_there(tmp_path) -> None:
    with pytest.raises(DataError, match="no such file or store"):
        open_states(tmp_path / "nothing.nc")


def test_climatology_of_a_store_and_of_none(store, tmp_path) -> None:
    found = find_climatology(store.path)
    assert found is not None
    np.testing.assert_allclose(found.mean[0], store.read(range(16)).mean(axis=0), rtol=1e-6)
    assert find_climatology(tmp_path / "states.nc") is None


def test_a_url_and_grib(real_data, tmp_path) -> None:
    world = mock_states(Grid.gaussian(4, 8), mock_times("2000-01-01", 4), {"2m_temperature": None})
    world.to_zarr(tmp_path / "served.zarr", zarr_format=2, consolidated=True)
    with serving(tmp_path) as server:
        xr.testing.assert_equal(open_states(f"{server.url}/served.zarr").load(), world)
    pytest.importorskip("eccodes", reason="GRIB needs the extra: pip install 'sphercast[grib]'")
    grib, netcdf = (open_states(real_data / f"era5_z_t_1deg.{suffix}") for suffix in ("grib", "nc"))
    np.testing.assert_allclose(grib["temperature"], netcdf["temperature"], rtol=1e-5)
