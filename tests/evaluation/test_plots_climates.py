"""What is usual at the places and the time of a map: quantiles of climatologies, open or by path."""

from __future__ import annotations

import numpy as np
import pytest

from data_pipeline.building.build import build
from data_pipeline.config import DataConfig
from data_pipeline.errors import DataError, ScoreError
from data_pipeline.grid import Grid
from evaluation.plots.climates import beside_climate, quantiles_of
from evaluation.plots.fields import select
from evaluation.plots.grids import onto
from tests.evaluation.mock_maps import MockClimatology, figure_of, mock_forecast, words
from tests.mock_world import climate_data_store_layout, mock_states, mock_times

COARSE = Grid.equiangular(8, 16, poles=False)


@pytest.fixture(scope="module")
def forecast():
    return mock_forecast()[["2m_temperature"]]


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """Two training stores on the coarse grid, of which one has a climatology with quantiles."""
    folder = tmp_path_factory.mktemp("stores")
    states = mock_states(COARSE, mock_times("2001-01-01", 12, 24), {"2m_temperature": None})
    climate_data_store_layout(states).to_netcdf(folder / "states.nc", engine="netcdf4")
    days = {"start": "2001-01-01", "stop": "2001-01-12"}
    smooth = {"window_days": 3, "quantile_every_days": 100, "quantile_half_window_days": 8}
    for name, quantiles in (("rich", [0.01, 0.5, 0.99]), ("poor", [])):
        config = DataConfig.model_validate({
            "sources": [{"kind": "files", "path": str(folder / "states.nc")}], "store": folder / name,
            "variables": {"2m_temperature": None}, "static": [], "interval_hours": 24, "period": days,
            "grid": {"kind": "equiangular", "latitudes": 8, "longitudes": 16}, "training_period": days,
            "climatology": {**smooth, "quantiles": quantiles},
        })  # fmt: skip
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("os.fsync", lambda _: None)  # hundreds of small chunks
            build(config, progress=False)
    return folder


def test_quantiles_of_the_climate_are_in_display_units_on_the_grid_that_both_share(forecast):
    coarse = onto(forecast, COARSE)
    for run in (forecast, coarse, forecast.isel(latitude=slice(3, 9), longitude=slice(2, 12))):
        shared, climatology = beside_climate(run, MockClimatology(), "2m_temperature", None)
        ensemble = select(shared, "2m_temperature", None, None)
        found = quantiles_of(climatology, ensemble, (0.05, 0.5))
        assert found.shape == (2, *Grid.of(run).shape)
        np.testing.assert_allclose(found[0], 5.5, atol=1e-4)
        np.testing.assert_allclose(found[1], 10.0, atol=1e-4)


def test_a_climatology_that_lacks_what_is_asked_says_so(forecast):
    whole = mock_forecast()
    shared, climatology = beside_climate(whole, MockClimatology(), "temperature", None)
    with pytest.raises(DataError, match="the climatology has no temperature_500; it has 2m_temperature; choose"):
        quantiles_of(climatology, select(shared, "temperature", 500, None), (0.5,))
    with pytest.raises(
        DataError, match="the climatology sample has no quantiles; pass one by hour and day of the year"
    ):
        beside_climate(forecast, "sample", "2m_temperature", None)
    shared, climatology = beside_climate(forecast, MockClimatology(), "2m_temperature", None)
    with pytest.raises(ScoreError, match=r"the climatology's quantiles span 0..1"):
        quantiles_of(climatology, select(shared, "2m_temperature", None, None), (-0.5,))


def test_a_store_is_opened_by_its_path_and_the_forecast_brought_on_to_its_grid(forecast, stores):
    for path in (stores / "rich", str(stores / "rich" / "day_of_year")):
        shared, climatology = beside_climate(forecast, path, "2m_temperature", None)
        assert Grid.of(shared) == COARSE
        ensemble = select(shared, "2m_temperature", None, None)
        low, high = quantiles_of(climatology, ensemble, (0.01, 0.99))
        assert (low < high).all()
    for kind, options in (("efi", {}), ("probability", {"quantile": 0.9})):
        figure = figure_of(forecast, kind, "2m_temperature", climatology=stores / "rich", **options)
        assert "2 m temperature" in words(figure)[0]


def test_a_store_without_quantiles_says_how_to_get_them(forecast, stores):
    with pytest.raises(DataError, match=r"poor has no quantiles; pass one by hour and day of the year"):
        beside_climate(forecast, stores / "poor", "2m_temperature", None)
