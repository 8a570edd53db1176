"""What the hot paths cost, as JSON: denoiser beside the machine's matmul peak, CRPS beside properscoring.

Every ratio is between two things measured in this one run.
"""

from __future__ import annotations

import json
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
import properscoring
import torch
from torch.utils.flop_counter import FlopCounterMode

from evaluation.metrics.crps import empirical_crps
from evaluation.metrics.forms import Ensemble
from forecast.checkpoint import find_checkpoint, load_checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable

MEMBERS, POINTS = 50, 200_000


def main() -> None:
    """Measure and print."""
    print(json.dumps({"threads": torch.get_num_threads(), "denoiser": denoiser(), "crps": crps()}, indent=2))


def denoiser(batch: int = 10) -> dict[str, float]:
    """The shipped checkpoint's network: evaluations per second and share of the matmul peak, both in float32."""
    forecaster = load_checkpoint(find_checkpoint("planet"))
    noisy = torch.randn(batch, len(forecaster.channels), *forecaster.grid.shape)
    state = torch.zeros_like(noisy)
    condition = forecaster.condition(state, state, torch.zeros(3, *forecaster.grid.shape))
    level = torch.ones(batch)
    with torch.inference_mode():
        with FlopCounterMode(display=False) as counter:
            forecaster.denoiser(noisy, level, condition)
        seconds = _best(lambda: forecaster.denoiser(noisy, level, condition))
    reached = counter.get_total_flops() / seconds / 1e9
    peak = _matmul_peak()
    return {
        "evaluations_per_second": round(batch / seconds, 1),
        "gflop_per_evaluation": round(counter.get_total_flops() / batch / 1e9, 3),
        "gflops_reached": round(reached, 1),
        "gflops_of_matmul": round(peak, 1),
        "share_of_matmul": round(reached / peak, 3),
    }


def crps() -> dict[str, float]:
    """Ensemble CRPS of 50 members, float32 in, one process: member-points per second and the ratio to the peer.

    properscoring is many times faster where numba is installed; the result says whether it was.
    """
    generator = np.random.default_rng(0)
    members = generator.standard_normal((MEMBERS, POINTS), dtype=np.float32)
    observation = generator.standard_normal(POINTS, dtype=np.float32)
    ours = _best(lambda: empirical_crps(Ensemble.of(members, observation)))
    last = np.ascontiguousarray(members.T)
    theirs = _best(lambda: properscoring.crps_ensemble(observation, last))
    return {
        "million_member_points_per_second": round(MEMBERS * POINTS / ours / 1e6, 1),
        "properscoring": round(MEMBERS * POINTS / theirs / 1e6, 1),
        "properscoring_has_numba": find_spec("numba") is not None,
        "ratio_to_properscoring": round(theirs / ours, 2),
    }


def _matmul_peak(size: int = 1024) -> float:
    left, right = torch.randn(size, size), torch.randn(size, size)
    return 2 * size**3 / _best(lambda: left @ right) / 1e9


def _best(work: Callable[[], object], repeats: int = 7) -> float:
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


if __name__ == "__main__":
    main()
