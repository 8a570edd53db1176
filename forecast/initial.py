"""The initial state of a forecast, taken from canonical data and checked."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch

from data_pipeline.ensembles import member_numbers
from data_pipeline.errors import DataError, reading
from data_pipeline.grid import Grid
from data_pipeline.quality import check_values
from data_pipeline.reading import is_grib_path, is_store_path, open_fields, open_states
from data_pipeline.sources.grib_index import grib_files, index_files
from data_pipeline.times import HOUR, shown, utc
from forecast.rollout import InitialState
from forecast.stepping import Stepping

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr
    from numpy.typing import NDArray
    from torch import Tensor

    from forecast.forecaster import Forecaster


class InitialEnsemble(Protocol):
    """The initial states of all members, made or read when they are asked for, since they may not fit in memory."""

    @property
    def time(self) -> np.datetime64:
        """When the forecast begins."""
        ...

    def of(self, members: Sequence[int]) -> InitialState:
        """The states (member, channel, latitude, longitude) of ``members``."""
        ...

    def sha256(self) -> str:
        """Of the data that the states are made of."""
        ...


@dataclass(frozen=True)
class GivenMembers:
    """An ensemble analysis: member number m starts from ``data[m]``, canonical data with its states."""

    forecaster: Forecaster
    data: Sequence[xr.Dataset]
    time: np.datetime64
    stepping: Stepping | None = None

    def of(self, members: Sequence[int]) -> InitialState:
        """As ``InitialEnsemble.of``; a DataError as of ``initial_state``, with the member."""
        several = zip(*(self._of(member).states for member in members), strict=True)
        return InitialState.at(self.time, [torch.stack(states) for states in several])

    def sha256(self) -> str:
        """As ``InitialEnsemble.sha256``."""
        digest = hashlib.sha256()
        for member in range(len(self.data)):
            digest.update(self._of(member).sha256().encode())
        return digest.hexdigest()

    def _of(self, member: int) -> InitialState:
        try:
            return initial_state(self.forecaster, self.data[member], self.time, self.stepping)
        except DataError as error:
            raise DataError(f"member {member}: {error}") from error


def open_members(path: str) -> list[xr.Dataset]:
    """The canonical states of every member of an ensemble (NetCDF, Zarr or GRIB), lazily, in order of their numbers.

    Raises
    ------
    DataError
        If it has but one member, or as of ``open_states``.
    """
    numbers = _numbers(path)
    if len(numbers) < 2:
        raise DataError(f"{path} is no ensemble analysis; give one, or perturb it with --perturb noise or lagged")
    return [open_states(path, member=number) for number in numbers]


def _numbers(path: str) -> list[int]:
    if is_grib_path(path):
        kinds = index_files(grib_files(path)).kinds
        return sorted({kind.member for kind in kinds})
    return [] if is_store_path(path) else [int(number) for number in member_numbers(open_fields(path))]


def given_members(
    forecaster: Forecaster, data: Sequence[xr.Dataset], time: np.datetime64, members: int,
    stepping: Stepping | None = None,
) -> GivenMembers:  # fmt: skip
    """The first ``members`` of an ensemble analysis, or a DataError if it has fewer."""
    if len(data) < members:
        raise DataError(
            f"the ensemble analysis has {len(data)} members, got --members {members}; ask for at most {len(data)}, or "
            "perturb one analysis with --perturb noise"
        )
    return GivenMembers(forecaster, tuple(data[:members]), time, stepping)


def initial_state(
    forecaster: Forecaster, data: xr.Dataset, time: np.datetime64, stepping: Stepping | None = None
) -> InitialState:
    """The states with which a forecast from ``time`` begins, in the forecaster's channels; errors as of ``states_at``.

    They are those at ``time`` and one step before it, unless ``stepping`` takes others.
    """
    times = [time + length for length in (stepping or Stepping.of(forecaster)).initial_lengths]
    return InitialState.at(time, states_at(forecaster, data, times).unbind())


def states_at(forecaster: Forecaster, data: xr.Dataset, times: Sequence[np.datetime64]) -> Tensor:
    """The states at ``times``, (time, channel, latitude, longitude), checked.

    Raises
    ------
    DataError
        If a time, variable or level is absent, the grid is another, or values are missing or impossible.
    """
    grid = Grid.of(data)
    if not grid.matches(forecaster.grid):
        raise DataError(
            f"the checkpoint is for the {forecaster.grid}, the data are on the {grid}; give others (--data), or regrid "
            "these"
        )
    _require_times(times, times_of(data))
    fields = forecaster.channels.stack(forecaster.channels.select(data).sel(time=np.asarray(times)))
    with reading(data.encoding.get("source", "the data")):
        fields = fields.load()
    check_values(fields, forecaster.channels)
    return torch.from_numpy(np.ascontiguousarray(fields.values, dtype=np.float32))


def first_time(forecaster: Forecaster, data: xr.Dataset, stepping: Stepping | None = None) -> np.datetime64:
    """The first time of the data from which a forecast can start (it has the states before that it takes)."""
    times, lengths = times_of(data), (stepping or Stepping.of(forecaster)).initial_lengths
    possible = times[np.all([np.isin(times + length, times) for length in lengths], axis=0)]
    if possible.size == 0:
        before = ", ".join(f"{-length / HOUR:g}" for length in sorted(lengths)[:-1])
        raise DataError(f"no time in the data has the states {before} h before it; give a longer period")
    return np.datetime64(possible[0], "ns")


def times_of(data: xr.Dataset) -> NDArray[np.datetime64]:
    """The times of the states, each once, or a DataError."""
    times: NDArray[np.datetime64] = np.atleast_1d(data["time"].values) if "time" in data.coords else np.array([])
    if times.size == 0 or np.unique(times).size < times.size:
        found = "no times" if times.size == 0 else "some times twice"
        raise DataError(f"the data hold {found}, expected states each at its own time; give other data")
    return times


def _require_times(wanted: Sequence[np.datetime64], held: NDArray[np.datetime64]) -> None:
    missing = [shown(time) for time in wanted if time not in held]
    if missing:
        raise DataError(
            f"the data have no state at {', '.join(missing)}; they hold {held.size} times in {shown(held[0])}.."
            f"{shown(held[-1])}. A forecast needs {', '.join(map(shown, sorted(wanted)))}; choose another --init"
        )


def parse_time(text: str) -> np.datetime64:
    """An ISO date or time in UTC, e.g. ``2001-01-05T00`` or ``2001-01-05``."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise DataError(f"cannot read the time {text!r}; expected UTC as in 2001-01-05T00") from None
    return np.datetime64(utc(time), "ns")
