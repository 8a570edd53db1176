"""What statistics of a slab cost, as JSON: beside reading the same bytes once, and beside plain numpy.

Fields are of 0.25 degrees, float32. Every ratio is between two things measured in this one run, on one core.
"""

from __future__ import annotations

import json
import tempfile
import time
import tracemalloc
from typing import TYPE_CHECKING

import numpy as np
import zarr
from numba import njit

from data_pipeline.day_of_year import ClimatologyConfig
from data_pipeline.day_of_year_fit import write_day_of_year
from data_pipeline.moments import Moments
from data_pipeline.statistics import summarise_slab

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Fields = NDArray[np.float32]

STATES, CHANNELS, LATITUDES, LONGITUDES = 6, 4, 721, 1440


def main() -> None:
    """Measure and print."""
    generator = np.random.default_rng(0)
    fields = generator.standard_normal((STATES, CHANNELS, LATITUDES, LONGITUDES), dtype=np.float32) + np.float32(280)
    weights = np.cos(np.deg2rad(np.linspace(-89.9, 89.9, LATITUDES)))
    found = {"states": states(fields, weights), "slab": slab(fields, weights), "climatology": climatology(generator)}
    print(json.dumps(found, indent=2))


def states(fields: Fields, weights: NDArray[np.float64]) -> dict[str, float]:
    """Mean, spread, range and count of the states alone: CPU ms per field, ratios, and how well numpy agrees."""
    per_field = 1e3 / (STATES * CHANNELS)
    ours, read, plain = _best_of(
        lambda: Moments.of(fields, weights), lambda: _read(fields.ravel()), lambda: _plain(fields, weights)
    )
    moments, (mean, std) = Moments.of(fields, weights), _plain(fields, weights)
    return {
        "ms_per_field": round(ours * per_field, 3),
        "ms_per_field_reading": round(read * per_field, 3),
        "ms_per_field_numpy": round(plain * per_field, 3),
        "times_the_read_limit": round(ours / read, 2),
        "ratio_to_numpy": round(plain / ours, 1),
        "temporary_mb": round(_peak(lambda: Moments.of(fields, weights)) / 1e6, 3),
        "temporary_mb_numpy": round(_peak(lambda: _plain(fields, weights)) / 1e6, 1),
        "largest_difference_of_mean": float(np.abs(moments.mean - mean).max()),
        "largest_difference_of_std": float(np.abs(moments.std - std).max()),
    }


def slab(fields: Fields, weights: NDArray[np.float64]) -> dict[str, float]:
    """The whole summary of a slab, 6-hourly: states, and changes over 6, 12 and 24 hours."""
    seconds, read = _best_of(lambda: summarise_slab(fields, weights, 6), lambda: _read(fields.ravel()))
    return {
        "ms_per_field": round(seconds * 1e3 / (STATES * CHANNELS), 3),
        "million_values_per_second": round(fields.size / seconds / 1e6, 1),
        "times_the_read_limit": round(seconds / read, 2),
    }


def climatology(generator: np.random.Generator, count: int = 3650, channels: int = 20) -> dict[str, float]:
    """The climatology by hour and day of the year of 6-hourly states on 64x32 in memory: seconds of wall time."""
    fields = generator.standard_normal((count, channels, 32, 64), dtype=np.float32)
    times = np.datetime64("2001-01-01", "ns") + np.arange(count) * np.timedelta64(6, "h")
    seconds = {}
    for name, quantiles in (("moments", ()), ("moments_and_quantiles", ClimatologyConfig().quantiles)):
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            write_day_of_year(
                zarr.open_group(folder, mode="w"), lambda at: fields[at], times, np.arange(count),
                ClimatologyConfig(quantiles=quantiles), progress=False,
            )  # fmt: skip
            seconds[f"seconds_of_{name}"] = round(time.perf_counter() - start, 1)
    return {"states": count, "channels": channels, **seconds}


@njit(nogil=True, fastmath=True, cache=True)
def _read(values: Fields) -> float:
    """The least that a pass over the data costs: one float32 sum."""
    total = np.float32(0)
    for position in range(values.size):
        total += values[position]
    return float(total)


def _plain(fields: Fields, weights: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weighted mean and standard deviation as numpy writes them, in float64, with the range and count of values."""
    values = fields.astype(np.float64)
    valid = ~np.isnan(values)
    wide = np.where(valid, weights[:, None], 0.0)
    mean = np.nansum(values * wide, axis=(0, 2, 3)) / wide.sum(axis=(0, 2, 3))
    squares = np.nansum((values - mean[:, None, None]) ** 2 * wide, axis=(0, 2, 3))
    _ = np.nanmin(values, axis=(0, 2, 3)), np.nanmax(values, axis=(0, 2, 3)), valid.sum(axis=(0, 2, 3))
    return mean, np.sqrt(squares / wide.sum(axis=(0, 2, 3)))


def _best_of(*works: Callable[[], object], repeats: int = 5) -> list[float]:
    """Least CPU seconds of each, compiled, taken in turns so that neighbours disturb all alike."""
    for work in works:
        work()
    seconds: list[list[float]] = [[] for _ in works]
    for _ in range(repeats):
        for work, taken in zip(works, seconds, strict=True):
            start = time.process_time()
            work()
            taken.append(time.process_time() - start)
    return [min(taken) for taken in seconds]


def _peak(work: Callable[[], object]) -> float:
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return float(peak)


if __name__ == "__main__":
    main()
