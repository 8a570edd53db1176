"""Hovmoeller diagrams: the mean over a band of latitudes, by longitude and time (Hovmoeller 1949)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.errors import DataError
from data_pipeline.times import HOUR
from evaluation.plots import frames, titles
from evaluation.plots.boxes import box_called
from evaluation.plots.canvas import INK, MISSING_COLOUR
from evaluation.plots.fields import select
from evaluation.plots.places.axes import number_of
from evaluation.plots.style import field_palette, spread_palette

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from data_pipeline.grid import Grid
    from evaluation.plots.boxes import Box
    from evaluation.plots.fields import EnsembleField
    from evaluation.plots.style import Palette

    Floats = NDArray[np.float64]

BAND = "band:35,60"
"""Where the waves of middle latitudes travel."""
_WIDTH, _HEIGHT = 6.6, 6.4
_ROUNDING = 1e-6
"""Inches of a panel."""
_STEP = {360: 60, 180: 30, 90: 15, 45: 10, 0: 5}
"""Degrees between the labels of longitudes, by how many there are at least."""


@dataclass(frozen=True)
class Strip:
    """Band means (member, lead, longitude) in display units; longitudes ascend from the west of the box."""

    values: Floats
    longitude: Floats
    leads: Floats
    first: EnsembleField

    @property
    def mean(self) -> Floats:
        """(lead, longitude); missing where any member is."""
        return np.asarray(self.values.mean(axis=0))

    @property
    def spread(self) -> Floats:
        """Of the band means, with members - 1 in the denominator."""
        return np.asarray(self.values.std(axis=0, ddof=1))


def strip_of(run: xr.Dataset, variable: str, level: int | None, box: Box, member: str | None) -> Strip:
    """The mean over a box's latitudes at every lead, weighted by area, of all members that have values or of one.

    Fields are read lead by lead. A mean leaves out missing values; without any value it is missing.

    Raises
    ------
    DataError
        As ``evaluation.plots.fields.select``; if there is but one lead, or fewer than two columns are in the box.
    """
    leads = np.atleast_1d(run["lead_time"].values / HOUR)
    if leads.size < 2:
        raise DataError("a Hovmoeller diagram needs at least 2 lead times, the forecast has 1; draw a map")
    fields = [select(run, variable, level, float(lead)) for lead in leads]
    fields = fields if member is None else [field.only(member) for field in fields]
    kept = tuple(name for name in fields[0].members if all(name in field.members for field in fields))
    if not kept:
        raise DataError(f"no member of {variable} has values at every lead time; draw a map of one lead")
    rows, columns, longitude = _inside(fields[0].grid, box)
    weights = fields[0].grid.area_weights()[rows]
    every = [_band_mean(field, kept, rows, columns, weights) for field in fields]
    return Strip(np.stack(every, axis=1), longitude, np.asarray(leads, dtype=np.float64), fields[0])


def hovmoller(
    run: xr.Dataset, variable: str, *, level: int | None = None, region: str | None = None, member: str | None = None
) -> Figure:
    """The ensemble mean and the spread beside each other; of one member, or of a single forecast, itself.

    Time runs downward. ``region`` is what ``evaluation.plots.boxes.box_called`` takes, by default 35 to 60 N.

    Raises
    ------
    DataError
        As ``strip_of``, or if there is no such region.
    """
    box = box_called(BAND if region is None else region)
    strip = strip_of(run, variable, level, box, member)
    own = strip.first
    several = len(strip.values) > 1
    figure = frames.sheet(_WIDTH * (1 + several) + 0.6, _HEIGHT + 0.9, *_words(strip, box, member))
    panels = figure.subplots(1, 1 + several, squeeze=False, sharey=True)[0]
    named = titles.statistic(own) if several or member is not None else "forecast"
    # A band's mean is far from the extremes that the fixed classes of maps are made for.
    style = replace(own.style, ranges={})
    found = [(strip.mean, field_palette(style, own.level, _known(strip.mean)), named, titles.field_label(own))]
    if several:
        found += [
            (strip.spread, spread_palette(_known(strip.spread)), "ensemble spread", f"Spread ({own.style.units})")
        ]
    for axes, (values, palette, title, label) in zip(panels, found, strict=True):
        _draw(axes, strip, values, palette, titles.capital(title))
        bar = figure.colorbar(axes.collections[0], ax=axes, orientation="horizontal", aspect=40, pad=0.02)
        bar.set_label(label, fontsize=10, color=INK)
        bar.ax.tick_params(labelsize=9, length=0)
        bar.outline.set_linewidth(0.6)
    _time_axis(panels[0], strip)
    return figure


def _inside(grid: Grid, box: Box) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats]:
    """Rows and columns in a box, and the columns' longitudes, ascending; the first again at the end of a circle."""
    latitude, longitude = np.asarray(grid.latitude), np.asarray(grid.longitude)
    rows = np.flatnonzero((latitude >= box.south - _ROUNDING) & (latitude <= box.north + _ROUNDING))
    east = (longitude - box.west + _ROUNDING) % 360 - _ROUNDING
    inside = np.flatnonzero(east <= box.width + _ROUNDING)
    columns = inside[np.argsort(east[inside])]
    if rows.size == 0 or columns.size < 2:
        raise DataError(
            f"no points of the {grid} lie within latitudes {box.south:g} to {box.north:g} and longitudes {box.west:g} "
            f"to {box.east:g}; choose another --region, e.g. band:-10,10"
        )
    across = box.west + east[columns]
    if box.is_circle and grid.is_periodic:
        columns, across = np.append(columns, columns[0]), np.append(across, across[0] + 360)
    return rows, columns, across


def _band_mean(
    field: EnsembleField, members: tuple[str, ...], rows: NDArray[np.intp], columns: NDArray[np.intp], weights: Floats
) -> Floats:  # fmt: skip
    """(member, longitude)."""
    chosen = [field.members.index(name) for name in members]
    values = field.values[chosen][:, rows][:, :, columns]
    share = np.where(np.isfinite(values), weights[:, None], 0.0)
    total = share.sum(axis=1)
    sums = (np.nan_to_num(values) * share).sum(axis=1)
    return np.where(total > 0, sums / np.where(total > 0, total, 1.0), np.nan)


def _draw(axes: Axes, strip: Strip, values: Floats, palette: Palette, title: str) -> None:
    frames.plain(axes, x="", y="", title="")
    axes.set_title(title, fontsize=11, fontweight="bold", color=INK, loc="left")
    axes.patch.set_facecolor(MISSING_COLOUR)
    times = number_of(strip.first.initial_time) + strip.leads / 24
    shown = np.ma.masked_invalid(values if palette.extend == "both" else np.clip(values, palette.edges[0], None))
    axes.contourf(strip.longitude, times, shown, levels=palette.edges, colors=palette.colours, extend=palette.extend)
    axes.set_ylim(times[-1], times[0])
    west, east = float(strip.longitude[0]), float(strip.longitude[-1])
    step = next(own for least, own in _STEP.items() if east - west >= least)
    ticks = np.arange(np.ceil(west / step) * step, east + 1e-6, step)
    axes.set_xlim(west, east)
    axes.set_xticks(ticks.tolist(), labels=[_degrees_east(tick) for tick in ticks])
    axes.tick_params(axis="x", pad=7)  # clear of the last time's label
    axes.set_axisbelow(False)
    axes.grid(color="#4d4d4d", linewidth=0.4, alpha=0.45, linestyle=(0, (4, 4)))


def _time_axis(axes: Axes, strip: Strip) -> None:
    """At most about a dozen leads, whole days if there are some, with date and hour."""
    start = strip.first.initial_time
    whole = [lead for lead in strip.leads if (start.hour + lead) % 24 == 0] or strip.leads.tolist()
    chosen = whole[:: -(-len(whole) // 12)]
    times = [start + np.timedelta64(round(60 * lead), "m") for lead in chosen]
    labels = [f"{time:%a} {time.day} {time:%b %H}" for time in times]
    axes.set_yticks([number_of(start) + lead / 24 for lead in chosen], labels=labels)
    axes.set_ylabel("Valid time (UTC)", fontsize=10, color=INK)


def _words(strip: Strip, box: Box, member: str | None) -> tuple[str, str]:
    own = strip.first
    people = f"member {own.members[0]}" if member is not None else f"{len(strip.values)} of {own.size} members"
    if member is None and len(strip.values) == own.size:
        people = f"{own.size} member{'s' if own.size != 1 else ''}"
    band = f"Mean over latitudes {_degrees_north(box.south)} to {_degrees_north(box.north)}, weighted by area"
    first = f"{titles.capital(titles.quantity(own))}: Hovmöller diagram"
    return first, f"Init {titles.moment(own.initial_time)}   to T+{strip.leads[-1]:g} h   {people}\n{band}"


def _degrees_north(latitude: float) -> str:
    return f"{titles.number(abs(latitude))}°{'' if latitude == 0 else ' N' if latitude > 0 else ' S'}"


def _degrees_east(longitude: float) -> str:
    """E.g. ``90° W``; neither side has 0 and 180.

    >>> _degrees_east(-90.0), _degrees_east(190.0), _degrees_east(180.0)
    ('90° W', '170° W', '180°')
    """
    east = 180 - (180 - longitude) % 360
    return f"{titles.number(abs(east))}°{'' if east in {0, 180} else ' E' if east > 0 else ' W'}"


def _known(values: Floats) -> Floats:
    return np.asarray(values[np.isfinite(values)])
