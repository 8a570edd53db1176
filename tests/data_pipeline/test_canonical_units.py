"""Canonical values: units that convert, those that do not, packed and missing values."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from data_pipeline.canonical import canonicalise
from data_pipeline.errors import DataError
from data_pipeline.grid import Grid
from data_pipeline.sources.files import open_raw
from tests.mock_world import mock_states, mock_times

GRID = Grid.equiangular(6, 12, poles=False)
WORLD = mock_states(GRID, mock_times("2000-01-01", 3))
FLAT = WORLD[["2m_temperature"]]


def with_units(units: str, value: float, name: str = "2m_temperature") -> xr.Dataset:
    field = xr.full_like(FLAT["2m_temperature"], value, dtype=np.float64).assign_attrs(units=units)
    return xr.Dataset({name: field})


@pytest.mark.parametrize(
    ("name", "units", "value", "expected"),
    [
        ("2m_temperature", "K", 280.0, 280.0),
        ("2m_temperature", "degC", 10.0, 283.15),
        ("t2m", "°C", -10.0, 263.15),
        ("msl", "hPa", 1013.25, 101325.0),
        ("msl", "millibars", 1000.0, 1e5),
        ("tp", "mm", 12.0, 0.012),
        ("tp", "m", 0.012, 0.012),
        ("tp", "kg m**-2", 12.0, 0.012),
        ("sd", "m of water equivalent", 0.5, 0.5),
        ("tcwv", "mm", 25.0, 25.0),
        ("tcc", "%", 60.0, 0.6),
        ("tcc", "(0 - 1)", 0.6, 0.6),
        ("tisr", "J m**-2", 3e6, 3e6),
        ("tisr", "kJ m-2", 3e3, 3e6),
        ("u10", "knots", 36.0, 18.52),
        ("zs", "m", 100.0, 980.665),
        ("u10", "m.s-1", 3.0, 3.0),
        ("u10", "m s**-1", 3.0, 3.0),
        ("lsm", "(0 - 1)", 0.5, 0.5),
    ],
)
def test_units_convert(name: str, units: str, value: float, expected: float) -> None:
    result = canonicalise(with_units(units, value, name))
    (field,) = result.data_vars.values()
    np.testing.assert_allclose(field, np.float32(expected), rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "units", "value", "expected"),
    [
        ("z", "m**2 s**-2", 5e4, 5e4),
        ("gh", "gpm", 5500.0, 53936.575),
        ("gh", "gpdm", 550.0, 53936.575),
        ("gh", "dam", 550.0, 53936.575),
        ("r", "1", 0.5, 50.0),
        ("z", "m", 5500.0, 53936.575),
        ("q", "g kg-1", 5.0, 0.005),
        ("q", "kg kg**-1", 0.005, 0.005),
        ("vo", "s**-1", 1e-5, 1e-5),
    ],
)
def test_units_convert_on_levels(name: str, units: str, value: float, expected: float) -> None:
    field = xr.full_like(WORLD["temperature"], value, dtype=np.float64).assign_attrs(units=units)
    (result,) = canonicalise(xr.Dataset({name: field})).data_vars.values()
    np.testing.assert_allclose(result, np.float32(expected), rtol=1e-6)


def test_only_water_has_a_weight_for_a_thickness() -> None:
    with pytest.raises(DataError, match="boundary_layer_height has units 'kg m-2', expected one of: m, mm, cm"):
        canonicalise(with_units("kg m**-2", 500.0, "blh"))


def test_wrong_units_list_the_right_ones() -> None:
    message = "2m_temperature has units 'furlong', expected one of: K, degC; set its 'units' attribute"
    with pytest.raises(DataError, match=message):
        canonicalise(with_units("furlong", 1.0))
    with pytest.raises(DataError, match="2m_temperature has units '', expected one of: K"):
        canonicalise(FLAT.drop_attrs())


def test_conversion_is_lazy() -> None:
    assert all(field.chunks for field in canonicalise(with_units("degC", 1.0).chunk()).data_vars.values())


def test_packed_integers_are_unpacked_and_written_as_floats(tmp_path) -> None:
    packing = {"dtype": "int16", "scale_factor": 0.01, "add_offset": 280.0, "_FillValue": np.int16(-32768)}
    FLAT.to_netcdf(tmp_path / "packed.nc", encoding={"2m_temperature": packing})
    result = canonicalise(open_raw(tmp_path / "packed.nc"))
    np.testing.assert_allclose(result["2m_temperature"], FLAT["2m_temperature"], atol=0.0051)
    result.to_netcdf(tmp_path / "again.nc")
    xr.testing.assert_equal(canonicalise(open_raw(tmp_path / "again.nc")), result)


def test_missing_values_stay_missing() -> None:
    land = FLAT.where(np.arange(12) > 3).assign_attrs(units="K")
    raw = xr.Dataset({"sst": land["2m_temperature"].astype(np.float64)})
    raw["sst"].attrs["units"] = "degC"
    result = canonicalise(raw)["sea_surface_temperature"]
    np.testing.assert_array_equal(np.isnan(result), np.isnan(land["2m_temperature"]))
