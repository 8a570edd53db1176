"""A small forecast for the tests of what is written: three members in two batches, three steps of 12 h."""

from __future__ import annotations

import hashlib
import resource
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from data_pipeline.channels import Channels
from data_pipeline.grid import Grid
from forecast.guards import Stop
from forecast.output import EnsembleLayout, OutputConfig, WriterThread, open_sinks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from forecast.output import Sink

INITIAL = np.datetime64("2001-01-05T00", "ns")
TIMES = INITIAL + np.arange(1, 4) * np.timedelta64(12, "h")
GRID = Grid.equiangular(8, 16, poles=False)
CHANNELS = Channels.of(
    {
        "temperature": [850, 500],
        "geopotential": [500],
        "mean_sea_level_pressure": None,
        "2m_temperature": None,
        "total_precipitation": None,
    }
)
LAYOUT = EnsembleLayout(CHANNELS, GRID, range(3), INITIAL, TIMES)
BATCHES = [[0, 1], [2]]
ADVANCES = [(batch, step) for step in (1, 2, 3) for batch in BATCHES]
ATTRIBUTES = {"source": "a test", "seed": "7"}
STOP = Stop(1, 2, TIMES[1], "temperature", 500, 10.0, 20.0, 999.0)
"""Member 1 came through one step."""


def states(members: Sequence[int], step: int) -> NDArray[np.float32]:
    """(member, channel, latitude, longitude), the same for a member whatever the batch."""
    return np.stack(
        [
            np.random.default_rng([member, step]).normal(280, 5, (len(CHANNELS), *GRID.shape)).astype(np.float32)
            for member in members
        ]
    )


def all_states(layout: EnsembleLayout = LAYOUT) -> NDArray[np.float32]:
    """(member, step, channel, latitude, longitude)."""
    steps = range(1, len(layout.times) + 1)
    return np.stack([states(list(layout.members), step) for step in steps], 1)


def put(sinks: Sequence[Sink], first: int = 0, last: int = len(ADVANCES)) -> None:
    """Write advances ``first`` to ``last`` - 1 through the thread."""
    with WriterThread(sinks) as writer:
        for advance, (members, step) in list(enumerate(ADVANCES))[first:last]:
            writer.put(advance, members, step, states(members, step))


def write(work: Path, *outputs: OutputConfig, stopped: Mapping[int, Stop] | None = None) -> list[Path]:
    """The finished files of ``outputs``, in one go."""
    sinks = open_sinks(outputs, LAYOUT, ATTRIBUTES, work, 0)
    put(sinks)
    return [sink.finish(stopped or {}) for sink in sinks]


def write_one(work: Path, name: str = "forecast.nc", **options: Any) -> Path:
    """The finished file of one output."""
    return write(work, OutputConfig(name=name, **options))[0]


def sums(folder: Path) -> dict[str, str]:
    """The sha256 of every file in ``folder``, by name."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file may grow beyond ``size`` bytes, as if the disk were full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
