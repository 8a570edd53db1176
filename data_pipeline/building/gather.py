"""Gather what a config asks for from all its sources: each channel from the one that has it, on the target grid."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from data_pipeline.building.share import Share, hours_accumulated, name_of, require_times, require_unique
from data_pipeline.channels import Channels, inventory
from data_pipeline.errors import DataError, reading
from data_pipeline.grid import Grid
from data_pipeline.quality import Report, check_values
from data_pipeline.regrid import Regridder
from data_pipeline.variables import variable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from data_pipeline.building.inspection import Inspection
    from data_pipeline.config import DataConfig
    from data_pipeline.sources.protocol import Source

    Times = NDArray[np.datetime64]

BLOCK_BYTES = 2**28
"""Of one variable on its source's grid, and of states on the store's, that are held at a time."""


@dataclass(frozen=True)
class Gathering:
    """Opened sources that give every channel of a config at ``times``; it can be sent to another process.

    ``static`` holds the fields that never change, canonical, on the target grid.
    """

    config: DataConfig
    times: Times
    shares: tuple[Share, ...]
    static: xr.Dataset

    @property
    def times_at_once(self) -> int:
        """Times that are read together: as many as keep states and the largest variable below ``BLOCK_BYTES``."""
        config = self.config
        state = 4 * len(config.channels) * config.grid.latitudes * config.grid.longitudes
        largest = max(state, *(share.bytes_per_time(config.interval) for share in self.shares))
        return max(1, min(config.slots + 1, BLOCK_BYTES // largest))

    def around(self, times: Times) -> Gathering:
        """What a slab with ``times`` needs and no more: those and, where it is gathered, the time before them."""
        wanted = np.concatenate([times[:1] - self.config.interval, times])
        return replace(self, times=wanted[np.isin(wanted, self.times)], static=xr.Dataset())

    def states(self, times: Times, inspection: Inspection | None = None) -> Iterator[NDArray[np.float32]]:
        """States (channel, latitude, longitude) in physical units at ``times``, read a block at a time.

        Fields are shown to the ``inspection`` as the sources give them, a whole block before its first state comes.

        Raises
        ------
        DataError
            If a source cannot be read, or lacks a time.
        """
        for start in range(0, len(times), self.times_at_once):
            yield from self._block(times[start : start + self.times_at_once], inspection)

    def _block(self, times: Times, inspection: Inspection | None) -> NDArray[np.float32]:
        grid = self.config.grid.build()
        block = np.empty((len(times), len(self.config.channels), *grid.shape), dtype=np.float32)
        for share in self.shares:
            with reading(f"a source ({share.name})"):
                share.read_into(times, self.config.interval, block, inspection)
        return block


def open_sources(config: DataConfig, report: Report | None = None, times: Times | None = None) -> Gathering:
    """Open every source, look at its labels and give it its share of the channels.

    By default ``times`` are all of the config's.

    Sources may differ in grid, levels and interval, as long as they have the times of the store. What their labels
    needed to become canonical is added to ``report``.

    Raises
    ------
    DataError
        If a channel, static field or time is missing or doubled, or static fields are impossible.
    """
    wanted = {*config.variables, *config.static}
    times = config.times if times is None else times
    window = (times[0] - config.interval, times[-1])  # the first accumulation starts one interval before
    parts = [source.open(wanted, window, report) for source in config.sources]
    names = _shares([*config.channels.names, *config.static], [inventory(part) for part in parts])
    shares = []
    for source, part, held in zip(config.sources, parts, names, strict=True):
        channels = [name for name in held if name not in config.static]
        if channels:
            shares.append(_share(source, part, channels, config, times, report or Report()))
    return Gathering(config, times, tuple(shares), _static(parts, names, config))


def _shares(wanted: Sequence[str], held: Sequence[Sequence[str]]) -> list[list[str]]:
    """Of ``wanted``, what each source gives."""
    missing = [name for name in wanted if not any(name in names for names in held)]
    if missing:
        have = ", ".join(name for names in held for name in names) or "none of the wanted variables"
        raise DataError(f"the sources lack {', '.join(missing)}; they have {have}; change 'variables' or 'sources'")
    doubled = [name for name in wanted if sum(name in names for names in held) > 1]
    if doubled:
        raise DataError(f"more than one source has {', '.join(doubled)}; name a source that lacks them, or drop one")
    return [[name for name in wanted if name in names] for names in held]


def _share(
    source: Source, part: xr.Dataset, names: list[str], config: DataConfig, times: Times, report: Report
) -> Share:
    channels = Channels.from_names(names)
    selected = channels.select(part)
    if "time" not in selected.dims:
        raise DataError(f"{', '.join(names)} have no time axis; expected states in time, or list them under 'static'")
    require_unique(selected["time"].values)
    summed = {
        name: hours_accumulated(selected[name], config.interval, report)
        for name in channels.variables
        if variable(name).accumulated
    }
    require_times(name_of(source), selected["time"].values, times, config.interval, summed)
    positions = tuple(config.channels.index(name) for name in names)
    return Share(source, channels, positions, Grid.of(part), config.grid.build(), config.regridding, summed)


def _static(parts: Sequence[xr.Dataset], shares: Sequence[Sequence[str]], config: DataConfig) -> xr.Dataset:
    fields: dict[str, xr.DataArray] = {}
    for part, names in zip(parts, shares, strict=True):
        chosen = part[[name for name in names if name in config.static]]
        first = chosen.isel(time=0, drop=True) if "time" in chosen.dims else chosen
        regridder = Regridder(Grid.of(part), config.grid.build(), min_valid_fraction=1.0, method=config.regridding)
        regridded = regridder(first).compute()
        fields |= {str(name): field for name, field in regridded.data_vars.items()}
    static = xr.Dataset({name: fields[name] for name in config.static})
    if config.static:
        channels = Channels.of(dict.fromkeys(config.static))
        check_values(channels.stack(static.expand_dims(time=[config.period.bounds()[0]])), channels)
    return static
