"""What is on a scorecard: a panel for each region and metric, a row for each field, a mark for each lead."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, log10
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from evaluation.comparison_text import Row, rows
from evaluation.shown import is_share, lead_name, score_name, times_line, units

if TYPE_CHECKING:
    import xarray as xr

    from evaluation.compare import Comparison

BETTER, WORSE, UNSURE = "#0072b2", "#d55e00", "#8a8a8a"
"""Blue and vermilion of Okabe and Ito's palette, which people of any colour vision tell apart."""

_SMALLEST = 0.3
"""Of a mark, so that its direction can be seen."""
_LEAST = 0.001
"""p-value that is written out; tests are no surer of smaller ones."""


class Mark(NamedTuple):
    """A triangle: up if better; its size, the square root of the improvement's share of the full one, 0.3 to 1.

    A size of 0 is a dot: neither is better.

    ``claimed`` where there are enough initial times for a test; ``significant`` where it says so.
    """

    better: bool
    size: float
    significant: bool
    claimed: bool

    @property
    def colour(self) -> str:
        """Of the triangle's edge, and its face where it is significant."""
        if not self.claimed or not self.size:
            return UNSURE
        return BETTER if self.better else WORSE


@dataclass(frozen=True)
class Panel:
    """Fields by lead, of one region (and season, month or hour) and metric; marks of ``full`` per cent and more have
    the full size."""

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
        """What the full size means: a share, or a difference of scores in their own units."""
        if is_share(self.rows[0].cells.attrs["direction"]):
            return f"full size: {self.full:g} %"
        stored = {str(row.cells.attrs["units"]) for row in self.rows}
        unit = "" if stored == {"1"} else f" {stored.pop()}" if len(stored) == 1 else ", each in its units"
        return f"full size: {self.full / 100:g}{unit}"

    def leads(self) -> list[float]:
        """Hours, of all rows."""
        return sorted({hours for row in self.rows for hours in row.cells["lead_time"].values.tolist()})

    def mark(self, row: Row, hours: float) -> Mark | None:
        """Of one cell; None where there is no score."""
        cell = self.cell(row, hours)
        if cell is None:
            return None
        gain = float(cell["improvement"])
        size = float(np.clip(np.sqrt(abs(gain) / self.full), _SMALLEST, 1.0)) if gain else 0.0
        return Mark(gain >= 0, size, bool(cell["significant"]), bool(cell["p_value"].notnull()))

    def cell(self, row: Row, hours: float) -> xr.Dataset | None:
        """The numbers of one cell; None where there are none."""
        if hours not in row.cells["lead_time"].values:
            return None
        cell = row.cells.sel(lead_time=hours)
        return None if np.isnan(cell["improvement"].item()) else cell


def panels(comparison: Comparison) -> list[Panel]:
    """In order of region, group, then metric."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows(comparison):
        groups.setdefault((row.place, row.metric), []).append(row)
    full = {name: _full_size([row for row in rows(comparison) if row.metric == name]) for _, name in groups}
    return [Panel(region, name, own, full[name]) for (region, name), own in groups.items()]


def words(comparison: Comparison, row: Row, cell: xr.Dataset) -> str:
    """One cell in a sentence."""
    scale, unit = units(row.metric, str(cell.attrs["units"]))
    after = f" {unit}" if unit else ""
    scores = " and ".join(
        f"{name} {_three(float(cell[side]) * scale)}{after}"
        for name, side in ((comparison.ours, "ours"), (comparison.theirs, "theirs"))
    )
    place = f"{row.name}, {score_name(row.metric)}, {row.place}"
    gain, low, high, own = _gain_words(cell, scale, after)
    head = f"{place}, {lead_name(float(cell['lead_time']))}: improvement {gain}{own}"
    size = int(cell["sample_size"])
    times = f"{size} initial time{'s' if size != 1 else ''}"
    if np.isnan(float(cell["p_value"])):
        return f"{head}, no claim; {scores}; {times}"
    claim = "significant" if cell["significant"] else "not significant"
    ends = f"{float(comparison.attributes['confidence']):.0%} interval {low} to {high}{own}"
    chance = f"p = {p_value:.2g}" if (p_value := float(cell["p_value"])) >= _LEAST else f"p < {_LEAST:g}"
    return f"{head} ({ends}), {chance}, {claim}; {scores}; {times}"


def _gain_words(cell: xr.Dataset, scale: float, after: str) -> tuple[str, str, str, str]:
    """An improvement, its ends and its unit: a share in per cent, a difference of scores in the units of these."""
    share = is_share(cell.attrs["direction"])
    values = [float(cell[name]) for name in ("improvement", "lower", "upper")]
    gain, low, high = (f"{value:+.1f}" if share else f"{value / 100 * scale:+.3f}" for value in values)
    return gain, low, high, " %" if share else after


def about_times(comparison: Comparison) -> str:
    """Initial times, their step if there are several, and the sizes of ensembles."""
    about = comparison.attributes
    times = about["initial_times"].split()
    step = f", {about['initial_times_spacing']}" if len(times) > 1 else ""
    return f"{times_line(times)}{step}; {about['ensemble_size'] or 'no ensembles'}"


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
