"""One slab of a store: read a few days from the sources, regrid, check, and write them as one whole shard.

Slabs know nothing of each other, so that any number of threads, processes or machines can write them in any order.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.building.inspection import Inspection, unaccepted
from data_pipeline.building.ledger import Entry, Ledger
from data_pipeline.quality import Report
from data_pipeline.shards import Shards, shard_path, write_shard
from data_pipeline.statistics import SlabSummary, longest_lag, summarise_seam, summarise_slab

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from data_pipeline.building.gather import Gathering
    from data_pipeline.config import DataConfig
    from data_pipeline.scaling import Scaling

    Times = NDArray[np.datetime64]
    State = NDArray[np.float32]
    Stored = NDArray[np.float32] | NDArray[np.float16]

GROWING, LEDGER = "store", "ledger"
"""Names inside the folder that a store grows in."""


def slab_times(config: DataConfig, number: int) -> Times:
    """The times of slab ``number``."""
    return config.times[number * config.slots : (number + 1) * config.slots]


def write_slab(
    gathering: Gathering, scaling: Scaling | None, folder: Path, number: int, stop: threading.Event | None = None
) -> int:
    """Write shard ``number`` of the store that grows in ``folder`` and enter it in the ledger; the number of its times.

    Memory holds a block of source fields and the last 24 hours of states, however long the shard. Once ``stop`` is
    set, it is given up at the next state.

    Raises
    ------
    DataError
        If a source cannot be read, or values are bad and not accepted by the config; nothing is left of the shard.
    CancelledError
        If it was given up; nothing is left of it then either.
    """
    config = gathering.config
    times, report = slab_times(config, number), Report()
    tally = Tally(config)
    path = shard_path(folder / GROWING / "fields", number)
    states = _until(stop, _checked(gathering.around(times), times, report))
    digest = write_shard(path, tally.watch(_stored(states, scaling), times, scaling), config.slots)
    Ledger(folder / LEDGER).enter(number, Entry(digest, tally.summary, tuple(report)))
    return len(times)


def adopt_slab(config: DataConfig, scaling: Scaling | None, folder: Path, number: int, digest: str) -> None:
    """Enter a shard that another build wrote, and that lies in its place already, as if it had been written here."""
    times, tally = slab_times(config, number), Tally(config)
    shape = (len(config.channels), *config.grid.build().shape)
    shards = Shards(folder / GROWING / "fields", config.slots, shape, np.dtype(config.precision))
    stored = (shards.read(number * config.slots + slot) for slot in range(len(times)))
    deque(tally.watch(stored, times, scaling), maxlen=0)
    Ledger(folder / LEDGER).enter(number, Entry(digest, tally.summary))


def _checked(gathering: Gathering, times: Times, report: Report) -> Iterator[State]:
    """The states at ``times``, as long as they are good; in the end, a DataError that lists all that was bad.

    The states before them are looked at too, as many as gathered, so that a copy or a jump between two slabs is seen.
    """
    config = gathering.config
    inspection = Inspection(report, times[0])
    early = gathering.times[gathering.times < times[0]]
    states = gathering.states(np.concatenate([early, times]), inspection)
    for _ in early:
        next(states)
    for state in states:
        if not unaccepted(report, config).findings:  # else the others are read only to list what is wrong
            yield state
    unaccepted(report, config).raise_errors()


def _until(stop: threading.Event | None, states: Iterable[State]) -> Iterator[State]:
    for state in states:
        if stop is not None and stop.is_set():
            raise CancelledError
        yield state


def _stored(states: Iterable[State], scaling: Scaling | None) -> Iterator[Stored]:
    for state in states:
        yield scaling.encode(state) if scaling else state


@dataclass
class Tally:
    """Sums up the states of the training period as they pass, one by one, so that no split changes a bit.

    ``summary`` is None until one has passed.
    """

    config: DataConfig
    summary: SlabSummary | None = None
    _last: deque[State] = field(default_factory=deque)

    def watch(self, stored: Iterable[Stored], times: Times, scaling: Scaling | None) -> Iterator[Stored]:
        """The stored states themselves, counted as they will be read: decoded."""
        inside = self.config.training_period.contains(times)
        weights = self.config.grid.build().area_weights()
        for state, counts in zip(stored, inside, strict=True):
            if counts:
                self._add(scaling.decode(state) if scaling else np.array(state), weights)
            yield state

    def _add(self, state: State, weights: NDArray[np.float64]) -> None:
        hours = self.config.interval_hours
        changes = summarise_seam(self._last, [state], weights, hours)
        one = summarise_slab(state[None], weights, hours).with_changes(changes)
        self.summary = one if self.summary is None else self.summary + one
        self._last.append(state)
        if len(self._last) > longest_lag(hours):
            self._last.popleft()
