"""Time axes that can be read for two days as for a month, pressure axes, and panels that look alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.dates import date2num
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from evaluation.plots.canvas import INK
from evaluation.plots.frames import GRID, plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from evaluation.plots.places.members import Members

    Floats = NDArray[np.float64]

ACROSS = 12.0
"""Inches of a time axis, about."""
BEYOND = 0.22
"""Inches that it goes on after the last lead, whose box is not to be cut."""
DAY_LABEL = 0.62
"""Inches that a label such as ``Wed 3`` takes."""
SHADE = "#f5f6f8"
_HOUR_LABEL = 0.5
_HOURS = (1, 2, 3, 6, 12, 24)
_TICK = 0.11
"""Inches, least distance of small ticks."""


@dataclass(frozen=True)
class Days:
    """Midnights (UTC) with their labels, ``hours`` between small ticks, and between labels of those, 0 for none."""

    midnights: tuple[pd.Timestamp, ...]
    labels: tuple[str, ...]
    hours: int
    labelled: int = 0


def days(start: pd.Timestamp, end: pd.Timestamp, inches: float) -> Days:
    """The days from ``start`` to ``end`` for an axis so long; the month stands below the first, and where it changes.

    >>> days(pd.Timestamp("2001-01-30T12"), pd.Timestamp("2001-02-02"), 8.0).labels
    ('Wed 31\\nJan 2001', 'Thu 1\\nFeb', 'Fri 2')
    """
    midnights = tuple(pd.date_range(start.ceil("D"), end, freq="D"))
    length = max((end - start) / pd.Timedelta(days=1), 1e-9)
    every = max(1, int(np.ceil(DAY_LABEL * length / inches)))
    labels, month = [], None
    for place, day in enumerate(midnights):
        if place % every:
            labels.append("")
            continue
        below = "" if (day.year, day.month) == month else day.strftime("\n%b %Y" if month is None else "\n%b")
        labels.append(f"{day.strftime('%a')} {day.day}{below}")
        month = day.year, day.month
    hours = next((own for own in _HOURS if inches * own / 24 / length >= _TICK), _HOURS[-1])
    labelled = next((own for own in (3, 6, 12) if inches * own / 24 / length >= _HOUR_LABEL), 0)
    return Days(midnights, tuple(labels), hours, labelled)


def along_time(axes: Axes, start: pd.Timestamp, end: pd.Timestamp, inches: float) -> None:
    """Ticks at midnight in UTC with the day's name, small ones between them, every second day shaded."""
    found = days(start, end, inches)
    axes.set_xlim(number_of(start), number_of(end))
    axes.xaxis.set_major_locator(FixedLocator([number_of(day) for day in found.midnights]))
    axes.xaxis.set_major_formatter(FixedFormatter(list(found.labels)))
    small = pd.date_range(start.ceil("D") - pd.Timedelta(days=1), end, freq=f"{found.hours}h")
    small = small[(small >= start) & (small.hour != 0)]
    named = [f"{time:%H}" if found.labelled and time.hour % found.labelled == 0 else "" for time in small]
    axes.xaxis.set_minor_locator(FixedLocator([number_of(time) for time in small]))
    axes.xaxis.set_minor_formatter(FixedFormatter(named))
    axes.tick_params(axis="x", which="major", length=5, color="#9a9a9a")
    axes.tick_params(axis="x", which="minor", length=2.5, color="#9a9a9a", labelsize=8, labelcolor="#6f6f6f")
    for day in pd.date_range(start.floor("D"), end, freq="D"):
        if day.toordinal() % 2:
            left, right = max(day, start), min(day + pd.Timedelta(days=1), end)
            axes.axvspan(number_of(left), number_of(right), color=SHADE, zorder=0, linewidth=0)


def time_below(panels: Sequence[Axes], every: Sequence[Members]) -> None:
    """From the initial time to the last lead on all panels, the days' names below the last."""
    start = every[0].initial_time
    hours = max(*(float(own.axis[-1]) for own in every), 1.0)
    beyond = pd.Timedelta(hours=hours * BEYOND / ACROSS)
    end = start + pd.Timedelta(hours=hours) + beyond
    if any(own.axis[0] == 0 for own in every):
        start -= beyond
    date = "" if days(start, end, ACROSS).midnights else f"{start:%a} {start.day} {start:%b %Y}, "
    for axes in panels:
        along_time(axes, start, end, ACROSS)
        axes.tick_params(which="both", labelbottom=axes is panels[-1])
    panels[-1].set_xlabel(
        f"{date}UTC" if date else "UTC, days are labelled at 00", fontsize=9, color=INK, loc="right", labelpad=1
    )


def number_of(time: pd.Timestamp) -> float:
    """As matplotlib counts days."""
    return float(date2num(time.to_datetime64()))  # type: ignore[no-untyped-call]


def moments(members: Members) -> Floats:
    """Valid times of its leads, as matplotlib counts days."""
    return np.asarray(number_of(members.initial_time) + members.axis / 24, dtype=np.float64)


def along_pressure(axes: Axes, levels: Floats) -> None:
    """Pressure downward, logarithmic, a tick at each level as far as they do not touch."""
    axes.set_yscale("log")
    low, high = float(levels.min()), float(levels.max())
    axes.set_ylim(high * (high / low) ** 0.03, low / (high / low) ** 0.09)  # above is room for a barb
    kept: list[float] = []
    for level in sorted(levels.tolist(), reverse=True):
        if not kept or np.log(kept[-1] / level) > 0.035 * np.log(high / low):
            kept.append(level)
    axes.yaxis.set_major_locator(FixedLocator(kept))
    axes.yaxis.set_major_formatter(FixedFormatter([f"{level:g}" for level in kept]))
    axes.yaxis.set_minor_locator(NullLocator())


def panel(axes: Axes, title: str) -> None:
    """A light grid, no box but lines on all sides, a bold title flush left."""
    plain(axes, x="", y="")
    axes.set_title(title, fontsize=11, fontweight="bold", color=INK, loc="left", pad=5)
    for spine in axes.spines.values():
        spine.set_visible(True)
        spine.set_color("#bdbdbd")
        spine.set_linewidth(0.8)
    axes.grid(color=GRID, linewidth=0.7)
