"""Gather what a config asks for from all its sources: each channel from the one that has it, on the target grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from data_pipeline.canonical import check
from data_pipeline.channels import Channels, inventory
from data_pipeline.errors import DataError
from data_pipeline.grid import Grid
from data_pipeline.quality import check_times, check_values
from data_pipeline.regrid import Regridder
from data_pipeline.times import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from data_pipeline.config import DataConfig

    Times = NDArray[np.datetime64]

WHOLE_CELL = 1.0
"""Area of a target cell that must be valid: a hole in the source shall be seen, not averaged away."""


def open_sources(config: DataConfig) -> tuple[xr.DataArray, xr.Dataset]:
    """Fields of the period, lazy, (time, channel, latitude, longitude), and static fields, in memory.

    Both are on the target grid. Sources may differ in grid and levels, but not in the times of the period.

    Raises
    ------
    DataError
        If a channel, static field or time is missing or doubled, or static fields are impossible.
    """
    parts = [source.open({*config.variables, *config.static}) for source in config.sources]
    shares = _shares([*config.channels.names, *config.static], [inventory(part) for part in parts])
    owned = [[name for name in names if name not in config.static] for names in shares]
    fields = [_fields(part, names, config) for part, names in zip(parts, owned, strict=True) if names]
    _require_same_times([field["time"].values for field in fields])
    joined = xr.concat(fields, "channel", join="exact", coords="minimal", compat="override")
    order = [name for names in owned for name in names]
    joined = joined.isel(channel=[order.index(name) for name in config.channels.names])
    return joined, _static(parts, shares, config)


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


def _fields(part: xr.Dataset, names: list[str], config: DataConfig) -> xr.DataArray:
    channels = Channels.from_names(names)
    selected = channels.select(part)
    if "time" not in selected.dims:
        raise DataError(f"{', '.join(names)} have no time axis; expected states in time, or list them under 'static'")
    inside = config.period.contains(selected["time"].values)
    selected = selected.isel(time=np.flatnonzero(inside))
    check(selected)
    _check_period(selected["time"].values, part["time"].values, config)
    stacked = channels.stack(selected).to_dataset()
    return _regridder(part, config)(stacked)["fields"]


def _regridder(part: xr.Dataset, config: DataConfig) -> Regridder:
    return Regridder(Grid.of(part), config.grid.build(), min_valid_fraction=WHOLE_CELL)


def _check_period(times: Times, held: Times, config: DataConfig) -> None:
    first, last = config.period.bounds()
    asked, have = f"{config.period.start}..{config.period.stop}", _span(held)
    if times.size == 0:
        raise DataError(f"the sources hold no time in {asked}, they hold {have}; change 'period'")
    check_times(times, config.interval)
    if times[0] - first >= config.interval or last - times[-1] >= config.interval:
        raise DataError(f"the period {asked} exceeds the sources' {have}; shorten it, or complete the sources")
    if not config.training_period.contains(times).any():
        training = f"{config.training_period.start}..{config.training_period.stop}"
        raise DataError(f"the training period {training} holds no time of {asked}; it must overlap 'period'")


def _require_same_times(axes: Sequence[Times]) -> None:
    for times in axes[1:]:
        if not np.array_equal(times, axes[0]):
            raise DataError(
                f"the sources' times differ: {_span(axes[0])} and {_span(times)}; make them equal, or shorten 'period'"
            )


def _span(times: Times) -> str:
    if times.size == 0:
        return "no times"
    return f"{times.size} times in {shown(times.min())}..{shown(times.max())}"


def _static(parts: Sequence[xr.Dataset], shares: Sequence[Sequence[str]], config: DataConfig) -> xr.Dataset:
    fields: dict[str, xr.DataArray] = {}
    for part, names in zip(parts, shares, strict=True):
        chosen = part[[name for name in names if name in config.static]]
        first = chosen.isel(time=0, drop=True) if "time" in chosen.dims else chosen
        regridded = _regridder(part, config)(first).compute()
        fields |= {str(name): field for name, field in regridded.data_vars.items()}
    static = xr.Dataset({name: fields[name] for name in config.static})
    if config.static:
        channels = Channels.of(dict.fromkeys(config.static))
        check_values(channels.stack(static.expand_dims(time=[config.period.bounds()[0]])), channels)
    return static
