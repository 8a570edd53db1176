"""Training stores in a few bits a number, for a machine with a narrow link, and back.

    python -m benchmarks.packing pack STORE FOLDER [--quantum 0.04] [--until 2001-01-01]
    python -m benchmarks.packing unpack FOLDER STORE

Fields become whole numbers of a quantum, a share of the longest tendency's standard deviation (0.04 adds an error of
0.012 of it, less than any analysis has). Each is predicted from its neighbours in space and time by sums of integers,
the same on every machine; what is left is Huffman-coded. The planet of ../shared/speedy takes 4.0 bits a number.
"""

from __future__ import annotations

import argparse
import json
import shutil
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numba
import numpy as np

from data_pipeline.shards import shard_path, write_shard
from data_pipeline.store import open_store

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from data_pipeline.store import TrainingStore

    Whole = NDArray[np.int32]

FEATURES, SHIFT, FAR = 18, 14, 127
LARGEST_FILE = 300_000
"""Bytes of the files that travel with the packed fields: labels and statistics, not climatologies."""

_compiled = numba.njit(nogil=True)


def main() -> None:
    """Pack or unpack."""
    options = _options()
    if options.task == "pack":
        pack(open_store(options.source), options.target, options.quantum, options.until)
    else:
        unpack(options.source, options.target)


def pack(store: TrainingStore, folder: Path, quantum: float, until: str | None) -> None:
    """Write a file for each channel, and the store's own small files."""
    count = int((store.times < np.datetime64(until)).sum()) if until else len(store.times)
    fields = store.read(range(count))
    changes = store.statistics.tendency_std
    units = quantum * changes[max(changes)]
    folder.mkdir(parents=True)
    np.save(folder / "units.npy", units)
    for channel, unit in enumerate(units):
        data = encode(np.rint(fields[:, channel] / unit).astype(np.int32))
        (folder / f"{channel:03d}.bin").write_bytes(data)
        print(store.channels.names[channel], f"{8 * len(data) / fields[:, channel].size:.2f} bits", flush=True)
    for file in store.path.rglob("*"):
        inside = file.relative_to(store.path)
        if file.is_file() and inside.parts[:2] != ("fields", "c") and file.stat().st_size < LARGEST_FILE:
            (folder / "store" / inside).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, folder / "store" / inside)


def unpack(folder: Path, target: Path) -> None:
    """Write the store; times that were not packed get the last packed state, so train on the others only."""
    shutil.copytree(folder / "store", target)
    store, units = open_store(target), np.load(folder / "units.npy")
    blobs = [path.read_bytes() for path in sorted(folder.glob("*.bin"))]
    with ThreadPoolExecutor() as pool:
        wholes = list(pool.map(decode, blobs))
        fields = np.stack(
            [(whole * unit).astype(np.float32) for whole, unit in zip(wholes, units, strict=True)], axis=1
        )
        lacking = len(store.times) - len(fields)
        fields = np.concatenate([fields, np.repeat(fields[-1:], lacking, axis=0)])
        slots = store.shards.slots

        def write(number: int) -> str:
            part = fields[number * slots : (number + 1) * slots]
            return write_shard(shard_path(target / "fields", number), iter(part), slots)

        list(pool.map(write, range(-(-len(fields) // slots))))


def encode(whole: Whole) -> bytes:
    """(time, latitude, longitude) as bytes."""
    features, target = _gathered(whole, max(1, len(whole) // 150))
    weights = np.rint(np.linalg.lstsq(features, target, rcond=None)[0] * 2**SHIFT).astype(np.int64)
    weights[0] += 2**SHIFT - weights.sum()
    rest = np.zeros_like(whole)
    _run(whole, rest, weights, decoding=False)
    flat = rest.ravel()
    far = np.flatnonzero(np.abs(flat) > FAR)
    small = np.clip(flat, -FAR, FAR).astype(np.int8)
    small[far] = -FAR - 1
    packer = zlib.compressobj(9, zlib.DEFLATED, 15, 9, zlib.Z_HUFFMAN_ONLY)
    body = packer.compress(small.tobytes()) + packer.flush()
    head = {"shape": whole.shape, "weights": weights.tolist(), "far": flat[far].tolist()}
    text = json.dumps(head).encode()
    return len(text).to_bytes(8, "little") + text + body


def decode(data: bytes) -> Whole:
    """The inverse of ``encode``."""
    size = 8 + int.from_bytes(data[:8], "little")
    head = json.loads(data[8:size])
    rest = np.frombuffer(zlib.decompress(data[size:]), np.int8).astype(np.int32)
    rest[rest == -FAR - 1] = head["far"]
    whole = np.zeros(head["shape"], np.int32)
    _run(whole, rest.reshape(whole.shape), np.array(head["weights"]), decoding=True)
    return whole


@_compiled
def _features(before: Whole, last: Whole, now: Whole, i: int, j: int, out: NDArray[np.int64]) -> None:
    """Neighbours that are known when ``now[i, j]`` is not: of both fields before, and to the west and north."""
    rows, columns = last.shape
    west, east, north, south = (j - 1) % columns, (j + 1) % columns, max(i - 1, 0), min(i + 1, rows - 1)
    out[0], out[1], out[2], out[3] = last[i, j], before[i, j], last[i, west], last[i, east]
    out[4], out[5] = last[i, (j - 2) % columns], last[i, (j + 2) % columns]
    out[6], out[7], out[8], out[9] = last[north, j], last[south, j], last[north, west], last[north, east]
    out[10], out[11] = last[south, west], last[south, east]
    out[12] = now[i, j - 1] if j >= 1 else last[i, west]
    out[13] = now[i, j - 2] if j >= 2 else last[i, (j - 2) % columns]
    above = now if i >= 1 else last
    out[14], out[15], out[16] = above[north, j], above[north, west], above[north, east]
    out[17] = now[i - 2, j] if i >= 2 else last[north, j]


@_compiled
def _gathered(whole: Whole, stride: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    times, rows, columns = whole.shape
    count = (times - 2 + stride - 1) // stride * rows * columns
    features, target, row, place = np.empty((count, FEATURES)), np.empty(count), np.zeros(FEATURES, np.int64), 0
    for time in range(2, times, stride):
        for i in range(rows):
            for j in range(columns):
                _features(whole[time - 2], whole[time - 1], whole[time], i, j, row)
                features[place] = row
                target[place] = whole[time, i, j]
                place += 1
    return features, target


@_compiled
def _run(whole: Whole, rest: Whole, weights: NDArray[np.int64], decoding: bool) -> None:
    """Fill ``rest`` from ``whole``, or ``whole`` from ``rest``: one is the other less what is predicted."""
    times, rows, columns = whole.shape
    row = np.zeros(FEATURES, np.int64)
    for time in range(times):
        for i in range(rows):
            for j in range(columns):
                if time == 0:
                    guess = np.int64(whole[0, i, j - 1] if j else (whole[0, i - 1, j] if i else 0))
                else:
                    _features(whole[max(time - 2, 0)], whole[time - 1], whole[time], i, j, row)
                    guess = ((weights * row).sum() + (1 << (SHIFT - 1))) >> SHIFT
                if decoding:
                    whole[time, i, j] = rest[time, i, j] + guess
                else:
                    rest[time, i, j] = whole[time, i, j] - guess


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=["pack", "unpack"])
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--quantum", type=float, default=0.04, help="over the tendency's standard deviation")
    parser.add_argument("--until", help="pack only the states before this time")
    return parser.parse_args()


if __name__ == "__main__":
    main()
