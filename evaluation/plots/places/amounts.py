"""Sums over time, such as precipitation: when they begin and end, and ends of scales that suit amounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evaluation.plots.places.axes import number_of
from evaluation.plots.sums import is_sum, summed_over
from evaluation.plots.titles import capital

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from evaluation.plots.places.local import Local
    from evaluation.plots.places.members import Members

    Floats = NDArray[np.float64]

_LEAST = {"mm": 1.0}
"""What a panel reaches at least, lest a trace looks like a flood."""


def steps(members: Members) -> Floats:
    """Hours between a lead and the one before it, or the start."""
    hours = members.axis
    if hours.size == 1:
        return np.array([hours[0] if hours[0] > 0 else 1.0])
    first = hours[0] if hours[0] > 0 else hours[1] - hours[0]
    return np.asarray(np.concatenate([[first], np.diff(hours)]), dtype=np.float64)


def middles(members: Members) -> Floats:
    """The middles of the steps that end at its leads, as matplotlib counts days."""
    ends = number_of(members.initial_time) + members.axis / 24
    return np.asarray(ends - steps(members) / 48, dtype=np.float64)


def panel_title(local: Local, members: Members) -> str:
    """E.g. ``Precipitation (mm in 6 h)``; ``mm per step of the forecast`` where that is not known."""
    units = members.style.units
    if is_sum(members.variable):
        hours = summed_over(local.run, members.variable)
        units = f"{units} per step of the forecast" if hours is None else f"{units} in {hours:g} h"
    arrows = "" if members.wind is None else f"; arrows: {'mean ' if len(members.names) > 1 else ''}wind"
    return f"{capital(members.title)} ({units}{arrows})"


def ends_of_scale(axes: Axes, members: Members) -> None:
    """Amounts and speeds begin at nought, shares of a hundred end there."""
    low, high = axes.get_ylim()
    if members.style.units == "%":
        axes.set_ylim(-3, 103)
    elif members.style.extend == "max":
        axes.set_ylim(0.0, max(high, _LEAST.get(members.style.units, 0.0)))
    elif low < 0 < high and members.style.units == "°C":
        axes.axhline(0.0, color="#6f6f6f", linewidth=0.9, linestyle=(0, (6, 3)), zorder=2)
