"""Random training samples from a store, as JSON: beside plain ``pread`` of the same bytes, and beside xarray.

``python benchmarks/loading.py [--states 2000] [--threads 2] [--folder DIR]`` builds a store of smooth fields of 20
channels on 64x32 and 240x121 points, flattens it, and reads the same random samples, three states in a row each, in
batches, in every way. Each figure is the best of three in this one run, with the files in the page cache.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import xarray as xr
import zarr
from zarr.codecs import BloscCodec, Crc32cCodec

from data_pipeline.building.creation import consolidate
from data_pipeline.channels import Channels
from data_pipeline.config import Period
from data_pipeline.dataset import Request, StoreDataset
from data_pipeline.flat_cache import HEADER_BYTES, FlatCache, flatten
from data_pipeline.grid import Grid
from data_pipeline.integrity import write_sums
from data_pipeline.loading import DEPTH, Buffers, default_threads, load
from data_pipeline.shards import shard_path, write_shard
from data_pipeline.store import TrainingStore, store_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from data_pipeline.loading import States

    Order = list[NDArray[np.int64]]

SLOTS, BATCH, LAG = 64, 16, 1
PRESSURES = [200, 500, 700, 850, 925]
CHANNELS = Channels.of(
    dict.fromkeys(("geopotential", "temperature", "u_component_of_wind", "v_component_of_wind"), PRESSURES)
)
GRIDS = {
    "64x32": Grid.equiangular(32, 64, poles=False),
    "240x121": Grid.equiangular(121, 240, poles=True),
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--states", type=int, default=2000)
    parser.add_argument("--threads", type=int, default=default_threads())
    parser.add_argument("--folder", type=Path, help="where temporary files go")
    options = parser.parse_args()
    results: dict[str, Any] = {"threads": options.threads, "batch": BATCH, "states": options.states}
    for name, grid in GRIDS.items():
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            store = build(Path(folder) / "store.zarr", grid, options.states)
            results[name] = measure(store, Path(folder) / "flat", options.threads)
    print(json.dumps(results, indent=2))


def measure(store: TrainingStore, cache: Path, threads: int) -> dict[str, Any]:
    """Megabytes of float32 a second in every way, and their ratios."""
    start = time.perf_counter()
    flat = flatten(store, cache, threads=threads)
    flattening = flat.file.size / 1e6 / (time.perf_counter() - start)
    each = math.prod(flat.shape) * 4
    order = random_order(len(store.times), batches=max(4, int(1.5e9 / (3 * BATCH * each))))
    few = order[: max(4, len(order) // 8)]  # for the slow ones
    speeds = {
        "memory_copy": copy_speed(threads),
        "pread": pread_speed(flat, order, threads),
        "flat_cache": loading_speed(flat, order, threads),
        "store": loading_speed(store.shards, order, threads),
        "dataset_in_memory": dataset_speed(store, "memory", order, threads),
        "dataset_on_disk": dataset_speed(store, "disk", order, threads),
        "xarray": xarray_speed(store, few, None, threads),
        "xarray_with_dask": xarray_speed(store, few, {}, threads),
        "xarray_sample_by_sample": xarray_speed(store, few, None, threads, by_sample=True),
    }
    peer = max(speed for name, speed in speeds.items() if name.startswith("xarray"))
    return {
        "bytes_per_state": each,
        "compression": round(len(store.times) * each / _bytes_below(store.path / "fields"), 2),
        "page_cache": f"{100 * cached_share(cache):.0f} % of the flat cache",
        "megabytes_per_second": {name: round(speed) for name, speed in speeds.items()},
        "samples_per_second": {
            name: round(speed * 1e6 / (3 * each)) for name, speed in speeds.items() if name != "memory_copy"
        },
        "flattening_megabytes_per_second": round(flattening),
        "ratio_of_flat_cache_to_pread": round(speeds["flat_cache"] / speeds["pread"], 2),
        "ratio_of_store_to_xarray": round(speeds["store"] / peer, 2),
        "ratio_of_flat_cache_to_xarray": round(speeds["flat_cache"] / peer, 2),
    }


def random_order(states: int, batches: int) -> Order:
    """Positions (3, batch) of random samples."""
    first = np.random.default_rng(0).integers(0, states - 2 * LAG, (batches, BATCH))
    return list(first[:, None] + LAG * np.arange(3)[:, None])


def loading_speed(source: States, order: Order, threads: int) -> float:
    """Of what ``StoreDataset`` reads with, nothing being done with the batches; buffers are warm, as in a long run."""
    buffers = Buffers()

    def work() -> None:
        for _ in load((source,), ((positions,) for positions in order), threads=threads, buffers=buffers):
            pass

    return _speed(work, order, math.prod(source.shape) * source.dtype.itemsize)


def pread_speed(flat: FlatCache, order: Order, threads: int) -> float:
    """The limit: each thread reads its share of the states, one system call each, into as much warm memory."""
    descriptor = os.open(flat.file.path, os.O_RDONLY)
    each = math.prod(flat.shape) * flat.dtype.itemsize
    offsets = [HEADER_BYTES + int(position) * each for positions in order for position in positions.T.ravel()]
    rooms = [memoryview(bytearray(each)) for _ in range(3 * BATCH * (DEPTH + 2))]

    def read(thread: int) -> None:
        mine = rooms[thread::threads]
        for number, offset in enumerate(offsets[thread::threads]):
            os.preadv(descriptor, [mine[number % len(mine)]], offset)

    def work() -> None:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(read, range(threads)))

    speed = _speed(work, order, each)
    os.close(descriptor)
    return speed


def copy_speed(threads: int, size: int = 2**26) -> float:
    """The bandwidth of memory: megabytes a second that the threads copy, from and to arrays larger than caches."""
    pairs = [(np.ones(size, np.uint8), np.zeros(size, np.uint8)) for _ in range(threads)]

    def work() -> None:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda pair: np.copyto(pair[1], pair[0]), pairs))

    return _speed(work, [np.arange(threads)], size, repeats=7)


def xarray_speed(
    store: TrainingStore, order: Order, chunks: dict[str, int] | None, threads: int, *, by_sample: bool = False
) -> float:
    """Of what people write: select the times of a batch, or of one sample after the other, and load them."""

    def work() -> None:
        for positions in order:
            for times in positions.T if by_sample else [positions.ravel()]:
                assert len(fields.isel(time=slice(times[0], times[-1] + 1) if by_sample else times).to_numpy())

    with zarr.config.set({"threading.max_workers": threads}), xr.open_zarr(store.path, chunks=chunks) as opened:
        fields = opened["fields"]
        return _speed(work, order, math.prod(store.shards.shape) * 4)


def dataset_speed(store: TrainingStore, residence: Any, order: Order, threads: int) -> float:
    """Of whole samples, with their forcings, as the trainer gets them."""
    period = Period(start="1979", stop="2100")
    dataset = StoreDataset(store, period, LAG * store.interval, residence=residence, threads=threads)
    requests = [Request(torch.from_numpy(positions[0])) for positions in order]

    def work() -> None:
        for _ in dataset.batches(requests):
            pass

    return _speed(work, order, math.prod(store.shards.shape) * 4)


def build(path: Path, grid: Grid, states: int) -> TrainingStore:
    """A store of moving smooth patterns, laid out as a build lays it out."""
    group = zarr.open_group(path, mode="w", zarr_format=3)
    for name, values in {"time": np.arange(states) * 6 + 87600, **grid.coordinates}.items():
        group.create_array(name, data=np.asarray(values), dimension_names=(name,))
    group.attrs["channels"] = CHANNELS.names
    statistics = group.create_group("statistics")
    for name in ("mean", "std", "minimum", "maximum", "valid_fraction"):
        statistics.create_array(name, data=np.ones(len(CHANNELS)), dimension_names=("channel",))
    state = (len(CHANNELS), *grid.shape)
    group.create_array(
        "fields", shape=(states, *state), chunks=(1, *state), shards=(SLOTS, *state), dtype="float32",
        compressors=[BloscCodec(cname="lz4", clevel=5, shuffle="shuffle"), Crc32cCodec()], fill_value=np.nan,
        dimension_names=("time", "channel", "latitude", "longitude"),
    )  # fmt: skip
    patterns = smooth_patterns(12, state)
    for number in range(-(-states // SLOTS)):
        times = range(number * SLOTS, min(states, (number + 1) * SLOTS))
        write_shard(shard_path(path / "fields", number), (moved(patterns, time) for time in times), SLOTS)
    consolidate(path)
    write_sums(path, {})
    return store_of(path, zarr.open_group(path, mode="r"))


def smooth_patterns(count: int, state: tuple[int, ...]) -> NDArray[np.float32]:
    """Random (count, channel, latitude, longitude), their power falling as the fourth power of the wavenumber."""
    noise = np.fft.rfft2(np.random.default_rng(0).standard_normal((count, *state)))
    rows, columns = np.fft.fftfreq(state[1]) * state[1], np.arange(state[2] // 2 + 1)
    fields = np.fft.irfft2(noise / (1 + rows[:, None] ** 2 + columns**2), s=state[1:])
    return np.asarray(fields / fields.std(), dtype=np.float32)


def moved(patterns: NDArray[np.float32], time_: int) -> NDArray[np.float32]:
    """Around 280, each pattern with a period of its own."""
    weights = np.cos(0.1 * time_ * np.sqrt(1 + np.arange(len(patterns)))).astype(np.float32)
    return 280 + np.tensordot(weights, patterns, 1)


def cached_share(path: Path, samples: int = 1000) -> float:
    """Share of random pages of a file that are read without the disk (Linux's RWF_NOWAIT)."""
    page, descriptor = memoryview(bytearray(4096)), os.open(path, os.O_RDONLY)
    offsets = np.random.default_rng(0).integers(0, max(1, path.stat().st_size // 4096 - 1), samples) * 4096
    hits = sum(_is_cached(descriptor, page, offset) for offset in offsets.tolist())
    os.close(descriptor)
    return hits / samples


def _is_cached(descriptor: int, page: memoryview, offset: int) -> bool:
    try:
        return os.preadv(descriptor, [page], offset, os.RWF_NOWAIT) == len(page)
    except BlockingIOError:
        return False


def _bytes_below(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _speed(work: Callable[[], object], order: Order, bytes_per_state: int, repeats: int = 3) -> float:
    """Megabytes a second, the best of some repeats; the first one warms the page cache."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return sum(positions.size for positions in order) * bytes_per_state / 1e6 / min(seconds)


if __name__ == "__main__":
    main()
