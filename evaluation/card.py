"""What is on a scorecard: a panel for each region and metric, a row for each field, a mark for each lead."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, log10
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from evaluation.comparison_text import Row, rows
from evaluation.improvement import MEANING
from evaluation.shown import field_name, lead_name, score_name, units

if TYPE_CHECKING:
    import xarray as xr

    from evaluation.compare import Comparison

BETTER, WORSE, UNSURE = "#0072b2", "#d55e00", "#8a8a8a"
"""Blue and vermilion of Okabe and Ito's palette, which people of any colour vision tell apart."""

_SMALLEST = 0.3
"""Of a mark, so that its direction can be seen."""


class Mark(NamedTuple):
    """A triangle: up if better; its size, the square root of the improvement's share of the full one, 0.3 to 1.

    ``claimed`` where there are enough initial times for a test; ``significant`` where it says so.
    """

    better: bool
    size: float
    significant: bool
    claimed: bool

    @property
    def colour(self) -> str:
        """Of the triangle's edge, and its face where it is significant."""
        if not self.claimed:
            return UNSURE
        return BETTER if self.better else WORSE


@dataclass(frozen=True)
class Panel:
    """Fields by lead, of one region and metric; marks of ``full`` per cent and more have the full size."""

    region: str
    metric: str
    rows: list[Row]
    full: float

    @property
    def title(self) -> str:
        """E.g. ``RMSE, global``."""
        return f"{score_name(self.metric)}, {self.region}"

    @property
    def scale(self) -> str:
        """What the full size means."""
        relative = MEANING[self.rows[0].cells.attrs["direction"]].startswith("%")
        return f"full size: {self.full:g} %" if relative else f"full size: {self.full / 100:g}"

    def leads(self) -> list[float]:
        """Hours, of all rows."""
        return sorted({hours for row in self.rows for hours in row.cells["lead_time"].values.tolist()})

    def mark(self, row: Row, hours: float) -> Mark | None:
        """Of one cell; None where there is no score."""
        cell = self.cell(row, hours)
        if cell is None:
            return None
        gain = float(cell["improvement"])
        size = float(np.clip(np.sqrt(abs(gain) / self.full), _SMALLEST, 1.0))
        return Mark(gain >= 0, size, bool(cell["significant"]), bool(cell["p_value"].notnull()))

    def cell(self, row: Row, hours: float) -> xr.Dataset | None:
        """The numbers of one cell; None where there are none."""
        if hours not in row.cells["lead_time"].values:
            return None
        cell = row.cells.sel(lead_time=hours)
        return None if np.isnan(cell["improvement"].item()) else cell


def panels(comparison: Comparison) -> list[Panel]:
    """In order of region, then metric."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows(comparison):
        groups.setdefault((row.region, row.metric), []).append(row)
    full = {name: _full_size([row for row in rows(comparison) if row.metric == name]) for _, name in groups}
    return [Panel(region, name, own, full[name]) for (region, name), own in groups.items()]


def words(comparison: Comparison, row: Row, cell: xr.Dataset) -> str:
    """One cell in a sentence."""
    scale, unit = units(row.metric, str(cell.attrs["units"]))
    scores = " and ".join(
        f"{name} {_three(float(cell[side]) * scale)}{' ' * bool(unit)}{unit}"
        for name, side in ((comparison.ours, "ours"), (comparison.theirs, "theirs"))
    )
    place = f"{field_name(row.variable, row.level)}, {score_name(row.metric)}, {row.region}"
    head = f"{place}, {lead_name(float(cell['lead_time']))}: {float(cell['improvement']):+.1f} %"
    size = int(cell["sample_size"])
    times = f"{size} initial time{'s' if size != 1 else ''}"
    if np.isnan(float(cell["p_value"])):
        return f"{head}, no claim; {scores}; {times}"
    claim = "significant" if cell["significant"] else "not significant"
    ends = (
        f"{float(comparison.attributes['confidence']):.0%}: {float(cell['lower']):+.1f} to {float(cell['upper']):+.1f}"
    )
    return f"{head} ({ends}), p = {float(cell['p_value']):.2g}, {claim}; {scores}; {times}"


def _full_size(own: list[Row]) -> float:
    """A round number that nine in ten improvements of a metric are below."""
    gains = np.concatenate([np.abs(row.cells["improvement"].values.ravel()) for row in own])
    wanted = float(np.nanquantile(gains, 0.9))
    if not 0 < wanted < np.inf:
        return 1.0
    power = 10.0 ** floor(log10(wanted))
    return float(next(step * power for step in (1, 2, 5, 10) if step * power >= wanted * (1 - 1e-9)))


def _three(value: float) -> str:
    """Three figures without an exponent.

    >>> _three(1234.5), _three(0.01234)
    ('1234', '0.0123')
    """
    decimals = 0 if value == 0 or not np.isfinite(value) else max(0, 2 - floor(log10(abs(value))))
    return f"{value:.{decimals}f}"
