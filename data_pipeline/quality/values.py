"""Checks of values, state by state: what physics, units and the declared mask allow, and what a step may change."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.errors import DataError
from data_pipeline.quality.looks import Look, look_at
from data_pipeline.quality.magnitude import contradiction, typical_mean
from data_pipeline.quality.masks import MaskHistory
from data_pipeline.quality.places import place_at, when
from data_pipeline.quality.steps import StepHistory

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from data_pipeline.channels import Channel, Channels
    from data_pipeline.grid import Grid
    from data_pipeline.quality.findings import Report

    Times = NDArray[np.datetime64]
    Field = NDArray[np.float32]

FILLS = np.array([
    -9999.0, -999.0, -99999.0, -32768.0, -32767.0, 32767.0, 9999.0, 99999.0, 1e15, 1e20, 9.96921e36, 9.999e20, 1e30,
    -1e30, 1e34, -1e34, 3.4028235e38, -3.4028235e38,
], dtype=np.float32)  # fmt: skip
"""Values that files use for "missing": of NetCDF, GRIB, CMIP, COARDS, packed integers and people."""
_FILLS = frozenset(FILLS.tolist())
_SPIKE_SHARE = 0.5
"""Share of the impossible values of a field that are one and the same, from which it is a fill value."""


class ValueChecker:
    """Checks slabs of states that follow each other; keeps the last state and the steps seen so far.

    Each finding is one for its code and channel, with the first time and place and the number of points or states.
    """

    def __init__(self, channels: Channels, grid: Grid) -> None:
        self._fields = [FieldChecker(channel, grid) for channel in channels]
        self._weights = grid.area_weights() / grid.shape[0]
        self._before = np.full((len(channels), *grid.shape), np.nan, dtype=np.float32)

    def update(self, times: Times, fields: NDArray[np.float32], report: Report) -> None:
        """Check canonical ``fields`` (time, channel, latitude, longitude) at ``times``, and add what is wrong.

        Raises
        ------
        DataError
            If the shape is not that of the channels and the grid.
        """
        expected = (len(times), *self._before.shape)
        if fields.shape != expected:
            raise DataError(f"got fields {fields.shape}, expected {expected}; give whole states")
        for time, (before, state) in zip(times, pairwise([self._before, *fields]), strict=True):
            looks = look_at(state, before, self._weights)
            for field, look, checker in zip(state, looks, self._fields, strict=True):
                checker.update(time, field, look, report)
        if len(fields):
            self._before[:] = fields[-1]


class FieldChecker:
    """Checks the fields of one channel, in order of time."""

    def __init__(self, channel: Channel, grid: Grid) -> None:
        self._channel, self._grid = channel, grid
        self._mask = MaskHistory(channel, grid)
        self._steps = StepHistory(channel, grid)
        self._typical = typical_mean(channel)
        self._first_units: str | None = None

    def update(self, time: np.datetime64, field: Field, look: Look, report: Report) -> None:
        """Check one field (latitude, longitude), and add what is wrong."""
        if self._is_sound(time, field, look, report) and self._channel.variable.role != "static":
            self._steps.add(time, look, report)
        else:
            self._steps.forget()

    def _is_sound(self, time: np.datetime64, field: Field, look: Look, report: Report) -> bool:
        """Whether the values are good enough to be compared with the next state's."""
        low, high = look.low, look.high
        if not look.missing:
            self._mask.accepts_whole(time, report)
        elif not self._mask.accepts(time, field, report):
            return False
        if math.isinf(low) or math.isinf(high):
            self._add("value-infinite", "values are infinite, expected numbers; mend the source", time, np.isinf(field),
                      report)  # fmt: skip
            return False
        if low == high:
            return self._report_constant(time, low, report)
        if self._contradicts_units(time, look.mean, report):
            return False
        return self._is_possible(time, field, (low, high), report)

    def _report_constant(self, time: np.datetime64, value: float, report: Report) -> bool:
        static = self._channel.variable.role == "static"
        hint = " (a missing chunk reads as 0)" if value == 0 else ""
        message = f"the whole field is {value:g}{hint}, expected it to vary; mend the source or leave the variable out"
        code = "static-constant" if static else "field-constant"
        report.add(code, message, variable=self._channel.name, time=when(time))
        return False

    def _contradicts_units(self, time: np.datetime64, mean: float, report: Report) -> bool:
        typical = self._typical
        found = contradiction(mean, self._channel) if typical and not typical[0] <= mean <= typical[1] else ""
        if self._first_units is None:
            self._first_units = found
        if found != self._first_units and bool(found) != bool(self._first_units):
            message = f"the units change along time: {found or self._first_units} at some; relabel or convert those"
            report.add("units-mixed", message, variable=self._channel.name, time=when(time))
        elif found:
            message = f"{found}; correct the 'units' attribute"
            report.add("units-contradicted", message, variable=self._channel.name, time=when(time))
        return bool(found)

    def _is_possible(self, time: np.datetime64, field: Field, span: tuple[float, float], report: Report) -> bool:
        low, high = self._channel.variable.valid_range
        inside = low <= span[0] and span[1] <= high
        if inside and _FILLS.isdisjoint(span):
            return True
        outside = (field < low) | (field > high)
        fill = _fill_value(field, outside, span)
        if fill is not None:
            filled = field == np.float32(fill)
            self._add("value-fill", f"the value {fill:g} repeats although it is not declared as a fill value, expected "
                      f"{low:g}..{high:g}; set '_FillValue', or mend the source", time, filled, report)  # fmt: skip
            outside &= ~filled
        if outside.any():
            self._add_impossible(time, field, outside, report)
        return not outside.any() and fill is None

    def _add_impossible(self, time: np.datetime64, field: Field, outside: NDArray[np.bool_], report: Report) -> None:
        entry = self._channel.variable
        low, high = entry.valid_range
        values = field[outside]
        if entry.accumulated and values.max() < low:
            message = f"amounts go down to {values.min():g} {entry.units}, expected 0 or more; accumulate them again"
            self._add("accumulation-negative", message, time, outside, report)
            return
        message = f"values span {values.min():g}..{values.max():g} {entry.units}, expected within {low:g}..{high:g}"
        self._add("value-range", f"{message}; mend the source or leave the variable out", time, outside, report)

    def _add(self, code: str, message: str, time: np.datetime64, bad: NDArray[np.bool_], report: Report) -> None:
        place = place_at(self._grid, int(bad.argmax()))
        name, count = self._channel.name, int(np.count_nonzero(bad))
        report.add(code, message, variable=name, time=when(time), location=place, count=count)


def _fill_value(field: Field, outside: NDArray[np.bool_], span: tuple[float, float]) -> float | None:
    """A known fill value at an end of the span, or the one impossible value that most of them are."""
    for end in span:
        if np.float32(end) in FILLS and np.count_nonzero(field == np.float32(end)) > 1:
            return end
    values, counts = np.unique(field[outside], return_counts=True)
    known = values[np.isin(values, FILLS)]
    if known.size:
        return float(known[0])
    if counts.size and counts.max() > max(1, _SPIKE_SHARE * counts.sum()):
        return float(values[counts.argmax()])
    return None
