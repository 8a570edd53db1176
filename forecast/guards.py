"""Guards: a member that is not finite, or outside what physics allows, is stopped; the others go on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from data_pipeline.times import shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from data_pipeline.channels import Channels
    from data_pipeline.grid import Grid


@dataclass(frozen=True)
class Stop:
    """Why a member was stopped: the first bad value of the state of ``step`` (from 1), valid at ``time``.

    The member is missing from this step on. ``value`` is in the variable's units, ``level`` in hPa.
    """

    member: int
    step: int
    time: np.datetime64
    variable: str
    level: int | None
    latitude: float
    longitude: float
    value: float

    def __str__(self) -> str:
        level = f" at {self.level} hPa" if self.level is not None else ""
        place = f"latitude {self.latitude:g}, longitude {self.longitude:g}"
        return (
            f"member {self.member} stopped at step {self.step} ({shown(self.time)}): {self.variable}{level} was "
            f"{self.value:g} at {place}"
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values, of which ``of_json`` makes the same; the value as text, since it may be NaN."""
        return {**vars(self), "time": shown(self.time), "value": str(self.value)}

    @classmethod
    def of_json(cls, values: Mapping[str, Any]) -> Stop:
        """The inverse of ``to_json``."""
        known = {**values, "time": np.datetime64(values["time"], "ns"), "value": float(values["value"])}
        return cls(**known)


def find_stops(
    states: Tensor, channels: Channels, grid: Grid, *, members: Sequence[int], step: int, time: np.datetime64
) -> dict[int, Stop]:
    """The members whose ``states`` (member, channel, latitude, longitude) cannot be, by number.

    A value is bad if it is not finite, or outside the variable's ``valid_range``.
    """
    low, high = (_limits(channels, side).to(states.device) for side in (0, 1))
    sound = (states.amin((2, 3)) >= low) & (states.amax((2, 3)) <= high)  # a NaN makes both NaN, and so False
    stops = {}
    for row, column in _first_bad(sound):
        field = states[row, column]
        good = (field >= low[column]) & (field <= high[column])
        latitude, longitude = divmod(int((~good).flatten().to(torch.uint8).argmax()), grid.shape[1])
        channel = channels.channels[column]
        stops[members[row]] = Stop(
            members[row], step, time, channel.variable_name, channel.level, float(grid.latitude[latitude]),
            float(grid.longitude[longitude]), float(field[latitude, longitude]),
        )  # fmt: skip
    return stops


def _limits(channels: Channels, side: int) -> Tensor:
    return torch.tensor([channel.variable.valid_range[side] for channel in channels], dtype=torch.float32)


def _first_bad(sound: Tensor) -> list[tuple[int, int]]:
    """(row, column) of the first False in every row that has one."""
    return [(row, flags.index(False)) for row, flags in enumerate(sound.tolist()) if not all(flags)]
