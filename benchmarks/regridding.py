"""What regridding costs, as JSON: CPU ms per 721x1440 float32 field to 1.5 degrees.

Beside it the read limit (the time in which this machine only sums the same bytes, from memory and not from its
caches), the peers that are installed, and the memory that is used above input and output. Every ratio is between two
things measured in this one run; cdo reads its fields from a file and writes them to one.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import tempfile
import time
import tracemalloc
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import xarray as xr

from data_pipeline.grid import Grid
from data_pipeline.regrid import HealpixGrid, Points, Regridder

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Fields = NDArray[np.float32]

FIELDS = 64
"""Together 266 MB: more than most caches hold."""

FEW = 4
"""Fields for the slow peers."""

SOURCE, TARGET = Grid.equiangular(721, 1440, poles=True), Grid.equiangular(121, 240, poles=True)


def main() -> None:
    """Measure and print."""
    fields = np.random.default_rng(0).standard_normal((FIELDS, *SOURCE.shape), dtype=np.float32)
    memory = _memory_above_data(fields)
    limit = _best(fields.sum) / FIELDS
    times = {name: _best(lambda run=run: run(fields)) / FIELDS for name, run in _ours(fields).items()}
    peers = {name: run(fields) for name, run in PEERS.items() if _installed(name)}
    result = {
        "read_limit_ms": _ms(limit),
        "ours_ms": {name: _ms(seconds) for name, seconds in times.items()},
        "ours_over_read_limit": {name: round(seconds / limit, 2) for name, seconds in times.items()},
        "peers_ms": {name: _ms(seconds) for name, seconds in peers.items()},
        "peers_over_ours": {name: round(seconds / times[_ours_like(name)], 1) for name, seconds in peers.items()},
        "peak_mb_above_input_and_output": memory,
    }
    print(json.dumps(result, indent=2))


def _ours(fields: Fields) -> dict[str, Callable[[Fields], object]]:
    pixels = HealpixGrid(64)
    latitude, longitude = (tuple(values.tolist()) for _, values in pixels.coordinates.values())
    regridders = {
        "conservative": Regridder(SOURCE, TARGET),
        "bilinear": Regridder(SOURCE, TARGET, method="bilinear"),
        "conservative_to_healpix_64": Regridder(SOURCE, pixels),
        "bilinear_to_49152_points": Regridder(SOURCE, Points(latitude, longitude), method="bilinear"),
    }
    holes = Regridder(SOURCE, TARGET)
    holed = fields.copy()
    holed[:, 100:500, 200:700] = np.nan
    return {name: regridder.regrid_array for name, regridder in regridders.items()} | {
        "conservative_a_fifth_missing": lambda _: holes.regrid_array(holed)
    }


def _memory_above_data(fields: Fields) -> dict[str, float]:
    """Peak of what regridding one field allocates, weights included, output not.

    The compiled loops' own lines (23 kB) are not traced. A tiny grid comes first: machine code is not the data's.
    """
    peaks = {}
    targets = {"conservative": TARGET, "bilinear": TARGET, "conservative_to_healpix_64": HealpixGrid(64)}
    for name, target in targets.items():
        method: Literal["conservative", "bilinear"] = "bilinear" if name == "bilinear" else "conservative"
        Regridder(Grid.gaussian(4, 8), target, method=method).regrid_array(fields[0, :4, :8])
        tracemalloc.start()
        regridded = Regridder(SOURCE, target, method=method).regrid_array(fields[:1])
        peaks[name] = round((tracemalloc.get_traced_memory()[1] - regridded.nbytes) / 1e6, 1)
        tracemalloc.stop()
    return peaks


def _xarray_regrid(fields: Fields) -> float:
    import xarray_regrid  # noqa: F401, PLC0415  (registers the accessor)

    source, target = _dataset(fields[:FEW])["field"], xr.Dataset(coords=TARGET.coordinates)
    work = lambda: source.regrid.conservative(target, latitude_coord="latitude", skipna=False).compute()  # noqa: E731
    return _best(work, repeats=3) / FEW


def _iris(fields: Fields) -> float:
    from iris.analysis import AreaWeighted  # noqa: PLC0415

    source, target = _cube(fields[:FEW], SOURCE), _cube(np.zeros((1, *TARGET.shape), dtype=np.float32), TARGET)
    regridder = AreaWeighted(mdtol=0.5).regridder(source, target)
    return _best(lambda: regridder(source), repeats=3) / FEW


def _cube(fields: Fields, grid: Grid) -> object:
    from iris.coord_systems import GeogCS  # noqa: PLC0415
    from iris.coords import DimCoord  # noqa: PLC0415
    from iris.cube import Cube  # noqa: PLC0415

    axes = []
    for name, points, edges in (
        ("latitude", grid.latitude, grid.latitude_bounds()),
        ("longitude", grid.longitude, grid.longitude_bounds()),
    ):
        bounds = np.stack([edges[:-1], edges[1:]], axis=1)
        options = {"standard_name": name, "units": "degrees", "coord_system": GeogCS(6371229.0)}
        axes.append(DimCoord(np.asarray(points), bounds=bounds, circular=name == "longitude", **options))
    return Cube(fields, dim_coords_and_dims=[(axes[0], 1), (axes[1], 2)])


def _cdo(operator: str) -> Callable[[Fields], float]:
    def seconds(fields: Fields) -> float:
        with tempfile.TemporaryDirectory() as folder:
            _dataset(fields).to_netcdf(Path(folder) / "in.nc", engine="netcdf4")
            _dataset(fields[:1]).to_netcdf(Path(folder) / "one.nc", engine="netcdf4")
            grid = Path(folder) / "grid"
            grid.write_text(
                "gridtype = lonlat\nxsize = 240\nysize = 121\nxfirst = 0\nxinc = 1.5\nyfirst = 90\nyinc = -1.5\n"
            )
            command = [shutil.which("cdo") or "cdo", "-s", "-O", "-P", "1", f"{operator},{grid}"]
            whole, one = (
                _best(lambda name=name: _run([*command, name, "out.nc"], folder), repeats=3)
                for name in ("in.nc", "one.nc")
            )
            return (whole - one) / (FIELDS - 1)  # without its weights

    return seconds


def _run(command: list[str], folder: str) -> None:
    subprocess.run(command, check=True, capture_output=True, cwd=folder, env={**os.environ, "OMP_NUM_THREADS": "1"})


PEERS: dict[str, Callable[[Fields], float]] = {
    "xarray_regrid conservative": _xarray_regrid,
    "iris AreaWeighted": _iris,
    "cdo remapcon, with files": _cdo("remapcon"),
    "cdo remapbil, with files": _cdo("remapbil"),
}


def _installed(peer: str) -> bool:
    name = peer.split(maxsplit=1)[0]
    return shutil.which(name) is not None if name == "cdo" else find_spec(name) is not None


def _ours_like(peer: str) -> str:
    return "bilinear" if "remapbil" in peer else "conservative"


def _dataset(fields: Fields) -> xr.Dataset:
    coordinates = {
        "latitude": ("latitude", list(SOURCE.latitude), {"units": "degrees_north"}),
        "longitude": ("longitude", list(SOURCE.longitude), {"units": "degrees_east"}),
    }
    return xr.Dataset({"field": (("time", "latitude", "longitude"), fields)}, coordinates)


def _ms(seconds: float) -> float:
    return round(seconds * 1e3, 3)


def _best(work: Callable[[], object], repeats: int = 7) -> float:
    """Least CPU seconds of this process and of those that it waited for, after one run that does not count."""
    work()
    seconds = []
    for _ in range(repeats):
        start = _cpu_seconds()
        work()
        seconds.append(_cpu_seconds() - start)
    return min(seconds)


def _cpu_seconds() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


if __name__ == "__main__":
    main()
