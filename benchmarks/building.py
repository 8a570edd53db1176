"""What building a store costs, as JSON: states and bytes a second, memory against length, beside xarray-regrid.

``python -m benchmarks.building`` writes stand-ins of WeatherBench2's stores and builds from them: 69 channels at 64x32
as they are, and 15 channels at 1440x721 regridded to 121x240. Each is built from disk, and at two lengths over HTTP on
loopback, in processes of their own whose peak memory is compared (the server takes its share of the two cores). The
peer opens the same store from disk with xarray, regrids with xarray-regrid and writes zarr with the same chunks,
without checks, statistics or resume.
"""

from __future__ import annotations

import json
import multiprocessing
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from data_pipeline.building.build import Crew, build
from data_pipeline.config import DataConfig
from data_pipeline.grid import Grid
from tests.data_pipeline.layouts import WB2_LEVELS, weatherbench2
from tests.data_pipeline.loopback import serving
from tests.mock_world import mock_times

ON_LEVELS = ("geopotential", "temperature", "u_component_of_wind", "v_component_of_wind", "specific_humidity")
SURFACE = ("2m_temperature", "mean_sea_level_pressure", "10m_u_component_of_wind", "10m_v_component_of_wind")
STAND_INS: dict[str, dict[str, Any]] = {
    "64x32": {
        "variables": {**dict.fromkeys(ON_LEVELS, WB2_LEVELS), **dict.fromkeys(SURFACE)},
        "grid": {"kind": "equiangular", "latitudes": 32, "longitudes": 64}, "lengths": (512, 2048),
        "times_per_shard": 64,
    },
    "1440x721": {
        "variables": {"temperature": WB2_LEVELS, "2m_temperature": None, "mean_sea_level_pressure": None},
        "grid": {"kind": "equiangular_with_poles", "latitudes": 121, "longitudes": 240}, "lengths": (16, 48),
        "times_per_shard": 12,  # few states, but work for both threads
    },
}  # fmt: skip


def main() -> None:
    """Measure and print."""
    print(json.dumps({size: measure(size, **what) for size, what in STAND_INS.items()}, indent=2))


def measure(
    size: str, variables: dict[str, Any], grid: dict[str, Any], lengths: tuple[int, int], times_per_shard: int
) -> dict[str, Any]:
    """Both lengths of one stand-in over HTTP; the longer one from disk, and by the peer."""
    with tempfile.TemporaryDirectory() as folder:
        times = mock_times("2001-01-01", max(lengths))
        source = Path(folder, "era5.zarr")
        weatherbench2(source, size, times, variables, rain_hours=())

        def ours(name: str, path: str, count: int) -> tuple[float, float]:
            config = _config(path, Path(folder, name), variables, grid, times[:count], times_per_shard)
            return _in_a_process(_ours, config.model_dump_json())

        with serving(Path(folder)) as server:
            served = {count: ours(f"{count}.zarr", f"{server.url}/era5.zarr", count) for count in lengths}
        seconds, memory = ours("disk.zarr", str(source), max(lengths))
        peer = _in_a_process(_peer, str(source), str(Path(folder, "peer.zarr")), grid)
    count, state_bytes = max(lengths), _state_bytes(size, variables)
    return {
        "states": count,
        "states_per_second": round(count / seconds, 1),
        "megabytes_read_per_second": round(count * state_bytes / seconds / 1e6, 1),
        "peak_megabytes": round(memory),
        "over_http": {
            "states_per_second": round(count / served[count][0], 1),
            "peak_megabytes_by_length": {str(length): round(served[length][1]) for length in lengths},
        },
        "peer": peer and {"states_per_second": round(count / peer[0], 1), "peak_megabytes": round(peer[1])},
        "speed_against_peer": peer and round(peer[0] / seconds, 2),
    }


def _config(
    source: str, store: Path, variables: dict[str, Any], grid: dict[str, Any], times: Any, times_per_shard: int
) -> DataConfig:
    period = {"start": str(times[0])[:13], "stop": str(times[-1])[:13]}
    return DataConfig.model_validate({
        "sources": [{"kind": "weatherbench2", "path": source}], "store": store, "variables": variables,
        "static": ["geopotential_at_surface", "land_sea_mask"], "grid": grid, "period": period,
        "training_period": period, "interval_hours": 6, "climatology": None, "times_per_shard": times_per_shard,
        "accept": ["latitude-against-labels", "mirrored-against-labels", "rolled-against-labels"],  # not the Earth
    })  # fmt: skip


def _state_bytes(size: str, variables: dict[str, Any]) -> int:
    columns, rows = map(int, size.split("x"))
    return 4 * columns * rows * sum(len(levels or [0]) for levels in variables.values())


def _in_a_process(work: Any, *arguments: Any) -> Any:
    """Seconds of ``work``, and the peak memory in MB of the process that did it."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work, arguments)


def _ours(config: str) -> tuple[float, float]:
    start = time.perf_counter()
    build(DataConfig.model_validate_json(config), progress=False, crew=Crew(threads=2))
    return time.perf_counter() - start, _peak()


def _peer(source: str, path: str, grid: dict[str, Any]) -> tuple[float, float] | None:
    if find_spec("xarray_regrid") is None:
        return None
    import xarray_regrid  # noqa: F401, PLC0415, adds the accessor

    start = time.perf_counter()
    raw = xr.open_zarr(source, chunks={}).sortby("latitude")
    target = Grid.equiangular(grid["latitudes"], grid["longitudes"], poles=grid["kind"].endswith("poles"))
    if raw.sizes["latitude"] != target.shape[0]:
        axes = xr.Dataset(coords={"latitude": sorted(target.latitude), "longitude": list(target.longitude)})
        raw = raw.regrid.conservative(axes, latitude_coord="latitude")
    prognostic = raw[[name for name in raw.data_vars if "time" in raw[name].dims]].astype(np.float32)
    chunked = prognostic.transpose("time", ...).chunk({"time": 1}).drop_encoding()
    chunked.to_zarr(path, zarr_format=3, consolidated=False)
    return time.perf_counter() - start, _peak()


def _peak() -> float:
    """MB; of this program alone, where ``getrusage`` counts what the process was before it was started too."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1e3


if __name__ == "__main__":
    main()
