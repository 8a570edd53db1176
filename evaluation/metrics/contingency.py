"""Scores of a two-by-two table of forecast and observed events.

Symbols as in Jolliffe and Stephenson 2012, Forecast Verification (2nd edition), chapter 3: hits a, false alarms b,
misses c, correct negatives d, n their sum, H = a/(a + c) the hit rate, F = b/(b + d) the false alarm rate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    import xarray as xr

    from evaluation.metrics.definitions import Direction


@dataclass(frozen=True)
class Table:
    """Counts or shares of any shape."""

    hits: xr.DataArray
    false_alarms: xr.DataArray
    misses: xr.DataArray
    correct_negatives: xr.DataArray

    @classmethod
    def of_marginals(cls, hits: xr.DataArray, forecast: xr.DataArray, observed: xr.DataArray) -> Table:
        """From shares of all cases: hits, forecast events, observed events.

        What rounding leaves below zero is zero.

        >>> import xarray as xr
        >>> shares = [xr.DataArray(value) for value in (0.25, 0.5, 0.25)]
        >>> float(Table.of_marginals(*shares).correct_negatives)
        0.5
        """
        cells = (hits, forecast - hits, observed - hits, 1 - forecast - observed + hits)
        return cls(*(cell.where(~(np.abs(cell) < 1e-12), 0.0) for cell in cells))

    @property
    def cells(self) -> tuple[xr.DataArray, xr.DataArray, xr.DataArray, xr.DataArray]:
        """a, b, c, d."""
        return self.hits, self.false_alarms, self.misses, self.correct_negatives


def _ratio(part: xr.DataArray, whole: xr.DataArray) -> xr.DataArray:
    """NaN, never infinite, where the whole is nothing."""
    return part / whole.where(whole != 0)


def _log(share: xr.DataArray) -> xr.DataArray:
    """Minus infinity for zero."""
    with np.errstate(divide="ignore"):
        return share.copy(data=np.log(share.values))


def hit_rate(table: Table) -> xr.DataArray:
    """H = a/(a + c), the probability of detection."""
    a, _, c, _ = table.cells
    return _ratio(a, a + c)


def false_alarm_rate(table: Table) -> xr.DataArray:
    """F = b/(b + d), the probability of false detection."""
    _, b, _, d = table.cells
    return _ratio(b, b + d)


def false_alarm_ratio(table: Table) -> xr.DataArray:
    """b/(a + b): of forecast events, those that did not happen."""
    a, b, _, _ = table.cells
    return _ratio(b, a + b)


def frequency_bias(table: Table) -> xr.DataArray:
    """(a + b)/(a + c): forecast events over observed ones."""
    a, b, c, _ = table.cells
    return _ratio(a + b, a + c)


def critical_success_index(table: Table) -> xr.DataArray:
    """a/(a + b + c), the threat score."""
    a, b, c, _ = table.cells
    return _ratio(a, a + b + c)


def equitable_threat_score(table: Table) -> xr.DataArray:
    """(a - a_r)/(a + b + c - a_r) with the hits by chance a_r = (a + b)(a + c)/n, Gilbert's skill score."""
    a, b, c, d = table.cells
    chance = (a + b) * (a + c) / (a + b + c + d)
    return _ratio(a - chance, a + b + c - chance)


def heidke_skill_score(table: Table) -> xr.DataArray:
    """2 (a d - b c) / ((a + c)(c + d) + (a + b)(b + d))."""
    a, b, c, d = table.cells
    return _ratio(2 * (a * d - b * c), (a + c) * (c + d) + (a + b) * (b + d))


def seds(table: Table) -> xr.DataArray:
    """(ln((a + b)/n) + ln((a + c)/n)) / ln(a/n) - 1 (Hogan et al. 2009, doi:10.1002/qj.481).

    -1 without a hit; NaN if nothing was forecast or observed, or all was a hit.
    """
    a, b, c, d = table.cells
    total = a + b + c + d
    with np.errstate(invalid="ignore"):
        return _ratio(_log((a + b) / total) + _log((a + c) / total), _log(a / total)) - 1


def edi(table: Table) -> xr.DataArray:
    """(ln F - ln H)/(ln F + ln H) (Ferro and Stephenson 2011, doi:10.1175/WAF-D-10-05030.1).

    Its limits are taken: 1 for F = 0, -1 for H = 0, NaN for both.
    """
    h, f = hit_rate(table), false_alarm_rate(table)
    with np.errstate(divide="ignore", invalid="ignore"):
        return _with_limits((_log(f) - _log(h)) / (_log(f) + _log(h)), f == 0, h == 0)


def sedi(table: Table) -> xr.DataArray:
    """(ln F - ln H - ln(1 - F) + ln(1 - H))/(ln F + ln H + ln(1 - F) + ln(1 - H)) (the same).

    Its limits are taken: 1 for F = 0 or H = 1, -1 for H = 0 or F = 1, NaN for one of each: all or nothing was forecast.

    >>> import xarray as xr
    >>> cells = [xr.DataArray(value) for value in (30.0, 10.0, 10.0, 50.0)]
    >>> round(float(sedi(Table(*cells))), 3)
    0.742
    """
    h, f = hit_rate(table), false_alarm_rate(table)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = [_log(rate) for rate in (f, h, 1 - f, 1 - h)]
        value = (logs[0] - logs[1] - logs[2] + logs[3]) / (logs[0] + logs[1] + logs[2] + logs[3])
    return _with_limits(value, (f == 0) | (h == 1), (h == 0) | (f == 1))


def _with_limits(value: xr.DataArray, best: xr.DataArray, worst: xr.DataArray) -> xr.DataArray:
    limits = (best.astype(np.float64) - worst).where(~(best & worst))
    return value.where(~(best | worst), limits)


class Score(NamedTuple):
    """A score of a table, and how it is written down."""

    of: Callable[[Table], xr.DataArray]
    direction: Direction
    summary: str
    formula: str


SCORES: dict[str, Score] = {
    "hit_rate": Score(hit_rate, "one", "hit rate (probability of detection)", "H = a/(a + c)"),
    "false_alarm_rate": Score(
        false_alarm_rate, "zero", "false alarm rate (probability of false detection)", "F = b/(b + d)"),
    "false_alarm_ratio": Score(false_alarm_ratio, "zero", "false alarm ratio", "b/(a + b)"),
    "frequency_bias": Score(frequency_bias, "one", "frequency bias", "(a + b)/(a + c)"),
    "csi": Score(critical_success_index, "one", "critical success index", "a/(a + b + c)"),
    "ets": Score(
        equitable_threat_score, "one", "equitable threat score",
        "(a - a_r)/(a + b + c - a_r), a_r = (a + b)(a + c)/n"),
    "hss": Score(
        heidke_skill_score, "one", "Heidke skill score", "2 (a d - b c)/((a + c)(c + d) + (a + b)(b + d))"),
    "seds": Score(
        seds, "one", "symmetric extreme dependency score",
        "(ln((a + b)/n) + ln((a + c)/n))/ln(a/n) - 1, Hogan et al. 2009 doi:10.1002/qj.481"),
    "edi": Score(
        edi, "one", "extremal dependence index",
        "(ln F - ln H)/(ln F + ln H), Ferro and Stephenson 2011 doi:10.1175/WAF-D-10-05030.1"),
    "sedi": Score(
        sedi, "one", "symmetric extremal dependence index",
        "(ln F - ln H - ln(1 - F) + ln(1 - H))/(ln F + ln H + ln(1 - F) + ln(1 - H)), Ferro and Stephenson 2011 "
        "doi:10.1175/WAF-D-10-05030.1"),
}  # fmt: skip
