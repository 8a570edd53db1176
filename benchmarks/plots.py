"""Maps: how long each kind takes for a large ensemble, from the open file to the PNG; prints JSON.

The forecast is random waves, written as NetCDF by member and lead as ours are; every map is drawn twice and the second
time counts, so that coasts are projected and modules imported. Set OMP_NUM_THREADS=1 for one core.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import xarray as xr

from data_pipeline.grid import Grid
from evaluation.plots import draw
from evaluation.plots.runs import open_at

MAPS: dict[str, dict[str, str]] = {
    "mean": {}, "mean_spread": {}, "stamps": {}, "spaghetti": {}, "quantile": {},
    "stamps of europe": {"region": "europe"}, "stamps from space": {"projection": "orthographic"},
    "barbs": {"style": "barbs"}, "streamlines": {"style": "streamlines"}, "chart": {},
}  # fmt: skip
KINDS = {"barbs": "wind", "streamlines": "wind"}


def main() -> None:
    """Draw each map and print seconds by its name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, default=50)
    parser.add_argument("--latitudes", type=int, default=121)
    parser.add_argument("--longitudes", type=int, default=240)
    parser.add_argument("--leads", type=int, default=4)
    options = parser.parse_args()
    grid = Grid.equiangular(options.latitudes, options.longitudes, poles=True)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "forecast.nc"
        _write(path, grid, options.members, options.leads)
        start = time.perf_counter()
        run = open_at(path)
        opened = time.perf_counter() - start
        seconds = {name: _seconds(run, name, words, Path(folder) / "map.png") for name, words in MAPS.items()}
    print(json.dumps({
        "members": options.members, "leads": options.leads, "grid": grid.shape, "open_seconds": round(opened, 3),
        "seconds": seconds,
    }))  # fmt: skip


def _seconds(run: xr.Dataset, name: str, words: dict[str, str], out: Path) -> float:
    kind = KINDS.get(name, name.split(maxsplit=1)[0])
    for _ in range(2):
        start = time.perf_counter()
        draw(run, variable="geopotential", kind=kind, out=out, **words)
        elapsed = time.perf_counter() - start
    return round(elapsed, 2)


def _write(path: Path, grid: Grid, members: int, leads: int) -> None:
    rng = np.random.default_rng(0)
    longitude, latitude = np.meshgrid(np.deg2rad(grid.longitude), np.deg2rad(grid.latitude))
    waves = np.stack([np.cos(k * longitude + k) * np.cos(latitude) ** 2 for k in range(1, 9)])
    dims = ("realization", "lead_time", "level", "latitude", "longitude")
    scales = {"geopotential": (55000 - 5000 * np.sin(latitude) ** 2, 800), "temperature": (270 + 0 * latitude, 5),
              "u_component_of_wind": (10 + 0 * latitude, 6), "v_component_of_wind": (0 * latitude, 6)}  # fmt: skip
    fields = {}
    for name, (middle, amplitude) in scales.items():
        noise = amplitude * np.tensordot(rng.normal(size=(members, leads, 2, 8)), waves, axes=1)
        fields[name] = (dims, (middle + noise).astype(np.float32))
    units = {"geopotential": "m2 s-2", "temperature": "K"}
    forecast = xr.Dataset(fields, {
        "realization": np.arange(members), "level": [500, 850], **grid.coordinates,
        "lead_time": np.arange(1, leads + 1) * np.timedelta64(24, "h").astype("m8[ns]"),
        "forecast_reference_time": np.datetime64("2001-01-05", "ns"),
    })  # fmt: skip
    for name, field in forecast.data_vars.items():
        field.attrs["units"] = units.get(str(name), "m s-1")
    chunks = {name: {"chunksizes": (1, 1, 1, *grid.shape), "zlib": True} for name in fields}
    forecast.to_netcdf(path, engine="netcdf4", encoding=chunks)


if __name__ == "__main__":
    main()
