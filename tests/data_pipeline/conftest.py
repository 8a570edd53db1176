"""What the tests of the data pipeline share: a coarse grid, a few days of the mock world, the real files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from data_pipeline.config import DataConfig
from data_pipeline.grid import Grid
from tests.mock_world import climate_data_store_layout, mock_states, mock_static, mock_times

if TYPE_CHECKING:
    from collections.abc import Callable

    import xarray as xr

    from data_pipeline.sources.grib import GribSource

settings.register_profile("shared machine", deadline=None)  # a slow moment is no failure
settings.load_profile("shared machine")

REAL_DATA = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture
def grid() -> Grid:
    return Grid.equiangular(8, 16, poles=False)


@pytest.fixture
def states(grid: Grid) -> xr.Dataset:
    """Five days, six-hourly, canonical, in memory."""
    return mock_states(grid, mock_times("2001-01-01", 20))


@pytest.fixture
def write_grib(tmp_path: Path) -> Callable[..., GribSource]:
    """Writes messages into a file below ``tmp_path``; the source of it."""
    from tests.data_pipeline.grib_messages import writer  # needs the extra

    return writer(tmp_path)


@pytest.fixture
def real_data() -> Path:
    """The folder of real reanalysis, which only this project's own machines have."""
    if not REAL_DATA.is_dir():
        pytest.skip(f"no real data at {REAL_DATA}")
    return REAL_DATA


@pytest.fixture
def config(tmp_path: Path) -> Callable[..., DataConfig]:
    """Makes a config over files of the mock world in ``tmp_path``: states (finer than the store) and static fields."""
    fine = Grid.equiangular(17, 32, poles=True)
    states = mock_states(fine, mock_times("2001-01-01", 20))
    climate_data_store_layout(states).to_netcdf(tmp_path / "states.nc")
    mock_static(fine).to_netcdf(tmp_path / "static.nc")

    def make(**changes: Any) -> DataConfig:
        values = {
            "sources": [{"kind": "files", "path": str(tmp_path / name)} for name in ("states.nc", "static.nc")],
            "store": tmp_path / "store.zarr",
            "variables": {"temperature": [850, 500], "2m_temperature": None},
            "static": ["geopotential_at_surface", "land_sea_mask"],
            "grid": {"kind": "equiangular", "latitudes": 8, "longitudes": 16},
            "period": {"start": "2001-01-01", "stop": "2001-01-05"},
            "interval_hours": 6,
            "climatology": None,
        }
        ends = {**values, **changes}["period"]
        inside = {"start": max(ends["start"], "2001-01-01"), "stop": min(ends["stop"], "2001-01-04")}
        return DataConfig.model_validate({**values, "training_period": inside, **changes})

    return make
