"""A long rollout stays within the planet's bounds, as JSON: drift of global means, extremes, humidity, spectra.

    python -m benchmarks.stability CHECKPOINT STORE [STORE ...] --init 2006-04-03 [--init ...] [--days 60] [--members 8]

The planet is what all stores hold; forecasts start from the first. ``drift`` is that of global means: the ensemble
mean of 10 days in a row, less the mean over the years of the same 10 days, over the interannual range of these (the
highest year less the lowest, as an average over the forecast). The worst 10 days count, and up to 1 is allowed.
``member_drift`` is that of the worst single member, and is allowed 1.5: of 39 times 60 days of the planet of
../shared/speedy, each against the other 12 years, the worst channel reached 0.6 to 1.2.
``beyond_extremes`` is how far any point leaves the stores' extremes, in standard deviations of the channel: 1 is
allowed. ``small_scale_power`` is that of the last day's members, over that of the same season in all years.
Where humidity would be negative it is clipped at zero, as declared in data_pipeline.variables.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from benchmarks.seasons import same_courses, same_season
from benchmarks.sentences import in_a_sentence
from data_pipeline.errors import DataError
from data_pipeline.store import TrainingStore, open_store
from forecast.checkpoint import find_checkpoint, load_checkpoint
from forecast.devices import choose_device
from forecast.harmonics import SphericalTransform
from forecast.initial import initial_state
from forecast.rollout import rollout

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from forecast.forecaster import Forecaster

    Floats = NDArray[np.float64]
    Times = NDArray[np.datetime64]

AT_ONCE, WINDOW_DAYS, SEASON_DAYS, FEWEST_YEARS = 256, 10, 5, 3
MOST = {"drift": 1.0, "member_drift": 1.5, "beyond_extremes": 1.0}


def main() -> None:
    """Run, compare, print."""
    options = _options()
    forecaster = load_checkpoint(find_checkpoint(options.checkpoint)).to(choose_device())
    planet = Planet.of([open_store(path) for path in options.stores])
    found, stopped = [], 0
    for init in options.init:
        course = run(forecaster, planet.stores[0], np.datetime64(init, "ns"), options.days, options.members)
        stopped += options.members - course.means.shape[1]
        found.append(compared(course, planet))
    worst = {name: np.max([each[name] for each in found], axis=0) for name in MOST}
    power = np.mean([each["small_scale_power"] for each in found], axis=0)
    within = all(bool((worst[name] <= most).all()) for name, most in MOST.items())  # False where it is NaN
    answer = {
        "checkpoint": options.checkpoint, "init": options.init, "days": options.days, "members": options.members,
        "stopped_members": stopped, "within_bounds": within and not stopped,
        "channels": {
            name: {key: _number(values[i]) for key, values in {**worst, "small_scale_power": power}.items()}
            for i, name in enumerate(forecaster.channels.names)
        },
    }  # fmt: skip
    print(json.dumps(answer, indent=1, allow_nan=False))


class Course(NamedTuple):
    """A forecast's times, and by (time, member, channel) global means, lows and highs of the members never stopped.

    ``last`` are their last states (member, channel, latitude, longitude).
    """

    times: Times
    means: Floats
    lows: Floats
    highs: Floats
    last: Floats


class Planet(NamedTuple):
    """Stores, their global means (time, channel), and each channel's extremes and standard deviation."""

    stores: Sequence[TrainingStore]
    means: list[Floats]
    low: Floats
    high: Floats
    std: Floats

    @classmethod
    def of(cls, stores: Sequence[TrainingStore]) -> Planet:
        """Read whole, a part at a time."""
        means: list[Floats] = []
        lows: list[Floats] = []
        highs: list[Floats] = []
        for store in stores:
            own: list[Floats] = []
            for first in range(0, len(store.times), AT_ONCE):
                states = store.read(range(first, min(first + AT_ONCE, len(store.times))))
                parts = _summary(states.astype(np.float64), store.grid.area_weights())
                for kept, part in zip((own, lows, highs), parts, strict=True):
                    kept.append(part)
            means.append(np.concatenate(own))
        std = np.asarray(stores[0].statistics.std, dtype=np.float64)
        return cls(stores, means, np.concatenate(lows).min(0), np.concatenate(highs).max(0), std)

    def same_days(self, times: Times) -> Floats:
        """Global means (year, time, channel) at the same times of every year that a store holds.

        Raises DataError if these are too few to have a range.
        """
        years = [
            means[positions]
            for store, means in zip(self.stores, self.means, strict=True)
            for positions in same_courses(store.times, times)
        ]
        if len(years) < FEWEST_YEARS:
            raise DataError(
                f"the stores hold the days of the forecast in {len(years)} years, expected {FEWEST_YEARS} or more; "
                "give more stores, or fewer --days"
            )
        return np.stack(years)

    def same_season(self, when: np.datetime64) -> NDArray[np.float32]:
        """States (state, channel, latitude, longitude) a few days around the same day of all years."""
        found = [(store, same_season(store.times, when, SEASON_DAYS)[0]) for store in self.stores]
        return np.concatenate([store.read(positions) for store, positions in found])


def run(forecaster: Forecaster, store: TrainingStore, init: np.datetime64, days: int, members: int) -> Course:
    """Forecast, and keep what is compared."""
    initial = initial_state(forecaster, store.dataset(), init)
    weights, steps = forecaster.grid.area_weights(), days * 24 // forecaster.model.step_hours
    times, parts = [], []
    for forecast in rollout(forecaster, initial, members=range(members), steps=steps, seed=0):
        states = np.asarray(forecast.states.cpu(), dtype=np.float64)
        times.append(forecast.time)
        parts.append(_summary(states, weights))
    sound = [member for member in range(members) if member not in forecast.stopped]
    means, lows, highs = (np.stack(part)[:, sound] for part in zip(*parts, strict=True))
    return Course(np.asarray(times), means, lows, highs, states[sound])


def compared(course: Course, planet: Planet) -> dict[str, Floats]:
    """Drifts, extremes and power by channel; NaN if every member was stopped."""
    if not course.means.shape[1]:
        return dict.fromkeys([*MOST, "small_scale_power"], np.full(len(planet.std), np.nan))
    window = sum(course.times < course.times[0] + np.timedelta64(WINDOW_DAYS, "D"))
    years = planet.same_days(course.times)
    outside = np.maximum(planet.low - course.lows, course.highs - planet.high)
    return {
        "drift": drift(course.means.mean(1, keepdims=True), years, window),
        "member_drift": drift(course.means, years, window),
        "beyond_extremes": np.maximum(outside.max((0, 1)) / planet.std, 0),
        "small_scale_power": power_ratio(course.last, planet.same_season(course.times[-1]), planet.stores[0]),
    }


def drift(means: Floats, years: Floats, window: int) -> Floats:
    """The largest of any window and member, by channel, in interannual ranges.

    Shapes: global ``means`` (time, member, channel), those of ``years`` (year, time, channel).
    """
    own, known = _rolling(means, window), _rolling(years.swapaxes(0, 1), window)
    interannual = np.ptp(known, axis=1).mean(0)
    return np.asarray(np.abs(own - known.mean(1, keepdims=True)).max((0, 1)) / interannual)


def power_ratio(states: Floats, truth: NDArray[np.float32], store: TrainingStore) -> Floats:
    """Power of the smaller half of the scales, forecast over truth, by channel."""
    transform = SphericalTransform(store.grid)
    small = transform.degrees > int(transform.degrees.max()) // 2
    got, expected = (
        transform.coefficients(torch.from_numpy(fields).double())[..., small].square().sum(-1).mean(0)
        for fields in (states, truth)
    )
    return np.asarray(got / expected)


def _rolling(values: Floats, window: int) -> Floats:
    """Means over so many times in a row, along the first dimension."""
    return np.asarray(np.lib.stride_tricks.sliding_window_view(values, window, axis=0).mean(-1))


def _summary(states: Floats, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """Global means, lows and highs of states (..., latitude, longitude)."""
    return (states * weights[:, None]).mean((-2, -1)), states.min((-2, -1)), states.max((-2, -1))


def _number(value: float) -> float | None:
    return round(float(value), 3) if np.isfinite(value) else None


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", help="a path, or a shipped one by name")
    parser.add_argument("stores", type=Path, nargs="+", help="training stores of the planet")
    parser.add_argument("--init", required=True, action="append", help="initial time, in the first store; may repeat")
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument("--members", type=int, default=8)
    return parser.parse_args()


if __name__ == "__main__":
    with in_a_sentence():
        main()
