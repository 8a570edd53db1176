"""Which messages of GRIB files are meant: variables under their canonical names, one member, one forecast step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.channels import LEVELS_HPA
from data_pipeline.errors import DataError, listed
from data_pipeline.times import shown
from data_pipeline.variables import CANONICAL_NAME, variable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from data_pipeline.sources.grib_index import GribIndex
    from data_pipeline.sources.grib_message import Kind
    from data_pipeline.sources.protocol import Window

    Messages = NDArray[np.void]

_PRESSURE_HPA = {"isobaricInhPa": 1.0, "isobaricInPa": 0.01}
_GROUND = ("z", "gh", "orog")
_WIND = ("u", "v")
"""As eccodes calls NCEP's at 100 m; ECMWF's have names of their own."""


@dataclass(frozen=True)
class Selection:
    """The choice that a source makes; ``path`` is what messages call it."""

    path: str
    member: int | None
    step_hours: int | None
    window: Window | None

    def of(self, name: str, index: GribIndex, kinds: Sequence[int]) -> Messages:
        """Messages of one variable, whose ``kinds`` are given: inside the window, of one member and one step.

        Of a static field they are those of the first time. Accumulations have no step 0: where the analysis, or no
        step, is asked for they are taken as they are if each valid time has one.

        Raises
        ------
        DataError
            If the window has none, or a choice is to be made and is not, or does not exist, or units or the length of
            accumulations differ.
        """
        units = {index.kinds[kind].units for kind in kinds}
        if len(units) > 1:
            raise DataError(
                f"{self.path}: {name} is in {' and in '.join(sorted(units))}, expected one; split the files"
            )
        messages: Messages = index.messages[np.isin(index.messages["kind"], kinds)]
        if variable(name).role == "static":
            return self._of_member(name, index, messages[messages["time"] == messages["time"].min()])
        messages = self._inside(name, self._of_step(name, index, self._of_member(name, index, messages)))
        hours = np.unique(_of_kinds(index, messages, "accumulation_hours"))
        if hours.size > 1 or hours[0] % 1:
            raise DataError(
                f"{self.path}: {name} is accumulated over {listed(f'{each:g}' for each in hours)} h, expected one "
                "number of whole hours; choose with 'step_hours'"
            )
        return messages

    def _inside(self, name: str, messages: Messages) -> Messages:
        if self.window is None:
            return messages
        times, (first, last) = messages["time"], self.window
        inside = _where((times >= first) & (times <= last), messages)
        if inside.size == 0:
            held = f"{shown(times.min())}..{shown(times.max())}"
            raise DataError(
                f"{self.path} has no {name} in {shown(first)}..{shown(last)}, it has {held}; change 'period'"
            )
        return inside

    def _of_member(self, name: str, index: GribIndex, messages: Messages) -> Messages:
        members = _of_kinds(index, messages, "member")
        several = np.unique(members)
        if several.size == 1 and (self.member is None or variable(name).role == "static"):
            return messages
        if self.member not in several:
            held = listed((f"{each:g}" for each in several), 100)
            if self.member is not None:
                raise DataError(f"{self.path} has no member {self.member}, it has {held} of {name}; choose one of them")
            raise DataError(
                f"{self.path}: {name} has members {held}, got no choice; choose one with 'member' (--member)"
            )
        return _where(members == self.member, messages)

    def _of_step(self, name: str, index: GribIndex, messages: Messages) -> Messages:
        steps = _of_kinds(index, messages, "step_hours")
        several = np.unique(steps)
        if self.step_hours in several:
            return _where(steps == self.step_hours, messages)
        free = self.step_hours is None or (self.step_hours == 0 and variable(name).accumulated)
        analysis_among_forecasts = several.size > 1 and several[0] == 0
        if free and not analysis_among_forecasts and _one_step_per_time(messages["time"], steps):
            return messages
        raise DataError(
            f"{self.path}: {name} has forecast steps of {listed((f'{each:g}' for each in several), 20)} h, got "
            f"{_said(self.step_hours)}; choose one with 'step_hours' (--step-hours; 0 is the analysis)"
        )


def held_variables(kinds: Sequence[Kind]) -> dict[str, list[int]]:
    """``{canonical name: positions of its kinds}``."""
    held: dict[str, list[int]] = {}
    for number, kind in enumerate(kinds):
        name = _canonical_name(kind)
        if name is not None:
            held.setdefault(name, []).append(number)
    return held


def contents(kinds: Sequence[Kind]) -> str:
    """The variables for a message, those that no channel can be with their type of level."""
    return listed(sorted({_canonical_name(kind) or f"{kind.short_name} ({kind.level_type})" for kind in kinds}), 20)


def pressure(kind: Kind) -> float:
    """Pressure level in hPa, 0 for fields without one."""
    return kind.level * _PRESSURE_HPA.get(kind.level_type, 0.0)


def _canonical_name(kind: Kind) -> str | None:
    """None for what no channel can be: unknown variables, model levels, pressures that are no whole hPa."""
    if kind.level_type == "surface" and kind.short_name in _GROUND:
        return "geopotential_at_surface"
    at_100_m = kind.level_type == "heightAboveGround" and kind.level == 100
    name = CANONICAL_NAME.get(f"100{kind.short_name}" if at_100_m and kind.short_name in _WIND else kind.short_name)
    on_pressure = kind.level_type in _PRESSURE_HPA
    if name is None or variable(name).on_levels != on_pressure or (on_pressure and pressure(kind) not in LEVELS_HPA):
        return None
    return name


def _said(choice: int | None) -> str:
    return "no choice" if choice is None else str(choice)


def _of_kinds(index: GribIndex, messages: Messages, attribute: str) -> NDArray[np.float64]:
    """What their kinds say, for each of the messages."""
    said = np.array([getattr(kind, attribute) for kind in index.kinds], dtype=np.float64)
    return np.asarray(said[messages["kind"]])


def _one_step_per_time(times: NDArray[np.datetime64], steps: NDArray[np.float64]) -> bool:
    pairs = np.stack([times.astype(np.int64), np.round(steps * 3600).astype(np.int64)], axis=1)
    return len(np.unique(pairs, axis=0)) == np.unique(times).size


def _where(chosen: NDArray[np.bool_], messages: Messages) -> Messages:
    kept: Messages = messages[chosen]
    return kept
