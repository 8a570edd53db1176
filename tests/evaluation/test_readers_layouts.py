"""The same forecast in every layout is the same forecast, and its scores are the same to the last digit."""

from __future__ import annotations

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr

from data_pipeline.errors import DataError
from evaluation.readers import open_forecasts, open_run, open_runs
from evaluation.readers.names import named
from evaluation.score import score
from tests.evaluation.layouts import LAYOUTS, as_weatherbench2, by_start, scores_of, with_levels_in_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Make = Callable[..., xr.Dataset]


@pytest.fixture
def runs(ensemble: Make) -> list[xr.Dataset]:
    return [ensemble(start=0), ensemble(start=4)]


@pytest.fixture
def ours(runs: list[xr.Dataset], tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"ours_{index}.nc" for index in range(len(runs))]
    for run, path in zip(runs, paths, strict=True):
        run.to_netcdf(path)
    return paths


@pytest.mark.parametrize("write", LAYOUTS.values(), ids=LAYOUTS)
def test_fields_are_those_of_our_layout(runs: list[xr.Dataset], ours: list[Path], tmp_path: Path, write) -> None:  # type: ignore[no-untyped-def]
    found, lacking = open_forecasts(write(runs, tmp_path))
    expected = [run for path in ours for run in open_runs(path)]
    assert (len(found), lacking) == (2, [])
    for run, own in zip(found, expected, strict=True):
        for label in ("initial_time", "lead_time", "latitude", "longitude", "level"):
            np.testing.assert_array_equal(run[label], own[label])
        for name in ("geopotential", "2m_temperature"):
            assert run[name].dims[-2:] == ("latitude", "longitude")
            assert run[name].attrs["units"] == own[name].attrs["units"]
            np.testing.assert_array_equal(run[name].transpose(*own[name].dims), own[name])


@pytest.mark.parametrize("write", LAYOUTS.values(), ids=LAYOUTS)
def test_scores_are_the_same_to_the_last_digit(
    runs: list[xr.Dataset], ours: list[Path], tmp_path: Path, truth: xr.Dataset, write
) -> None:  # type: ignore[no-untyped-def]
    expected = scores_of(open_forecasts(ours)[0], truth)
    xr.testing.assert_equal(scores_of(open_forecasts(write(runs, tmp_path))[0], truth), expected)


def test_the_command_scores_a_store_of_weatherbench2_as_our_files(
    runs: list[xr.Dataset], ours: list[Path], tmp_path: Path, truth: xr.Dataset
) -> None:
    xr.testing.assert_equal(score(LAYOUTS["weatherbench2"](runs, tmp_path), truth).scores, score(ours, truth).scores)


def test_a_reader_reads_what_is_indexed_and_nothing_else(runs: list[xr.Dataset], tmp_path: Path) -> None:
    (run, *_), _ = open_forecasts(LAYOUTS["earth2studio"](runs, tmp_path))
    assert not any(field.variable._in_memory for field in run.data_vars.values())
    one = run["geopotential"].isel(lead_time=1, level=0)
    assert not one.variable._in_memory
    expected = runs[0]["geopotential"].isel(time=1, level=0)
    np.testing.assert_array_equal(one, expected)
    picked = run["geopotential"].isel(realization=[2, 0], latitude=[3, 1], longitude=slice(1, 8, 3))
    own = runs[0]["geopotential"].isel(realization=[2, 0], latitude=[3, 1], longitude=slice(1, 8, 3))
    np.testing.assert_array_equal(picked.transpose("realization", "lead_time", ...), own)


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Of a web server that gives the files of ``tmp_path``."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_stores_and_files_by_url(
    runs: list[xr.Dataset], ours: list[Path], tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    as_weatherbench2(runs).to_zarr(tmp_path / "store.zarr", zarr_format=2, consolidated=True)
    for run, own in zip(open_runs(f"{address}/store.zarr"), runs, strict=True):
        found = run["2m_temperature"].transpose("realization", "lead_time", "latitude", "longitude")
        np.testing.assert_array_equal(found, own["2m_temperature"])
    np.testing.assert_array_equal(open_run(f"{address}/{ours[0].name}")["2m_temperature"], runs[0]["2m_temperature"])


def test_units_become_canonical(runs: list[xr.Dataset], tmp_path: Path) -> None:
    def scaled(name: str, factor: float, offset: float, units: str) -> xr.DataArray:
        return ((runs[0][name].astype(float) - offset) / factor).astype(np.float32).assign_attrs(units=units)

    changed = runs[0].assign(
        {"gh": scaled("geopotential", 9.80665, 0, ""), "t2m": scaled("2m_temperature", 1, 273.15, "C")}
    )
    changed.drop_vars(["geopotential", "2m_temperature"]).to_netcdf(tmp_path / "other.nc")
    run = open_run(tmp_path / "other.nc")
    for name, tolerance in (("geopotential", 0.02), ("2m_temperature", 2e-5)):
        assert run[name].attrs["units"] == runs[0][name].attrs["units"]
        np.testing.assert_allclose(run[name], runs[0][name], rtol=0, atol=tolerance)


def test_units_that_do_not_convert(written: Callable[..., Path]) -> None:
    path = written(lambda data: data.assign({"2m_temperature": data["2m_temperature"].assign_attrs(units="Pa")}))
    with pytest.raises(DataError, match=r"2m_temperature is in 'Pa', expected 2m_temperature in one of: K, degC; conv"):
        open_runs(path)


def test_the_same_variable_twice(written: Callable[..., Path]) -> None:
    with pytest.raises(DataError, match=r"'2m_temperature' and 't2m' are both 2m_temperature; drop one"):
        open_runs(written(lambda data: data.assign(t2m=data["2m_temperature"])))
    with pytest.raises(DataError, match=r"has geopotential over levels and in 'z500' too; drop one"):
        open_runs(written(lambda data: data.assign(z500=data["geopotential"].isel(level=0, drop=True))))


def test_levels_in_pascal_and_hectopascal_on_one_axis(written: Callable[..., Path]) -> None:
    path = written(lambda data: data.assign_coords(level=("level", [500.0, 85000.0])))
    with pytest.raises(DataError, match=r"\[500.0\] look like hPa and \[85000.0\] like Pa on one axis"):
        open_runs(path)


def test_one_level_as_a_scalar(written: Callable[..., Path], ensemble: Make) -> None:
    run = open_run(written(lambda data: data.sel(level=[850]).squeeze("level")))
    assert run["level"].values.tolist() == [850]
    assert run.attrs["channels"] == "geopotential_850 2m_temperature" or "2m_temperature" in run.attrs["channels"]
    expected = ensemble()["geopotential"].sel(level=850)
    np.testing.assert_array_equal(run["geopotential"].isel(level=0).transpose("realization", ...), expected)


@pytest.mark.parametrize("dim", ["time", "realization", "level"])
def test_labels_that_stand_twice(written: Callable[..., Path], dim: str) -> None:
    path = written(lambda data: xr.concat([data, data.isel({dim: [0]})], dim, data_vars="minimal"))
    with pytest.raises(DataError, match="stands more than once; which copy is right is not known"):
        open_runs(path)


def test_initial_times_that_stand_twice(tmp_path: Path, runs: list[xr.Dataset]) -> None:
    as_weatherbench2([*runs, runs[0]]).to_netcdf(tmp_path / "twice.nc")
    with pytest.raises(DataError, match="along initial_time, 2020-01-01T00:00 stands more than once"):
        open_runs(tmp_path / "twice.nc")


def test_only_the_period_says_when_it_started(written: Callable[..., Path]) -> None:
    run = open_run(written(lambda data: data.drop_vars("forecast_reference_time")))
    assert run["initial_time"] == np.datetime64("2020-01-01T00")


def test_one_lead_time_as_a_scalar(written: Callable[..., Path], ensemble: Make) -> None:
    run = open_run(written(lambda data: data.isel(time=1)))
    assert run["lead_time"].values / np.timedelta64(1, "h") == [24]
    np.testing.assert_array_equal(run["2m_temperature"].isel(lead_time=0), ensemble()["2m_temperature"].isel(time=1))


def test_points_that_are_no_grid(tmp_path: Path, ensemble: Make) -> None:
    (path, *_) = LAYOUTS["anemoi"]([ensemble()], tmp_path)
    with xr.open_dataset(path) as whole:
        whole.isel(values=slice(1, None)).to_netcdf(tmp_path / "reduced.nc")
    with pytest.raises(DataError, match="holds 47 points on 6 latitudes and 8 longitudes, which are no latitude-long"):
        open_runs(tmp_path / "reduced.nc")


def test_points_without_a_start(tmp_path: Path, ensemble: Make) -> None:
    (path, *_) = LAYOUTS["anemoi"]([ensemble()], tmp_path)
    for units in ("seconds since 1970-01-01 00:00:00", "hours since 2030-01-01"):
        with xr.open_dataset(path) as whole:
            changed = whole.load()
        changed["time"].encoding["units"] = units
        changed.to_netcdf(tmp_path / f"{units[:4]}.nc")
        with pytest.raises(DataError, match=r"does not say when the forecast starts .*; add the scalar coordinate"):
            open_runs(tmp_path / f"{units[:4]}.nc")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("z500", ("geopotential", 500)),
        ("q_1000", ("specific_humidity", 1000)),
        ("geopotential_50", ("geopotential", 50)),
        ("u10m", ("10m_u_component_of_wind", None)),
        ("u10", ("10m_u_component_of_wind", None)),
        ("10v", ("10m_v_component_of_wind", None)),
        ("u100m", ("100m_u_component_of_wind", None)),
        ("100u", ("100m_u_component_of_wind", None)),
        ("t2m", ("2m_temperature", None)),
        ("msl", ("mean_sea_level_pressure", None)),
        ("tp06", ("tp06", None)),
        ("stl1", ("stl1", None)),
        ("z5000", ("z5000", None)),
    ],
)
def test_names_of_variables(name: str, expected: tuple[str, int | None]) -> None:
    assert named(name) == expected


def test_a_hundred_metres_or_a_hundred_hectopascal() -> None:
    assert named("u100") == ("100m_u_component_of_wind", None)
    assert named("u100", levels_in_names=True) == ("u_component_of_wind", 100)


def test_levels_that_some_variables_lack_are_padding(tmp_path: Path, ensemble: Make) -> None:
    dataset = with_levels_in_names(by_start(ensemble(), "lead_time", "time", "ensemble"), "")
    dataset.assign(t850=dataset["2m_temperature"]).to_netcdf(tmp_path / "e2s.nc")
    run = open_run(tmp_path / "e2s.nc")
    assert set(run.attrs["channels"].split()) == {
        "geopotential_500",
        "geopotential_850",
        "2m_temperature",
        "temperature_850",
    }
    assert np.isnan(run["temperature"].sel(level=500)).all()
    assert not np.isnan(run["temperature"].sel(level=850)).any()
