"""Energy score of whole fields: time and memory beside scoringrules, in one run; prints JSON.

Fields are random, in float32; both give the area-weighted norm, scoringrules by fields that were multiplied by the root
of the weights before and with its numba backend: its default one needs 2 M times the memory of the input.
"""

from __future__ import annotations

import argparse
import json
import time
import tracemalloc
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.grid import Grid
from evaluation.metrics.distances import squared_distances
from evaluation.metrics.multivariate import energy_score
from evaluation.metrics.variogram import pairs_apart, variogram_scores
from evaluation.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable


def main() -> None:
    """Time both on the same fields."""
    options = _options()
    grid = Grid.equiangular(options.latitudes, options.longitudes, poles=True)
    rng = np.random.default_rng(0)
    members = rng.standard_normal((options.members, *grid.shape), dtype=np.float32)
    observation = rng.standard_normal(grid.shape, dtype=np.float32)
    weights = np.broadcast_to(grid.area_weights()[:, None], grid.shape).copy()
    separations = Settings().variogram_km
    work: dict[str, Callable[[], float]] = {
        "read once": lambda: float(members.sum()),
        "energy score": lambda: energy_score(squared_distances(members, observation, weights), fair=True),
        "variogram score": lambda: (
            variogram_scores(members, observation, weights, pairs_apart(grid, separations), order=0.5).fair
        ),
        "scoringrules.es_ensemble": _scoringrules(members, observation, weights),
    }
    print(json.dumps({
        "members": options.members, "grid": grid.shape, "million_member_points": members.size / 1e6,
        **{name: _measured(function, members) for name, function in work.items()},
    }))  # fmt: skip


def _scoringrules(members: np.ndarray, observation: np.ndarray, weights: np.ndarray) -> Callable[[], float]:
    import scoringrules  # noqa: PLC0415, an extra

    root = np.sqrt(weights / weights.sum()).astype(np.float32)
    fields, target = (members * root).reshape(len(members), -1), (observation * root).ravel()
    scoringrules.es_ensemble(target[:9], fields[:, :9], estimator="fair", backend="numba")  # compiles
    return lambda: float(scoringrules.es_ensemble(target, fields, estimator="fair", backend="numba"))


def _measured(function: Callable[[], float], members: np.ndarray) -> dict[str, float]:
    function()
    start = time.perf_counter()
    value = function()
    seconds = time.perf_counter() - start
    tracemalloc.start()
    function()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return {
        "value": value,
        "seconds": round(seconds, 4),
        "million_member_points_per_second": round(members.size / 1e6 / seconds, 1),
        "extra_memory_of_input": round(peak / members.nbytes, 3),
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, default=50)
    parser.add_argument("--latitudes", type=int, default=721)
    parser.add_argument("--longitudes", type=int, default=1440)
    return parser.parse_args()


if __name__ == "__main__":
    main()
