"""Products against brute force over the whole ensemble, their files, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from data_pipeline.errors import ConfigError, DataError
from forecast.products import ProductsConfig, make_products
from forecast.products.statistics import sorted_quantiles, statistics
from forecast.validation import validated
from tests.forecast.ensembles import START, small_ensemble, written
from tests.forecast.outputs import write_one

LEVELS = (0.1, 0.5, 0.9)


def made(folder: Path, forecast: xr.Dataset, suffix: str = ".nc", **config: Any) -> xr.Dataset:
    path = written(forecast, folder / f"forecast{suffix}")
    make_products(path, ProductsConfig(**config), folder / "products.nc", progress=False)
    with xr.open_dataset(folder / "products.nc", engine="netcdf4", decode_timedelta=False) as file:
        return file.load()


@given(
    arrays(np.float32, st.tuples(st.integers(1, 9), st.just(2), st.just(3)), elements=st.floats(-1e3, 1e3, width=32))
)
def test_quantiles_are_numpys(fields: np.ndarray) -> None:
    np.testing.assert_allclose(
        sorted_quantiles(fields, LEVELS), np.quantile(fields, LEVELS, axis=0), rtol=1e-5, atol=1e-4
    )


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_products_are_those_of_the_whole_ensemble(tmp_path: Path, suffix: str) -> None:
    forecast = small_ensemble()
    products = made(tmp_path, forecast, suffix, quantiles=LEVELS, thresholds=("2m_temperature>290", "temperature<262"))
    for name in ("temperature", "2m_temperature"):
        field = forecast[name].astype(np.float64)
        np.testing.assert_allclose(products[f"{name}_mean"], field.mean("realization"), rtol=1e-6)
        np.testing.assert_allclose(products[f"{name}_spread"], field.std("realization", ddof=1), rtol=1e-5)
        np.testing.assert_allclose(products[f"{name}_quantile"], field.quantile(LEVELS, "realization"), rtol=1e-5)
    above = (forecast["2m_temperature"] > 290).mean("realization")
    np.testing.assert_allclose(products["2m_temperature_probability_above"][0], above, rtol=1e-6)
    below = (forecast["temperature"] < 262).mean("realization")
    np.testing.assert_allclose(products["temperature_probability_below"][0], below, rtol=1e-6)
    assert products["2m_temperature_above"].values.tolist() == [290.0]
    assert products["members_used"].values.tolist() == [7] * 4
    assert products["forecast_reference_time"].values == START


def test_extremes_are_taken_member_by_member_before_they_are_summed_up(tmp_path: Path) -> None:
    forecast = small_ensemble()
    products = made(
        tmp_path, forecast, quantiles=(0.5,), thresholds=("temperature>280",), windows=("6-12", "0-24"),
    )  # fmt: skip
    largest = forecast["temperature"].isel(time=slice(0, 2)).max("time")
    np.testing.assert_allclose(products["temperature_maximum_mean"][0], largest.mean("realization"), rtol=1e-6)
    np.testing.assert_allclose(
        products["temperature_maximum_quantile"][0, 0], largest.quantile(0.5, "realization"), rtol=1e-6
    )
    np.testing.assert_allclose(
        products["temperature_maximum_probability_above"][0, 0], (largest > 280).mean("realization"), rtol=1e-6
    )
    least = forecast["2m_temperature"].min("time")
    np.testing.assert_allclose(products["2m_temperature_minimum_mean"][1], least.mean("realization"), rtol=1e-6)
    hours = ((products["window_bnds"] - START) / np.timedelta64(1, "h")).values.tolist()
    assert hours == [[6, 12], [0, 24]]


def test_wind_speed_is_each_members_own(tmp_path: Path) -> None:
    forecast = small_ensemble()
    products = made(tmp_path, forecast, variables=("wind_speed",), quantiles=())
    speed = np.hypot(forecast["u_component_of_wind"], forecast["v_component_of_wind"])
    np.testing.assert_allclose(products["wind_speed_mean"], speed.mean("realization"), rtol=1e-6)
    assert set(products.data_vars) == {"wind_speed_mean", "wind_speed_spread", "realization_bnds"}


def test_a_stopped_member_does_not_count_from_where_it_stopped(tmp_path: Path) -> None:
    forecast = small_ensemble()
    for name in forecast.data_vars:
        forecast[name][3, 2:] = np.nan
    products = made(tmp_path, forecast, quantiles=(0.5,), windows=("0-12", "0-24"))
    others = forecast["temperature"].drop_sel(realization=3)
    np.testing.assert_allclose(products["temperature_mean"][2], others[:, 2].mean("realization"), rtol=1e-6)
    assert products["members_used"].values.tolist() == [7, 7, 6, 6]
    whole = forecast["temperature"][:, :2].max("time").mean("realization")
    np.testing.assert_allclose(products["temperature_maximum_mean"][0], whole, rtol=1e-6)
    np.testing.assert_allclose(
        products["temperature_maximum_mean"][1], others.max("time").mean("realization"), rtol=1e-6
    )


@pytest.mark.parametrize(("control", "members", "said"), [("in", 7, "member 0, in"), ("out", 6, "member 0, out")])
def test_the_control_is_in_or_out_and_the_file_says_so(tmp_path: Path, control: str, members: int, said: str) -> None:
    products = made(tmp_path, small_ensemble(), control=control)
    assert products["members_used"].values.tolist() == [members] * 4
    assert products.attrs["control_member"] == said
    assert len(products.attrs["ensemble_members"].split()) == members
    assert products.attrs["seed"] == "3"


def test_without_any_member_everything_is_missing_but_has_its_shape() -> None:
    found = statistics(np.full((3, 2, 2), np.nan), LEVELS, [1.0], [2.0, 3.0])
    assert {name: values.shape[0] for name, values in found.items()} == {
        "mean": 2, "spread": 2, "quantile": 3, "probability_above": 1, "probability_below": 2,
    }  # fmt: skip
    assert all(np.isnan(values).all() for values in found.values())


def test_one_member_has_no_spread() -> None:
    assert np.isnan(statistics(np.ones((1, 2, 2)), [], [], [])["spread"]).all()


def test_a_point_that_some_member_lacks_is_missing() -> None:
    fields = np.ones((3, 1, 2))
    fields[1, 0, 0] = np.nan
    found = statistics(fields, LEVELS, [0.5], [])
    assert all(np.isnan(values[..., 0]).all() and np.isfinite(values[..., 1]).all() for values in found.values())


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"variables": ["geopotential"]}, r"has no geopotential; it has temperature, .*wind_speed"),
        ({"windows": ["24-72"]}, r"window 24-72 h is not inside the forecast, .*from 6 to 24 h every 6 h"),
        ({"windows": ["1-5"]}, r"window 1-5 h is not inside"),
    ],
)  # fmt: skip
def test_what_the_forecast_lacks_is_said(tmp_path: Path, config: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        made(tmp_path, small_ensemble(), **config)
    assert not (tmp_path / "products.nc").exists()


def test_no_control_to_leave_out(tmp_path: Path) -> None:
    forecast = small_ensemble()
    with pytest.raises(DataError, match=r"names no control member \(attribute control_member\)"):
        made(tmp_path, forecast.drop_attrs(deep=False), control="out")
    with pytest.raises(DataError, match="has the control member only"):
        made(tmp_path, forecast.isel(realization=[0]), control="out")


def test_what_is_no_forecast_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no forecast at .*nothing\.nc"):
        make_products(tmp_path / "nothing.nc", ProductsConfig(), tmp_path / "out.nc")
    (tmp_path / "text.nc").write_text("no forecast")
    with pytest.raises(DataError, match="cannot be read"):
        make_products(tmp_path / "text.nc", ProductsConfig(), tmp_path / "out.nc")
    xr.Dataset({"t": ("x", [1.0])}).to_netcdf(tmp_path / "other.nc", engine="netcdf4")
    with pytest.raises(DataError, match="has no forecast_reference_time, realization, time, expected an ensemble"):
        make_products(tmp_path / "other.nc", ProductsConfig(), tmp_path / "out.nc")
    (tmp_path / "s.csv").write_text("name,latitude,longitude\nOxford,51.7,-1.25\n")
    stations = write_one(tmp_path, "stations.nc", points=tmp_path / "s.csv")
    with pytest.raises(DataError, match="has no fields of members on a grid, expected an ensemble forecast of"):
        make_products(stations, ProductsConfig(), tmp_path / "out.nc")


def test_a_forecast_is_not_replaced_by_its_products(tmp_path: Path) -> None:
    path = written(small_ensemble(), tmp_path / "forecast.nc")
    before = path.read_bytes()
    with pytest.raises(ConfigError, match=r"the products would replace the forecast .*forecast\.nc; give them another"):
        make_products(path, ProductsConfig(), tmp_path / "." / "forecast.nc")
    assert path.read_bytes() == before


def test_what_is_missing_at_one_time_of_a_window_is_missing_in_it(tmp_path: Path) -> None:
    forecast = small_ensemble()
    forecast["temperature"][2, 1, 0, 3, 4] = np.nan
    products = made(tmp_path, forecast, windows=("0-12", "18-24"))
    assert int(products["temperature_mean"].isnull().sum()) == 1
    assert [int(field.isnull().sum()) for field in products["temperature_maximum_mean"]] == [1, 0]
    assert products["members_used"].values.tolist() == [7] * 4


def test_the_compliance_checker_finds_no_error(tmp_path: Path) -> None:
    path = write_one(tmp_path)
    config = ProductsConfig(thresholds=("total_precipitation>280", "temperature<270"), windows=("12-24",))
    make_products(path, config, tmp_path / "products.nc", progress=False)
    command, report = Path(sys.executable).with_name("compliance-checker"), tmp_path / "report.json"
    options = ["-t", "cf:1.11", "-c", "strict", "-f", "json_new", "-o", str(report)]
    subprocess.run([str(command), *options, str(tmp_path / "products.nc")], capture_output=True, check=False)
    (found,) = json.loads(report.read_text()).values()
    checks = found["cf:1.11"]
    assert checks["high_count"] == 0, checks
    warned = {check["name"] for check in checks["all_priorities"] if check["value"][0] < check["value"][1]}
    assert warned <= {"§2.3 Naming Conventions", "§7.1 Cell Boundaries"}  # 2m_temperature; bounds of a scalar
    with xr.open_dataset(tmp_path / "products.nc", engine="netcdf4", decode_timedelta=False) as products:
        assert products["total_precipitation_mean"].attrs["cell_methods"] == "time: sum realization: mean"
        extreme = products["total_precipitation_maximum_spread"]
        assert extreme.attrs["cell_methods"] == "time: sum time: maximum realization: standard_deviation"
        assert "height_2m" in products["2m_temperature_mean"].coords
        bounds = products["time_bnds"].values
        assert ((bounds[:, 1] - bounds[:, 0]) == np.timedelta64(12, "h")).all()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"quantiles": [0.5, 0.1]}, "expected quantiles that ascend, each once"),
        ({"quantiles": [1.5]}, "less than 1"),
        ({"thresholds": ["2m_temperature=3"]}, "expected NAME>VALUE or NAME<VALUE"),
        ({"thresholds": ["2m_temprature>3"]}, "expected a variable such as '2m_temperature', got '2m_temprature'"),
        ({"variables": ["geopotental"]}, "expected a variable such as 'geopotential', got"),
        ({"windows": ["72"]}, "expected START-STOP in hours of lead time, as in 24-72"),
        ({"windows": ["72-24"]}, "got the window 72-24 h, expected one that starts before it stops"),
        ({"windows": [{"start": 6, "stop": 6}]}, "got the window 6-6 h"),
        ({"name": "products.zarr"}, "expected the name of a file that ends in .nc, without a folder"),
        ({"name": "a/b.nc"}, "without a folder"),
        ({"variables": []}, "at least 1 item"),
        ({"quantile": [0.5]}, "unknown key 'quantile'"),
    ],
)
def test_impossible_wishes_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        validated(ProductsConfig, values, "products")


def test_a_full_disk_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise RuntimeError("NetCDF: HDF error")

    monkeypatch.setattr("forecast.products.make.chunks_of", full)
    with pytest.raises(OSError, match=r"cannot write .*products\.nc"):
        made(tmp_path, small_ensemble())
    assert [path.name for path in tmp_path.iterdir()] == ["forecast.nc"]
