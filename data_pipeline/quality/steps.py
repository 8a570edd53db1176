"""Checks of one step of a channel against its other steps: stuck copies, jumps of the whole field, local spikes.

The area-weighted root mean square change of the globe is steady: in three months of ERA5 (6 h) and 13 years of a
simulated planet (12 h) no step of any channel exceeds 1.74 times the median, while two states of different weeks
differ by 1.3 (vorticity) to 5 times (heights) as much. The largest change anywhere stays below 3.0 times its median.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from data_pipeline.quality.places import place_at, when

if TYPE_CHECKING:
    from data_pipeline.channels import Channel
    from data_pipeline.grid import Grid
    from data_pipeline.quality.findings import Report
    from data_pipeline.quality.looks import Look


JUMP_FACTOR, JUMP_DEVIATIONS = 2.5, 8.0
"""A step is a jump if its rms change exceeds both this many medians and the median by this many deviations."""
SPIKE_FACTOR = 5.0
"""A step has a spike if its largest change anywhere exceeds this many medians of the largest change."""
FEWEST_STEPS = 6
"""Steps that must be known before one is judged."""
_REMEMBERED = 400
_NORMAL = 1.4826
"""Standard deviations of a normal distribution in one median absolute deviation."""


class _Step(NamedTuple):
    time: np.datetime64
    rms: float
    largest: float
    position: int


class StepHistory:
    """The changes of one channel from state to state; states must be added in order of time."""

    def __init__(self, channel: Channel, grid: Grid) -> None:
        self._channel, self._grid = channel, grid
        self._previous: np.datetime64 | None = None
        self._interval: np.timedelta64 | None = None
        self._known: deque[_Step] = deque(maxlen=_REMEMBERED)
        self._unjudged: list[_Step] = []
        self._least = _Step(np.datetime64("NaT"), math.inf, math.inf, 0)

    def forget(self) -> None:
        """The next state has no predecessor: the one before it was bad."""
        self._previous = None

    def add(self, time: np.datetime64, look: Look, report: Report) -> None:
        """Judge the change to a state from the one before it, unless there is a gap between them."""
        if self._previous is not None and self._follows(time - self._previous):
            if look.same:
                self._report_copy(time, report)
            else:
                self._remember(_Step(time, look.rms, look.largest, look.position))
        self._previous = time
        if len(self._known) >= FEWEST_STEPS:
            self._judge(report)

    def _remember(self, step: _Step) -> None:
        self._known.append(step)
        self._unjudged.append(step)
        self._least = step._replace(rms=min(step.rms, self._least.rms), largest=min(step.largest, self._least.largest))

    def _follows(self, interval: np.timedelta64) -> bool:
        """Whether it is the shortest step so far: longer ones lead over a gap, and none over a repeated time."""
        if interval <= np.timedelta64(0):
            return False
        if self._interval is None or interval < self._interval:
            self._interval = interval
            self._known.clear()
            self._unjudged.clear()
        return bool(interval == self._interval)

    def _report_copy(self, time: np.datetime64, report: Report) -> None:
        if self._channel.variable.defined_over == "sea":
            return  # analyses of the sea are daily: they stay the same for hours
        message = "the field is identical to the one before, expected weather to change; mend the source"
        report.add("field-repeated", message, variable=self._channel.name, time=when(time))

    def _judge(self, report: Report) -> None:
        if all(self._is_usual(step) for step in self._unjudged):
            self._unjudged.clear()
            return
        rms = np.array([step.rms for step in self._known])
        usual, largest = float(np.median(rms)), float(np.median([step.largest for step in self._known]))
        deviation = _NORMAL * float(np.median(np.abs(rms - usual)))
        for step in self._unjudged:
            if usual > 0 and step.rms > max(JUMP_FACTOR * usual, usual + JUMP_DEVIATIONS * deviation):
                self._report_jump(step, usual, report)
            elif largest > 0 and step.largest > SPIKE_FACTOR * largest:
                self._report_spike(step, largest, report)
        self._unjudged.clear()

    def _is_usual(self, step: _Step) -> bool:
        """Whether it is no jump or spike even beside the smallest steps so far, which spares the medians."""
        return step.rms <= JUMP_FACTOR * self._least.rms and step.largest <= SPIKE_FACTOR * self._least.largest

    def _report_jump(self, step: _Step, usual: float, report: Report) -> None:
        message = (
            f"the field changes by {step.rms:.3g} {self._channel.variable.units} (rms) in one step, expected about "
            f"{usual:.3g}; see whether this state or the one before it is of another time"
        )
        report.add("field-jump", message, variable=self._channel.name, time=when(step.time))

    def _report_spike(self, step: _Step, largest: float, report: Report) -> None:
        message = (
            f"a point changes by {step.largest:.3g} {self._channel.variable.units} in one step, expected at most "
            f"about {largest:.3g}; see whether values there are corrupt"
        )
        place = place_at(self._grid, step.position)
        report.add("value-spike", message, variable=self._channel.name, time=when(step.time), location=place)
