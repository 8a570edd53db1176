"""How the noise that sampling starts from should be inflated, as JSON lines: CRPS and spread/skill by lead time.

    python -m benchmarks.inflation CHECKPOINT STORE --start 2000-01-05 --stop 2000-12-20 [--inflation 1 1.1] [--turned]

Take a period that was neither learnt from nor is to be scored. ``crps`` is fair, over the standard deviation of the
tendency, the mean of all channels; ``spread_skill`` is that mean too. ``days`` names the leads.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.sentences import in_a_sentence
from benchmarks.study_forecasts import Ensemble, Trial, score
from data_pipeline.store import open_store
from forecast.checkpoint import find_checkpoint, load_checkpoint

if TYPE_CHECKING:
    from forecast.forecaster import Forecaster

DAYS = (1, 3, 5, 7, 10)


def main() -> None:
    """Forecast, score, print."""
    options = _options()
    forecaster = load_checkpoint(find_checkpoint(options.checkpoint))
    test = Trial.of(open_store(options.store), options.start, options.stop, options.initial_times, max(DAYS))
    for inflation in options.inflation:
        print(json.dumps({"inflation": inflation, "days": DAYS, **scored(forecaster, inflation, test, options)}))


def scored(
    forecaster: Forecaster, inflation: float, test: Trial, options: argparse.Namespace
) -> dict[str, list[float]]:
    """Means over all channels, by day."""
    sampler = forecaster.sampler.model_copy(update={"inflation": inflation, "turned": options.turned})
    scores = score(replace(forecaster, sampler=sampler), test, Ensemble(options.members, None, 0, 128), None)
    scale, leads = forecaster.normalizer.tendency_std[:, 0, 0].numpy(), np.array(DAYS) - 1
    crps = (scores["crps"].mean(1)[leads] / scale).mean(1)
    ratio = np.sqrt(scores["variance"].mean(1) / scores["squared_error"].mean(1))[leads].mean(1)
    return {"crps": crps.round(4).tolist(), "spread_skill": ratio.round(3).tolist()}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", help="a path, or a shipped one by name")
    parser.add_argument("store", type=Path)
    parser.add_argument("--start", required=True)
    parser.add_argument("--stop", required=True)
    parser.add_argument("--inflation", type=float, nargs="+", default=[1.0, 1.1, 1.2])
    parser.add_argument("--turned", action="store_true", help="show each member's network the world turned another way")
    parser.add_argument("--members", type=int, default=8)
    parser.add_argument("--initial-times", type=int, default=8)
    return parser.parse_args()


if __name__ == "__main__":
    with in_a_sentence():
        main()
