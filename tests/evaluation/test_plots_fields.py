"""Fields that maps are drawn of: statistics of members, wind speed, defaults."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from data_pipeline.errors import DataError
from evaluation.plots.fields import select
from tests.evaluation.mock_maps import GRID, mock_forecast


@pytest.fixture(scope="module")
def forecast():
    return mock_forecast()


def test_a_place_that_one_member_lacks_has_no_statistics(forecast):
    one_lacks = forecast.where((forecast["realization"] != 2) | (forecast["latitude"] > 0))
    ensemble = select(one_lacks, "2m_temperature", None, None)
    south = np.array(GRID.latitude) < 0
    for values in (ensemble.mean(), ensemble.spread(), ensemble.probability(0.0, above=True)):
        assert np.isnan(values[south]).all()
        assert np.isfinite(values[~south]).all()


def test_statistics_are_those_of_the_definition(forecast):
    ensemble = select(forecast, "mean_sea_level_pressure", None, 24)
    hectopascals = forecast["mean_sea_level_pressure"].isel(lead_time=0).values / 100
    np.testing.assert_allclose(ensemble.mean(), hectopascals.mean(axis=0))
    np.testing.assert_allclose(ensemble.spread(), hectopascals.std(axis=0, ddof=1))
    above, below = (ensemble.probability(1013.0, above=above) for above in (True, False))
    np.testing.assert_allclose(above, 100 * (hectopascals >= 1013.0).mean(axis=0))
    np.testing.assert_allclose(above + below, 100.0)


def test_wind_speed_is_computed_before_the_mean():
    forecast = mock_forecast(members=2)
    sign = xr.DataArray([1.0, -1.0], dims="realization")
    opposed = forecast.assign(
        u_component_of_wind=forecast["u_component_of_wind"] * sign,
        v_component_of_wind=forecast["v_component_of_wind"] * sign,
    )
    ensemble = select(opposed, "wind_speed", 500, None)
    np.testing.assert_allclose(ensemble.mean(), 5.0)
    assert ensemble.sign == 1
    assert select(opposed, "u_component_of_wind", 500, None).sign == -1


def test_surface_wind_speed_comes_from_the_surface_components(forecast):
    surface = forecast.assign(
        {
            f"10m_{axis}_component_of_wind": forecast[f"{axis}_component_of_wind"].isel(level=0, drop=True)
            for axis in "uv"
        }
    )
    ensemble = select(surface, "10m_wind_speed", None, None)
    assert ensemble.style.title == "10 m wind speed"
    np.testing.assert_allclose(ensemble.values, 5.0)


def test_defaults_are_500_hpa_and_the_last_lead(forecast):
    ensemble = select(forecast, "temperature", None, None)
    assert (ensemble.level, ensemble.lead) == (500, 120.0)
    assert select(forecast.sel(level=[250]), "temperature", None, None).level == 250


def test_a_lead_is_chosen_by_its_hours(forecast):
    ensemble = select(forecast, "temperature", None, 72)
    assert (ensemble.lead, str(ensemble.valid_time)) == (72.0, "2001-01-08 00:00:00")


def test_a_deterministic_run_is_one_member(forecast):
    single = forecast.isel(realization=0, drop=True)
    assert select(single, "wind_speed", 250, None).values.shape == (1, *GRID.shape)
    assert select(single, "wind_speed", 250, None).members == ("0",)


def test_a_scalar_level_is_a_level(forecast):
    single = forecast.isel(level=1)
    assert select(single, "temperature", 500, None).level == 500
    with pytest.raises(DataError, match="no level 250 for temperature"):
        select(single, "temperature", 250, None)
