"""Fields per second out of GRIB, as JSON: our source beside cfgrib's xarray and beside reading the bytes.

Usage: benchmarks/grib.py [FILE WANTED...]; without a file it writes 0.25-degree fields of several packings itself. All
figures of a file are of one run, from the warm page cache, one thread; each is the best of several.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import dask
import eccodes
import numpy as np
import xarray as xr

from data_pipeline.sources import grib, grib_index
from data_pipeline.sources.grib import GribSource
from data_pipeline.sources.grib_message import decode

if TYPE_CHECKING:
    from collections.abc import Callable

    from data_pipeline.sources.grib_index import GribIndex

PACKINGS = {"simple": 1, "ccsds": 2}
TIMES, LATITUDES, LONGITUDES = 24, 721, 1440


def main() -> None:
    """Measure and print."""
    if len(sys.argv) > 1:
        print(json.dumps(measure(Path(sys.argv[1]), set(sys.argv[2:])), indent=2))
        return
    with tempfile.TemporaryDirectory() as folder:
        results = {}
        for packing, edition in PACKINGS.items():
            path = Path(folder) / f"{packing}.grib"
            write(path, packing, edition)
            results[packing] = measure(path, {"temperature"})
        print(json.dumps(results, indent=2))


def write(path: Path, packing: str, edition: int) -> None:
    """Temperature at 500 hPa, hourly, at 0.25 degrees, in 16 bits."""
    handle = eccodes.codes_grib_new_from_samples(f"regular_ll_pl_grib{edition}")
    labels = {
        "Ni": LONGITUDES, "Nj": LATITUDES, "iDirectionIncrementInDegrees": 0.25, "jDirectionIncrementInDegrees": 0.25,
        "latitudeOfFirstGridPointInDegrees": 90, "latitudeOfLastGridPointInDegrees": -90,
        "longitudeOfFirstGridPointInDegrees": 0, "longitudeOfLastGridPointInDegrees": 359.75, "shortName": "t",
        "level": 500, "bitsPerValue": 16, "packingType": f"grid_{packing}",
    }  # fmt: skip
    for key, value in labels.items():
        eccodes.codes_set(handle, key, value)
    waves = np.add.outer(np.linspace(0, 10, LATITUDES), np.linspace(0, 40, LONGITUDES))
    with path.open("wb") as file:
        for hour in range(TIMES):
            eccodes.codes_set(handle, "dataTime", hour * 100)
            noise = np.random.default_rng(hour).random(waves.shape) / 10
            eccodes.codes_set_values(handle, (250 + 20 * np.sin(waves + hour) + noise).ravel())
            eccodes.codes_write(handle, file)
    eccodes.codes_release(handle)


def measure(path: Path, wanted: set[str]) -> dict[str, object]:
    """One file: ours with and without the pass over the headers, cfgrib where it is installed, and plain reading."""
    messages = len(grib_index.index_files([path]).messages)
    opened = GribSource(path=str(path)).open(wanted)
    fields = sum(data[..., 0, 0].size for data in opened.data_vars.values())
    with dask.config.set(scheduler="synchronous"):
        ours = fields / best(lambda: fresh(path, wanted).load())
        values = fields / best(lambda: GribSource(path=str(path)).open(wanted).compute())
        theirs = messages / best(lambda: cfgrib(path)) if find_spec("cfgrib") else None
    unpacking = messages / best(lambda: bulk_loop(path))
    by_eccodes = messages / best(lambda: plain_loop(path))
    reading = messages / best(path.read_bytes)
    return {
        "messages": messages,
        "megabytes": round(path.stat().st_size / 1e6, 1),
        "microseconds_per_message_to_index": round(best(lambda: index(path)) / messages * 1e6, 1),
        "fields_per_second": round(ours, 1),
        "fields_per_second_once_indexed": round(values, 1),
        "cfgrib": theirs and round(theirs, 1),
        "bulk_loop_without_labels": round(unpacking, 1),
        "plain_eccodes_loop": round(by_eccodes, 1),
        "reading_the_bytes": round(reading, 1),
        "ratio_to_cfgrib": theirs and round(ours / theirs, 2),
        "ratio_to_reading": round(ours / reading, 3),
        "ratio_of_bulk_loop_to_eccodes_loop": round(unpacking / by_eccodes, 2),
        "ratio_of_bulk_loop_to_reading": round(unpacking / reading, 3),
    }


def forget() -> None:
    """What the process knows of files."""
    for cached in (grib_index._joined, grib_index._index_one, grib._layout):  # noqa: SLF001
        cached.cache_clear()


def fresh(path: Path, wanted: set[str]) -> xr.Dataset:
    """Opened as by a new process."""
    forget()
    return GribSource(path=str(path)).open(wanted)


def index(path: Path) -> None:
    """The pass over the headers."""
    forget()
    grib_index.index_files([path])


def cfgrib(path: Path) -> None:
    """Everything in the file, by xarray, without the index file that cfgrib would leave beside it."""
    with xr.open_dataset(path, engine="cfgrib", decode_timedelta=False, backend_kwargs={"indexpath": ""}) as dataset:
        dataset.load()


def bulk_loop(path: Path) -> None:
    """Everything in the file into one buffer, as a block of the source does it."""
    index = grib_index.index_files([path])
    field = np.empty(shape_of(index), np.float32)
    with path.open("rb", buffering=0) as file:
        for message in index.messages:
            decode(os.pread(file.fileno(), int(message["length"]), int(message["offset"])), field)


def shape_of(index: GribIndex) -> tuple[int, int]:
    """Latitudes and longitudes of the first message."""
    first = index.messages[0]
    kind = index.kinds[first["kind"]]
    layout = grib._layout(index.files[0], int(first["offset"]), int(first["length"]), kind.grid_type)  # noqa: SLF001
    return layout.latitude.size, layout.longitude.size


def plain_loop(path: Path) -> None:
    """Everything in the file, without labels."""
    with path.open("rb") as file:
        while (handle := eccodes.codes_grib_new_from_file(file)) is not None:
            eccodes.codes_get_values(handle)
            eccodes.codes_release(handle)


def best(work: Callable[[], object], repeats: int = 5) -> float:
    """Seconds."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


if __name__ == "__main__":
    main()
