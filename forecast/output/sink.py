"""Where a forecast is written to: one sink for each file."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Protocol

from data_pipeline.errors import ConfigError
from forecast.output.config import MEMBER, OutputConfig
from forecast.output.layout import EnsembleLayout, Selection, select
from forecast.output.netcdf import NetcdfSink
from forecast.output.zarr import ZarrSink

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from forecast.guards import Stop


class Sink(Protocol):
    """One file that is being written, advance by advance (0, 1, 2, ...)."""

    def write(self, advance: int, members: Sequence[int], step: int, states: NDArray[np.float32]) -> None:
        """Write ``states`` (member, channel, latitude, longitude) after ``step`` (from 1), NaN for stopped members."""
        ...

    def finish(self, stopped: Mapping[int, Stop]) -> Path:
        """Write what is known at the end, close and fsync; the path in the work folder."""
        ...

    def close(self) -> None:
        """Give up without finishing; what is committed stays for a resume."""
        ...


def open_sinks(
    outputs: Sequence[OutputConfig],
    layout: EnsembleLayout,
    attributes: Mapping[str, str],
    work: Path,
    committed: int,
) -> list[Sink]:
    """The sinks of ``outputs`` in the folder ``work``; of what is there, that of advances below ``committed`` is kept.

    ``attributes`` are global attributes beside those of the conventions: source, seed, checkpoint and the like.

    Raises
    ------
    LostOutput
        If what should be kept is not there or damaged; it says from which advance on.
    ConfigError, DataError
        As ``select``.
    OSError
        If the disk is full or fails.
    """
    work.mkdir(parents=True, exist_ok=True)
    with ExitStack() as undo:
        sinks: list[Sink] = []
        for name, config, selection in planned(outputs, layout):
            kind = ZarrSink if config.is_zarr else NetcdfSink
            sinks.append(kind(work / name, selection, config, attributes, committed))
            undo.callback(sinks[-1].close)
        undo.pop_all()
    return sinks


def planned(outputs: Sequence[OutputConfig], layout: EnsembleLayout) -> list[tuple[str, OutputConfig, Selection]]:
    """Every file of ``outputs``: its name, how it is written, and what it holds.

    Raises
    ------
    ConfigError, DataError
        If two have the same name, and as ``select``.
    """
    files: list[tuple[str, OutputConfig, Selection]] = []
    for config in outputs:
        if MEMBER in config.name:
            width = len(str(max(layout.members)))
            names = {member: config.name.replace(MEMBER, f"{member:0{width}}") for member in layout.members}
            files += [(name, config, select(layout, config, member)) for member, name in names.items()]
        else:
            files.append((config.name, config, select(layout, config)))
    every = [name for name, _, _ in files]
    twice = [name for name in every if every.count(name) > 1]
    if twice:
        raise ConfigError(f"two outputs are called {twice[0]}; give each a name of its own")
    return files
