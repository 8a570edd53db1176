"""ARCO-ERA5: an axis of 151 years of which few hours hold data, over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr

from data_pipeline.canonical import check
from data_pipeline.errors import DataError
from data_pipeline.grid import Grid
from data_pipeline.quality.findings import Report
from data_pipeline.sources import ArcoEra5Source, FilesSource
from data_pipeline.sources.arco_era5 import PUBLIC_STORE
from tests.data_pipeline.layouts import ARCO_LEVELS, GRIDS, arco_era5
from tests.data_pipeline.loopback import serving
from tests.mock_world import mock_times

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.data_pipeline.loopback import Loopback

ATTRIBUTES = {
    "valid_time_start": "1940-01-01", "valid_time_stop": "2025-04-30", "valid_time_stop_era5t": "2025-07-23",
    "last_updated": "2025-07-29 01:45:36.622817+00:00",
}  # fmt: skip
OUTSIDE = (
    r"has data in 1940-01-01T00 .. 2025-04-30T23 \(to 2025-07-23T23 with 'preliminary: true'\), "
    "none in 1939-01-01T00 .. 1939-12-31T23; change the period"
)
VARIABLES = {"temperature": ARCO_LEVELS, "2m_temperature": None, "total_precipitation": None}


def hours(first: str, last: str) -> tuple[np.datetime64, np.datetime64]:
    return np.datetime64(first, "ns"), np.datetime64(last, "ns")


@pytest.fixture(scope="module")
def arco(tmp_path_factory) -> Iterator[tuple[xr.Dataset, Loopback, str]]:
    """(canonical world, server, URL): six hours of data that go over the end of final ERA5."""
    folder = tmp_path_factory.mktemp("arco")
    grid = Grid.equiangular(17, 32, poles=True)
    world = arco_era5(folder / "arco.zarr", grid, mock_times("2025-04-30T21", 6, 1), VARIABLES, ATTRIBUTES)
    with serving(folder) as server:
        yield world, server, f"{server.url}/arco.zarr"


def test_a_window_of_an_axis_of_151_years(arco) -> None:
    world, server, url = arco
    source = ArcoEra5Source(path=url)
    window = hours("2025-04-30T21", "2025-04-30T22")
    for _ in range(3):
        result = source.open({*VARIABLES, "geopotential_at_surface"}, window)
    assert server.asked.count("arco.zarr/.zmetadata") == 1  # opened once
    assert not [path for path in server.asked if "temperature/" in path]
    assert len(result.__dask_graph__()) < 150
    check(result)
    xr.testing.assert_equal(result[list(world.data_vars)], world.sel(time=slice(*window)))
    assert result["total_precipitation"].attrs["accumulation_hours"] == 1
    assert result["level"].values.tolist() == list(ARCO_LEVELS)


def test_the_public_resolution(tmp_path) -> None:
    times = mock_times("2020-01-01", 2, 1)
    world = arco_era5(tmp_path / "arco.zarr", GRIDS["1440x721"], times, {"2m_temperature": None}, ATTRIBUTES)
    with serving(tmp_path) as server:
        result = ArcoEra5Source(path=f"{server.url}/arco.zarr").open({"2m_temperature"}, (times[0], times[-1])).load()
    xr.testing.assert_equal(result, world[["2m_temperature"]])


def test_preliminary_months_only_if_asked_for(arco) -> None:
    world, _, url = arco
    window = hours("2025-04-30T21", "2025-05-01T02")
    report = Report()
    final = ArcoEra5Source(path=url).open({"2m_temperature"}, window, report)
    assert final["time"].values[-1] == np.datetime64("2025-04-30T23")
    assert "preliminary" not in report.codes
    both = ArcoEra5Source(path=url, preliminary=True).open({"2m_temperature"}, window, report)
    xr.testing.assert_equal(both, world[["2m_temperature"]])
    (finding,) = (finding for finding in report if finding.code == "preliminary")
    assert finding.count == 3
    assert "3 hours after 2025-04-30T23" in finding.message


@pytest.mark.parametrize(
    ("window", "preliminary", "message"),
    [
        (("1939-01-01", "1939-12-31T23"), False, OUTSIDE),
        (("2025-05-01", "2025-06-01"), False, r"to 2025-07-23T23 with 'preliminary: true'"),
        (("2025-07-24", "2025-08-01"), True, r"has data in 1940-01-01T00 .. 2025-07-23T23, none in 2025-07-24T00"),
    ],
)  # fmt: skip
def test_outside_of_the_valid_times(arco, window: tuple[str, str], preliminary: bool, message: str) -> None:
    _, _, url = arco
    with pytest.raises(DataError, match=message):
        ArcoEra5Source(path=url, preliminary=preliminary).open({"2m_temperature"}, hours(*window))


def test_hours_without_data_are_nan(arco) -> None:
    """Whole days of NaN happen; the quality checks see them."""
    _, _, url = arco
    field = ArcoEra5Source(path=url).open({"2m_temperature"}, hours("2025-04-29T00", "2025-04-29T01"))["2m_temperature"]
    assert field.shape[0] == 2
    assert field.isnull().all()


def test_static_fields_on_the_time_axis(tmp_path) -> None:
    grid = Grid.equiangular(8, 16, poles=False)
    variables = {"2m_temperature": None, "land_sea_mask": None}
    world = arco_era5(tmp_path / "a.zarr", grid, mock_times("2020-01-01", 3, 1), variables, ATTRIBUTES, static=())
    source = ArcoEra5Source(path=str(tmp_path / "a.zarr"))
    window = hours("2020-01-01T00", "2020-01-01T02")
    mask = source.open({"land_sea_mask"}, window)["land_sea_mask"]
    np.testing.assert_array_equal(mask.isel(time=0), world["land_sea_mask"].isel(time=0))


def test_without_a_window_it_is_the_valid_period(tmp_path) -> None:
    grid = Grid.equiangular(8, 16, poles=False)
    days = {"valid_time_start": "2020-01-01", "valid_time_stop": "2020-01-02"}
    arco_era5(tmp_path / "a.zarr", grid, mock_times("2020-01-01", 2, 1), {"2m_temperature": None}, days)
    result = ArcoEra5Source(path=str(tmp_path / "a.zarr")).open({"2m_temperature"})
    assert result.sizes["time"] == 48


@pytest.mark.parametrize("attributes", [{}, {"valid_time_start": "soon", "valid_time_stop": "later"}])
def test_another_layout(tmp_path, attributes: dict[str, str]) -> None:
    grid = Grid.equiangular(8, 16, poles=False)
    arco_era5(tmp_path / "a.zarr", grid, mock_times("2020-01-01", 1, 1), {"2m_temperature": None}, attributes)
    with pytest.raises(
        DataError, match=r"a\.zarr does not say which of its times hold data .*; open it as kind: weath"
    ):
        ArcoEra5Source(path=str(tmp_path / "a.zarr")).open({"2m_temperature"})
    assert FilesSource(path=str(tmp_path / "a.zarr")).open({"geopotential_at_surface"}).sizes["latitude"] == 8


def test_the_default_is_the_public_store() -> None:
    assert ArcoEra5Source().path == PUBLIC_STORE
    assert PUBLIC_STORE.startswith("gs://gcp-public-data-arco-era5/ar/full_37-1h-0p25deg-chunk-1.zarr-v3")
