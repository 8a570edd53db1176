"""What a build would do and cost, before it is begun: ``sphercast data build --dry-run``."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from data_pipeline.building.append import full_shards, gather_extension
from data_pipeline.building.gather import open_sources
from data_pipeline.building.ledger import Ledger
from data_pipeline.building.origin import require_unchanged
from data_pipeline.building.precheck import check_before, sample_scaling
from data_pipeline.building.provenance import digest_of
from data_pipeline.building.report import finding_rows
from data_pipeline.building.room import covered_bytes, free_bytes, require_room, shown_size, summaries_bytes
from data_pipeline.building.slabs import LEDGER, slab_times
from data_pipeline.building.way import is_growing, require_own_build, standing
from data_pipeline.day_of_year_fit import MEMORY_BYTES
from data_pipeline.day_of_year_records import DAYS
from data_pipeline.day_of_year_window import DAY_BYTES
from data_pipeline.quality import Report
from data_pipeline.shards import encode_chunk
from data_pipeline.statistics import longest_lag
from data_pipeline.store import open_store, partial_path
from data_pipeline.times import shown

if TYPE_CHECKING:
    from data_pipeline.building.gather import Gathering
    from data_pipeline.config import DataConfig

_PROCESS_BYTES = 3 * 10**8
"""What Python with xarray, zarr and numba takes before it holds any field."""


Action = Literal["build", "resume", "append", "nothing"]


@dataclass(frozen=True)
class Plan:
    """Of a build: what it reads and writes, and estimates from one block that was read, regridded and packed.

    ``times``, ``shards`` and ``bytes_on_disk`` are of the whole store, those ``to_write`` of what is not there yet.
    """

    store: str
    action: Action
    sources: dict[str, str]
    channels: int
    grid: str
    first: str
    last: str
    times: int
    times_to_write: int
    shards: int
    shards_to_write: int
    bytes_on_disk: int
    bytes_uncompressed: int
    bytes_of_climatology: int
    bytes_to_write: int
    bytes_free: int
    bytes_of_memory: int
    seconds_for_fields: float
    threads: int
    findings: Report

    def to_json(self) -> str:
        """For programs; sizes in bytes."""
        plain = {field.name: getattr(self, field.name) for field in fields(self)}
        return json.dumps({**plain, "findings": finding_rows(self.findings)}, indent=2, ensure_ascii=False)

    def __str__(self) -> str:
        lines = [f"source     {name}: {what}" for name, what in self.sources.items()]
        disk = f"{shown_size(self.bytes_on_disk)} of fields ({shown_size(self.bytes_uncompressed)} uncompressed)"
        needed, free = shown_size(self.bytes_to_write), shown_size(self.bytes_free)
        room = f"{needed} to write, {free} free" + ("" if self.bytes_to_write <= self.bytes_free else ": TOO LITTLE")
        lines += [
            f"store      {self.store}: {self.channels} channels on the {self.grid}",
            f"times      {self.times}, {self.first} to {self.last}, in {self.shards} shards",
            f"to do      {self._to_do()}",
            f"disk       {disk}, {shown_size(self.bytes_of_climatology)} of climatology before compression; {room}",
            f"memory     {shown_size(self.bytes_of_memory)} with {self.threads} threads",
            f"duration   {_duration(self.seconds_for_fields)} for the fields, from one block; then the climatology",
            self.findings.table(),
        ]
        return "\n".join(lines)

    def _to_do(self) -> str:
        if self.action == "nothing":
            return "nothing, the store is finished"
        kept = self.shards - self.shards_to_write
        return f"{self.action}: {self.times_to_write} times in {self.shards_to_write} shards" + (
            f"; {kept} are there" if kept else ""
        )

    def require_room(self) -> None:
        """Raise a DataError if the disk has too little room for it."""
        require_room(Path(self.store), self.bytes_to_write)


def plan(config: DataConfig, threads: int | None = None) -> Plan:
    """Look what is there, open the sources, check a sample and time one block; writes nothing.

    Raises
    ------
    DataError
        As ``build`` does before it writes anything, but for a disk with too little room.
    """
    there, folder = standing(config), partial_path(config.store)
    gathering = open_sources(config, found := Report())
    shards = set(range(config.slabs))
    if there == "nothing":
        return _planned("build", gathering, found, shards, threads)
    if there == "finished":
        return _planned("nothing", gathering, found, set(), threads)
    require_unchanged(config, folder, write=False)
    return _planned("resume", gathering, found, shards - Ledger(folder / LEDGER).finished(), threads)


def plan_append(config: DataConfig, threads: int | None = None) -> Plan:
    """Look what the store of ``config`` lacks of a later end of its period; writes nothing.

    Raises
    ------
    DataError
        As ``append`` does before it writes anything, but for a disk with too little room.
    """
    old = open_store(config.store)
    if old.group.attrs["config_sha256"] == digest_of(config):
        return plan(config, threads)
    if is_growing(folder := partial_path(config.store)):
        require_own_build(config, folder)
        require_unchanged(config, folder, write=False)
    gathering = gather_extension(old, config, found := Report())
    lacking = set(range(full_shards(old, config), config.slabs)) - Ledger(folder / LEDGER).finished()
    return _planned("append", gathering, found, lacking, threads)


def _planned(action: Action, gathering: Gathering, found: Report, lacking: set[int], threads: int | None) -> Plan:
    """Of shards that are ``lacking``."""
    check_before(gathering, found)
    config, threads = gathering.config, threads or os.cpu_count() or 1
    seconds, packed = _measure(gathering)
    times, grid = config.times, config.grid.build()
    state_bytes = 4 * len(config.channels) * grid.shape[0] * grid.shape[1]
    to_write = sum(len(slab_times(config, number)) for number in lacking)
    return Plan(
        store=str(config.store),
        action=action,
        sources={share.name: ", ".join(share.channels.names) for share in gathering.shares},
        channels=len(config.channels),
        grid=str(grid),
        first=shown(times[0]),
        last=shown(times[-1]),
        times=len(times),
        times_to_write=to_write,
        shards=config.slabs,
        shards_to_write=len(lacking),
        bytes_on_disk=int(packed * len(times)),
        bytes_uncompressed=state_bytes * len(times),
        bytes_of_climatology=summaries_bytes(config),
        bytes_to_write=int(packed * to_write) + (0 if action == "nothing" else covered_bytes(config)),
        bytes_free=free_bytes(config.store),
        bytes_of_memory=_memory(gathering, threads, state_bytes),
        seconds_for_fields=seconds * to_write / max(min(threads, len(lacking)), 1),
        threads=threads,
        findings=found,
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
    states = state_bytes * len(config.times) + DAY_BYTES * DAYS * state_bytes // 4
    return _PROCESS_BYTES + max(threads * slab, min(MEMORY_BYTES, states) if config.climatology else 0)


def _duration(seconds: float) -> str:
    """Seconds for people.

    >>> _duration(8000), _duration(75), _duration(3)
    ('2.2 hours', '1.2 minutes', '3 seconds')
    """
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= length:
            return f"{seconds / length:.2g} {unit}"
    return f"{seconds:.2g} seconds"
