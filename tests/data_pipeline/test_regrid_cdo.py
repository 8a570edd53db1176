"""Regridding against the Climate Data Operators: ``remapcon`` everywhere, ``remapbil`` up to the last row."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING, Literal

import numpy as np
import pytest
import xarray as xr

from data_pipeline.grid import Grid
from data_pipeline.regrid import Regridder

if TYPE_CHECKING:
    from pathlib import Path

CDO = shutil.which("cdo")
pytestmark = pytest.mark.skipif(CDO is None, reason="cdo is not installed")

SINGLE_ROUNDING = 2e-7
"""Of values of order 1: our results are float32."""

GRIDS = {
    "2 degrees with poles": Grid.equiangular(91, 180, poles=True),
    "2 degrees": Grid.equiangular(90, 180, poles=False),
    "5.625 degrees": Grid.equiangular(32, 64, poles=False),
    "5.625 degrees with poles": Grid.equiangular(33, 64, poles=True),
    "Gaussian 48": Grid.gaussian(48, 96),
    "Gaussian 32": Grid.gaussian(32, 64),
    "Gaussian 32, from 3 degrees": Grid(
        Grid.gaussian(32, 64).latitude, tuple(np.round(np.arange(64) * 5.625 + 3, 6).tolist())
    ),
}

PAIRS = [
    ("2 degrees with poles", "Gaussian 32"),
    ("2 degrees with poles", "5.625 degrees"),
    ("2 degrees", "5.625 degrees with poles"),
    ("2 degrees", "Gaussian 32, from 3 degrees"),
    ("Gaussian 48", "5.625 degrees"),
    ("Gaussian 48", "5.625 degrees with poles"),
    ("Gaussian 48", "Gaussian 32"),
    ("Gaussian 32", "2 degrees with poles"),
]


def cdo(operator: str, values: np.ndarray, source: Grid, target: Grid, folder: Path) -> np.ndarray:
    """What cdo makes of a field, in float64, given both grids by their points: the cells' bounds are its own."""
    coordinates = {
        "lat": ("lat", list(source.latitude), {"units": "degrees_north", "standard_name": "latitude"}),
        "lon": ("lon", list(source.longitude), {"units": "degrees_east", "standard_name": "longitude"}),
    }
    xr.Dataset({"field": (("lat", "lon"), values)}, coordinates).to_netcdf(folder / "in.nc", engine="netcdf4")
    rows, columns = (" ".join(map(str, axis)) for axis in (target.latitude, target.longitude))
    sizes = f"xsize = {target.shape[1]}\nysize = {target.shape[0]}"
    (folder / "grid").write_text(f"gridtype = lonlat\n{sizes}\nxvals = {columns}\nyvals = {rows}\n")
    command = [
        str(CDO),
        "-s",
        "-b",
        "F64",
        f"{operator},{folder / 'grid'}",
        str(folder / "in.nc"),
        str(folder / "out.nc"),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    with xr.open_dataset(folder / "out.nc", engine="netcdf4") as result:
        return np.asarray(result["field"].values)


def ours(values: np.ndarray, source: Grid, target: Grid, method: Literal["conservative", "bilinear"]) -> np.ndarray:
    return Regridder(source, target, 0.0, method).regrid_array(values)


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_conservative_equals_remapcon(source: str, target: str, tmp_path: Path) -> None:
    pair = GRIDS[source], GRIDS[target]
    values = np.random.default_rng(0).uniform(-1, 1, pair[0].shape)
    expected = cdo("remapcon", values, *pair, tmp_path)
    np.testing.assert_allclose(ours(values, *pair, "conservative"), expected, rtol=0, atol=SINGLE_ROUNDING)


def test_missing_values_equal_remapcon(tmp_path: Path) -> None:
    pair = GRIDS["2 degrees with poles"], GRIDS["Gaussian 32"]
    values = np.random.default_rng(1).uniform(-1, 1, pair[0].shape)
    values[30:50, 20:70] = np.nan
    expected = cdo("remapcon", values, *pair, tmp_path)
    assert np.isnan(expected).any()
    np.testing.assert_allclose(ours(values, *pair, "conservative"), expected, rtol=0, atol=SINGLE_ROUNDING)


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_bilinear_equals_remapbil_between_the_last_rows(source: str, target: str, tmp_path: Path) -> None:
    pair = GRIDS[source], GRIDS[target]
    values = np.random.default_rng(2).uniform(-1, 1, pair[0].shape)
    expected = cdo("remapbil", values, *pair, tmp_path)
    between = np.abs(pair[1].latitude) <= pair[0].latitude[0]
    assert between.sum() >= pair[1].shape[0] - 6
    difference = np.abs(ours(values, *pair, "bilinear") - expected)[between]
    assert difference.max() < SINGLE_ROUNDING


def test_poleward_of_the_last_row_remapbil_takes_the_four_nearest(tmp_path: Path) -> None:
    """It weighs them by inverse distance, and so jumps where others become the nearest; ours is continuous."""
    source, target = GRIDS["Gaussian 48"], Grid.equiangular(64, 128, poles=False)
    values = np.random.default_rng(3).uniform(-1, 1, source.shape)
    latitude, longitude = np.deg2rad(target.latitude[0]), np.deg2rad(target.longitude[5])
    rows, columns = np.meshgrid(np.deg2rad(source.latitude), np.deg2rad(source.longitude), indexing="ij")
    cosine = np.sin(latitude) * np.sin(rows) + np.cos(latitude) * np.cos(rows) * np.cos(columns - longitude)
    distance = np.arccos(cosine).ravel()
    nearest = np.argsort(distance)[:4]
    expected = np.average(values.ravel()[nearest], weights=1 / distance[nearest])
    assert abs(cdo("remapbil", values, source, target, tmp_path)[0, 5] - expected) < SINGLE_ROUNDING
