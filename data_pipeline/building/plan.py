"""What a build would do and cost, before it is begun: ``sphercast data build --dry-run``."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.building.gather import open_sources
from data_pipeline.building.precheck import check_before, sample_scaling
from data_pipeline.day_of_year_fit import MEMORY_BYTES, POINT_BYTES, climatology_bytes
from data_pipeline.day_of_year_records import DAYS
from data_pipeline.quality import Report
from data_pipeline.shards import encode_chunk
from data_pipeline.statistics import longest_lag
from data_pipeline.times import HOUR, shown

if TYPE_CHECKING:
    from data_pipeline.building.gather import Gathering
    from data_pipeline.config import DataConfig

_PROCESS_BYTES = 3 * 10**8
"""What Python with xarray, zarr and numba takes before it holds any field."""


@dataclass(frozen=True)
class Plan:
    """Of a build: what it reads and writes, and estimates from one block that was read, regridded and packed."""

    sources: dict[str, str]
    channels: int
    grid: str
    first: str
    last: str
    times: int
    shards: int
    bytes_on_disk: int
    bytes_uncompressed: int
    bytes_of_climatology: int
    bytes_of_memory: int
    seconds: float
    threads: int
    findings: str

    def to_json(self) -> str:
        """For programs; sizes in bytes."""
        return json.dumps(asdict(self), indent=2)

    def __str__(self) -> str:
        lines = [f"source     {name}: {what}" for name, what in self.sources.items()]
        disk = f"{_size(self.bytes_on_disk)} of fields ({_size(self.bytes_uncompressed)} uncompressed)"
        lines += [
            f"store      {self.channels} channels on the {self.grid}",
            f"times      {self.times}, {self.first} to {self.last}, in {self.shards} shards",
            f"disk       {disk}, {_size(self.bytes_of_climatology)} of climatology before compression",
            f"memory     {_size(self.bytes_of_memory)} with {self.threads} threads",
            f"duration   {_duration(self.seconds)} for the fields, from one block that was read, regridded and packed",
            self.findings,
        ]
        return "\n".join(lines)


def plan(config: DataConfig, threads: int | None = None) -> Plan:
    """Open the sources, check a sample and time one block; writes nothing.

    Raises
    ------
    DataError
        As ``build`` does before it writes anything.
    """
    gathering = open_sources(config, found := Report())
    check_before(gathering, found)
    threads = threads or os.cpu_count() or 1
    seconds, packed = _measure(gathering)
    times, grid = config.times, config.grid.build()
    state_bytes = 4 * len(config.channels) * grid.shape[0] * grid.shape[1]
    return Plan(
        sources={share.name: ", ".join(share.channels.names) for share in gathering.shares},
        channels=len(config.channels),
        grid=str(grid),
        first=shown(times[0]),
        last=shown(times[-1]),
        times=len(times),
        shards=config.slabs,
        bytes_on_disk=int(packed * len(times)),
        bytes_uncompressed=state_bytes * len(times),
        bytes_of_climatology=_climatology_bytes(config, state_bytes),
        bytes_of_memory=_memory(gathering, threads, state_bytes),
        seconds=seconds * len(times) / min(threads, config.slabs),
        threads=threads,
        findings=found.table(),
    )


def _measure(gathering: Gathering) -> tuple[float, float]:
    """Seconds and bytes on disk of one state."""
    scaling = sample_scaling(gathering) if gathering.config.precision == "float16" else None
    times = gathering.times[: gathering.times_at_once]
    start = time.perf_counter()
    sizes = [len(encode_chunk(scaling.encode(state) if scaling else state)) for state in gathering.states(times)]
    return (time.perf_counter() - start) / len(times), sum(sizes) / len(times)


def _memory(gathering: Gathering, threads: int, state_bytes: int) -> int:
    """The larger of two: slabs (blocks read, a day of states, the fields that checks remember), and the climatology."""
    config = gathering.config
    read = max(share.bytes_per_time(config.interval) for share in gathering.shares)
    remembered = sum(4 * len(share.channels) * share.grid.shape[0] * share.grid.shape[1] for share in gathering.shares)
    slab = gathering.times_at_once * (state_bytes + 2 * read) + remembered
    slab += (longest_lag(config.interval_hours) + 2) * state_bytes
    states = state_bytes * len(config.times) + POINT_BYTES * DAYS * state_bytes // 4
    return _PROCESS_BYTES + max(threads * slab, min(MEMORY_BYTES, states) if config.climatology else 0)


def _climatology_bytes(config: DataConfig, state_bytes: int) -> int:
    if config.climatology is None:
        return 0
    hours = len(np.unique((config.times - config.times.astype("datetime64[D]")) // HOUR))
    return climatology_bytes(config.climatology, hours, state_bytes)


def _size(count: int) -> str:
    """Bytes for people.

    >>> _size(418_000_000_000), _size(12_300_000)
    ('418 GB', '12.3 MB')
    """
    for unit, scale in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= scale:
            return f"{count / scale:.3g} {unit}"
    return f"{count / 1e3:.3g} kB"


def _duration(seconds: float) -> str:
    """Seconds for people.

    >>> _duration(8000), _duration(75), _duration(3)
    ('2.2 hours', '1.2 minutes', '3 seconds')
    """
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= length:
            return f"{seconds / length:.2g} {unit}"
    return f"{seconds:.2g} seconds"
