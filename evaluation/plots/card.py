"""The scorecard as a picture."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING, NamedTuple

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from evaluation.card import Mark, Panel, about_times, panels
from evaluation.plots.canvas import DPI, INK
from evaluation.shown import capital, chosen_leads, lead_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from evaluation.compare import Comparison

_CELL, _HEAD, _FOOT, _TITLE, _SIDE, _GAP = 0.27, 1.4, 0.3, 0.75, 0.25, 0.35
"""Inches: side of a cell, the lines on top, below, a panel's title with its leads, the side margins, between panels."""
_LETTER, _LINE = 0.068, 0.16
"""Inches, about, of a letter's width and a line's height in small print."""
_MOST_LEADS = 15
_AREA = 150.0
"""Points squared, of a mark of full size."""
_DOT = 6.0
_NARROWEST = 9.5


def card_figure(comparison: Comparison) -> Figure:
    """Panels of regions below each other, of metrics beside each other; those with other thresholds below them."""
    found = panels(comparison)
    lefts, width = _columns(found)
    tops, bottom = _rows(found)
    notes = _wrapped([f"note: {note}" for note in comparison.notes], width)
    height = bottom + _FOOT + _LINE * len(notes)
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    _heading(figure, comparison)
    first: dict[_Band, Panel] = {}
    for panel in found:
        band, fields = _band(panel), _fields(found, _band(panel))
        across, down = len(_leads(panel)) * _CELL, len(fields) * _CELL
        place = (lefts[band.choices, panel.metric], height - tops[band] - down, across, down)
        axes = figure.add_axes((place[0] / width, place[1] / height, place[2] / width, place[3] / height))
        _draw(axes, panel, fields, named=panel is first.setdefault(band, panel))
    figure.text(
        _SIDE / width, (_FOOT / 2 + _LINE * len(notes)) / height, "\n".join(notes), fontsize=8.5, color=INK, va="top"
    )
    return figure


class _Band(NamedTuple):
    """What panels beside each other have in common: the region, and labels such as thresholds, in all of the rows."""

    region: str
    choices: tuple[tuple[tuple[str, float | str], ...], ...]


def _band(panel: Panel) -> _Band:
    return _Band(panel.region, tuple(dict.fromkeys(row.choice for row in panel.rows)))


def _columns(found: list[Panel]) -> tuple[dict[tuple[object, str], float], float]:
    """The left edge of the panels of each metric, and the width of the sheet, in inches."""
    start, right = _SIDE + _labels(found), 0.0
    lefts: dict[tuple[object, str], float] = {}
    for choices in dict.fromkeys(_band(panel).choices for panel in found):
        beside = [panel for panel in found if _band(panel).choices == choices]
        left = start
        for metric in dict.fromkeys(panel.metric for panel in beside):
            own = [panel for panel in beside if panel.metric == metric]
            lefts[choices, metric] = left
            left += max(max(len(_leads(panel)) * _CELL, 0.1 * len(panel.title), 1.3) for panel in own) + _GAP
        right = max(right, left)
    return lefts, max(right - _GAP + _SIDE, _NARROWEST)


def _rows(found: list[Panel]) -> tuple[dict[_Band, float], float]:
    """The upper edge of the cells of each band, from the top, and the lower edge of the last, in inches."""
    top, tops = _HEAD, {}
    for band in dict.fromkeys(map(_band, found)):
        tops[band] = top + _TITLE
        top += _TITLE + len(_fields(found, band)) * _CELL
    return tops, top


def _fields(found: list[Panel], band: _Band) -> dict[str, str]:
    """Names of the fields of a band, a row for each in all of its panels, and their variables."""
    return {row.name: row.variable for panel in found if _band(panel) == band for row in panel.rows}


def _wrapped(texts: list[str], width: float) -> list[str]:
    """Lines that fit on a sheet so many inches wide."""
    return [line for text in texts for line in wrap(text, int((width - 2 * _SIDE) / _LETTER))]


def _labels(found: list[Panel]) -> float:
    """Inches that the longest row label needs."""
    longest = max(len(row.name) for panel in found for row in panel.rows)
    return max(0.085 * longest + 0.1, 1.0)


def _leads(panel: Panel) -> list[float]:
    hours = panel.leads()
    return [hours[place] for place in chosen_leads(hours, _MOST_LEADS)]


def _draw(axes: Axes, panel: Panel, fields: dict[str, str], *, named: bool) -> None:
    leads, names = _leads(panel), list(fields)
    for row in panel.rows:
        for column, hours in enumerate(leads):
            mark = panel.mark(row, hours)
            if mark is not None:
                _triangle(axes, mark, column, names.index(row.name))
    axes.set(xlim=(-0.5, len(leads) - 0.5), ylim=(len(fields) - 0.5, -0.5))
    axes.set_xticks(range(len(leads)), [lead_name(hours).replace(" ", "") for hours in leads], fontsize=8)
    axes.xaxis.tick_top()
    axes.set_yticks(range(len(names)), names if named else [""] * len(names), fontsize=9)
    axes.tick_params(length=0, colors=INK, pad=2)
    for edge in range(len(leads) + 1):
        axes.axvline(edge - 0.5, color="#e2e2e2", linewidth=0.6, zorder=0)
    for edge in range(len(names) + 1):
        new = 0 < edge < len(names) and fields[names[edge]] != fields[names[edge - 1]]
        axes.axhline(edge - 0.5, color="#9a9a9a" if new else "#e2e2e2", linewidth=0.9 if new else 0.6, zorder=0)
    axes.annotate(panel.title, (0, 1), (0, 30), "axes fraction", textcoords="offset points", fontsize=11,
                  fontweight="bold", color=INK, va="bottom")  # fmt: skip
    axes.annotate(panel.scale, (0, 1), (0, 18), "axes fraction", textcoords="offset points", fontsize=8,
                  color="#555555", va="bottom")  # fmt: skip
    for spine in axes.spines.values():
        spine.set_visible(False)


def _triangle(axes: Axes, mark: Mark, x: float, y: float) -> None:
    area, marker = (_AREA * mark.size**2, "^" if mark.better else "v") if mark.size else (_DOT, "o")
    axes.scatter(
        [x], [y], s=area, marker=marker, edgecolors=mark.colour, linewidths=1.0, zorder=2,
        facecolors=mark.colour if mark.significant or not mark.size else "none",
    )  # fmt: skip


def _heading(figure: Figure, comparison: Comparison) -> None:
    about = comparison.attributes
    width, height = figure.get_size_inches()
    text = f"{about_times(comparison)}. {capital(about['test'])}; false discovery rate {about['false_discovery_rate']}."
    left = _SIDE / width
    figure.text(left, 1 - 0.15 / height, about["title"], fontsize=15, fontweight="bold", color=INK, va="top")
    lines = "\n".join(_wrapped([text], width))
    figure.text(left, 1 - 0.48 / height, lines, fontsize=8.5, color=INK, va="top")
    legend = figure.add_axes((left, 1 - 1.26 / height, 1 - 2 * left, 0.24 / height))
    legend.set(xlim=(0, width - 2 * _SIDE), ylim=(-1, 1))
    legend.axis("off")
    place = 0.1
    for mark, text in _keys(comparison):
        _triangle(legend, mark, place, 0)
        legend.text(place + 0.14, 0, text, fontsize=8.5, color=INK, va="center")
        place += 0.14 + 0.066 * len(text) + 0.3


def _keys(comparison: Comparison) -> list[tuple[Mark, str]]:
    if all(own["p_value"].isnull().all() for own in comparison.cells.values()):
        return [(Mark(better, 0.8, False, False), f"{name} better, no claim: too few initial times")
                for better, name in ((True, comparison.ours), (False, comparison.theirs))]  # fmt: skip
    return [
        (Mark(True, 1.0, True, True), f"{comparison.ours} better"),
        (Mark(False, 1.0, True, True), f"{comparison.theirs} better"),
        (Mark(True, 0.8, False, True), "not significant"),
        (Mark(False, 0.8, False, True), "not significant"),
    ]
