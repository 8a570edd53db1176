"""The CRPS, the fused pass and ranks of 50 members on 721x1440 points, beside the peers that are installed, as JSON.

All rates are millions of member-points per second, float32 in, measured in this one run on the cores that it may use;
a peer scores as many points as take it about a second. Ours are the best of several calls, so is the read limit: the
rate at which the same array is summed by all cores. Memory is that of a process of its own, beside its input.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from evaluation.metrics.crps import fair_crps
from evaluation.metrics.forms import Ensemble
from evaluation.metrics.summary import ranks, summary

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Array = NDArray[np.float32]
    Score = Callable[[Array, Array], object]

MEMBERS, LATITUDES, LONGITUDES = 50, 721, 1440
CORES = len(os.sched_getaffinity(0))
FIRST_POINTS, SECONDS = 20_000, 1.0
OURS: dict[str, Score] = {
    "fair CRPS": lambda members, observation: fair_crps(Ensemble.of(members, observation)),
    "fused pass": summary,
    "rank counts": ranks,
}


def main() -> None:
    """Measure and print."""
    members, observation = fields(LATITUDES * LONGITUDES)
    limit = rate(read, members, observation)
    ours = {name: rate(score, members, observation) for name, score in OURS.items()}
    theirs = {name: rate_of_peer(score) for name, score in peers().items()}
    print(json.dumps({
        "shape": [MEMBERS, LATITUDES, LONGITUDES],
        "cores": CORES,
        "busy cores before": round(os.getloadavg()[0], 1),
        "read limit": round(limit),
        "ours": {name: round(own) for name, own in ours.items()},
        "share of read limit": {name: round(own / limit, 3) for name, own in ours.items()},
        "peers": {name: round(own, 1) for name, own in theirs.items()},
        "fair CRPS over peers": {name: round(ours["fair CRPS"] / own, 1) for name, own in theirs.items()},
        "peak memory over input": {name: peak_memory(name) for name in OURS},
    }, indent=2))  # fmt: skip


def fields(points: int) -> tuple[Array, Array]:
    """Members (member, point) and an observation."""
    generator = np.random.default_rng(0)
    members = generator.standard_normal((MEMBERS, points), dtype=np.float32)
    return members, generator.standard_normal(points, dtype=np.float32)


def read(members: Array, observation: Array) -> object:
    """Sum all members, each core its share."""
    del observation
    with ThreadPoolExecutor(CORES) as pool:
        return list(pool.map(np.sum, np.array_split(members.reshape(-1), CORES)))


def rate(score: Score, members: Array, observation: Array, repeats: int = 7) -> float:
    """Millions of member-points a second, the best of several calls after one that compiles."""
    score(members[:, :128], observation[:128])
    return max(members.size / seconds(score, members, observation) / 1e6 for _ in range(repeats))


def rate_of_peer(score: Score) -> float:
    """Likewise of one call with as many points as take about a second."""
    members, observation = fields(FIRST_POINTS)
    score(members, observation)
    points = int(FIRST_POINTS * np.clip(SECONDS / seconds(score, members, observation), 1, 50))
    members, observation = fields(points)
    return max(members.size / seconds(score, members, observation) / 1e6 for _ in range(2))


def seconds(score: Score, members: Array, observation: Array) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    score(members, observation)
    return time.perf_counter() - start


def peers() -> dict[str, Score]:
    """What is installed; each is given members where it wants them, and that is not counted."""
    warnings.simplefilter("ignore")
    found: dict[str, Score] = {}
    if find_spec("properscoring"):
        properscoring = import_module("properscoring")
        found["properscoring" + (" with numba" if find_spec("numba") else "")] = members_last(
            lambda last, observation: properscoring.crps_ensemble(observation, last))  # fmt: skip
    if find_spec("scoringrules"):
        crps_ensemble = import_module("scoringrules").crps_ensemble
        for name in ("fair", "pwm", "qd"):
            found[f"scoringrules {name}"] = members_last(
                lambda last, observation, name=name: crps_ensemble(  # type: ignore[misc]
                    observation, last, estimator=name))  # fmt: skip
    if find_spec("xskillscore"):
        xskillscore = import_module("xskillscore")
        found["xskillscore"] = labelled(lambda x, y: xskillscore.crps_ensemble(y, x, dim=[]))
    if find_spec("scores"):
        score = import_module("scores.probability").crps_for_ensemble
        found["scores"] = labelled(lambda x, y: score(x, y, "member", method="fair", preserve_dims="all"))
    return found


_LAST: dict[int, Array] = {}


def members_last(score: Score) -> Score:
    """A score of members (point, member): turned once for each array."""

    def turned(members: Array, observation: Array) -> object:
        if id(members) not in _LAST:
            _LAST.clear()
            _LAST[id(members)] = np.ascontiguousarray(members.T)
        return score(_LAST[id(members)], observation)

    return turned


def labelled(score: Callable[[object, object], object]) -> Score:
    """A score of labelled arrays."""
    return lambda members, observation: score(
        xr.DataArray(members, dims=("member", "point")), xr.DataArray(observation, dims="point")
    )


def peak_memory(name: str) -> float:
    """Of a process of its own: what it held at most beside what it held before, input included, over the input."""
    command = [sys.executable, __file__, name]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def measure_memory(name: str) -> None:
    """Print for ``peak_memory``."""
    OURS[name](*fields(4096))
    before = _held("VmRSS")
    members, observation = fields(LATITUDES * LONGITUDES)
    OURS[name](members, observation)
    print(round((_held("VmHWM") - before) / (members.nbytes + observation.nbytes), 3))


def _held(what: str) -> int:
    """Bytes that this process holds (VmRSS), or held at most since it began (VmHWM)."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(what))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure_memory(sys.argv[1])
    else:
        main()
