"""What stays of a planet's states after a step, and what increments save by starting from it, as JSON.

    python -m benchmarks.persistence STORE [--hours 24] [--samples 256]

``kept`` is A of some degrees (forecast/persistence.py). ``variance`` is that of the increments over damped persistence,
over that of the increments over the whole last state; ``variance_of_small_scales`` is that of the degrees above five
eighths of the grid's.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from benchmarks.sentences import in_a_sentence
from data_pipeline.store import open_store
from forecast.persistence import Persistence, estimated
from forecast.truncation import Truncation

if TYPE_CHECKING:
    from torch import Tensor

    from data_pipeline.store import TrainingStore

DEGREES = (0, 2, 5, 8, 12, 16, 20)


def main() -> None:
    """Estimate, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path)
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--samples", type=int, default=256)
    options = parser.parse_args()
    store = open_store(options.store)
    before, after = pairs(store, options.hours, options.samples)
    print(json.dumps({"hours": options.hours, "channels": compared(store, before, after)}, indent=1))


def pairs(store: TrainingStore, hours: int, count: int) -> tuple[Tensor, Tensor]:
    """States evenly spread over the store, and those a step later: (sample, channel, latitude, longitude)."""
    lag = int(np.timedelta64(hours, "h") / store.interval)
    first = np.linspace(0, len(store.times) - 1 - lag, count).astype(int)
    before, after = (torch.from_numpy(store.read(positions)) for positions in (first, first + lag))
    return before, after


def compared(store: TrainingStore, before: Tensor, after: Tensor) -> dict[str, dict[str, object]]:
    """By channel."""
    truncation, mean = Truncation(store.channels, store.grid), before.double().mean(0).float()
    kept = estimated(truncation, mean, [(before, after)])
    persistence, degree = Persistence(truncation, mean, {None: kept}), truncation.transform.degree

    def power(fields: Tensor) -> Tensor:
        return truncation.products(fields, fields).double().mean(0)[:, :-1]

    damped, whole = power(after - persistence(before)), power(after - before)
    small = slice(degree * 5 // 8, None)
    return {
        name: {
            "kept": {k: round(float(kept[i, k]), 2) for k in DEGREES if k <= degree},
            "variance": round(float(damped[i].sum() / whole[i].sum()), 2),
            "variance_of_small_scales": round(float(damped[i, small].sum() / whole[i, small].sum()), 2),
        }
        for i, name in enumerate(store.channels.names)
    }


if __name__ == "__main__":
    with in_a_sentence():
        main()
