"""A long rollout stays within the planet's bounds, as JSON: drift of global means, extremes, humidity, spectra.

    python -m benchmarks.stability CHECKPOINT STORE --init 2006-04-03 [--days 60] [--members 8]

The bounds are those of the whole store. ``drift`` is how far a member's global mean goes from the season's middle,
over the half width of the season's range in all years: up to 1 it lies within that range, and 3 is allowed, as far as
the interannual range itself beyond it. ``beyond_extremes`` is how far any point leaves the store's extremes, in
standard deviations of the channel: 1 is allowed. Where humidity would be negative it is clipped at zero, as declared
in data_pipeline.variables.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from data_pipeline.store import TrainingStore, open_store
from forecast.checkpoint import find_checkpoint, load_checkpoint
from forecast.devices import choose_device
from forecast.harmonics import SphericalTransform
from forecast.initial import initial_state
from forecast.rollout import rollout

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    Floats = NDArray[np.float64]

AT_ONCE, MOST_DRIFT = 256, 3
DAYS_AROUND = 30
"""The range of global means is that of the same season: so many days before and after, in all years."""


def main() -> None:
    """Run, compare, print."""
    options = _options()
    forecaster = load_checkpoint(find_checkpoint(options.checkpoint)).to(choose_device())
    store = open_store(options.store)
    weights = forecaster.grid.area_weights()[:, None]
    initial = initial_state(forecaster, store.dataset(), np.datetime64(options.init, "ns"))
    steps = options.days * 24 // forecaster.model.step_hours
    climate, low, high = _climate(store, weights)
    drift, worst = np.zeros(len(store.channels)), np.zeros(len(store.channels))
    for forecast in rollout(forecaster, initial, members=range(options.members), steps=steps, seed=0):
        states = np.asarray(forecast.states.cpu(), dtype=np.float64)
        beyond = np.maximum(low - states.min((0, 2, 3)), states.max((0, 2, 3)) - high)
        worst = np.maximum(worst, beyond / store.statistics.std)
        drift = np.maximum(drift, _drift((states * weights).mean((-2, -1)), _season(store, climate, forecast.time)))
    ratios = _power_ratios(forecast.states.cpu(), store)
    answer = {
        "checkpoint": options.checkpoint, "days": options.days, "members": options.members,
        "stopped_members": len(forecast.stopped),
        "within_bounds": bool(not forecast.stopped and (drift <= MOST_DRIFT).all() and (worst <= 1).all()),
        "channels": {
            name: {"drift": round(drift[i], 3), "beyond_extremes": round(worst[i], 3), "small_scale_power": ratios[i]}
            for i, name in enumerate(store.channels.names)
        },
    }  # fmt: skip
    print(json.dumps(answer, indent=1))


def _climate(store: TrainingStore, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """Global means (time, channel) of the whole store, and each channel's extremes."""
    means, lows, highs = [], [], []
    for first in range(0, len(store.times), AT_ONCE):
        states = store.read(range(first, min(first + AT_ONCE, len(store.times)))).astype(np.float64)
        means.append((states * weights).mean((-2, -1)))
        lows.append(states.min((0, 2, 3)))
        highs.append(states.max((0, 2, 3)))
    return np.concatenate(means), np.min(lows, 0), np.max(highs, 0)


def _season(store: TrainingStore, climate: Floats, time: np.datetime64) -> Floats:
    days = (store.times - time) / np.timedelta64(1, "D")
    return climate[np.abs((days + 182.625) % 365.25 - 182.625) <= DAYS_AROUND]


def _drift(means: Floats, season: Floats) -> Floats:
    """Of global means (member, channel) from the middle of a season's (time, channel), over its half width."""
    low, high = season.min(0), season.max(0)
    return np.asarray(np.abs(means - (low + high) / 2).max(0) / ((high - low) / 2))


def _power_ratios(states: Tensor, store: TrainingStore) -> list[float]:
    """Power of the smaller half of the scales, forecast over store."""
    transform = SphericalTransform(store.grid)
    small = transform.degrees > int(transform.degrees.max()) // 2
    truth = torch.from_numpy(store.read(np.linspace(0, len(store.times) - 1, 64).astype(int)))
    got, expected = (transform.coefficients(x)[..., small].square().sum(-1).mean(0) for x in (states, truth))
    return [round(float(value), 3) for value in got / expected]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", help="a path, or a shipped one by name")
    parser.add_argument("store", type=Path, help="a training store of the planet")
    parser.add_argument("--init", required=True, help="initial time, in the store")
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument("--members", type=int, default=8)
    return parser.parse_args()


if __name__ == "__main__":
    main()
