"""What all pictures of scores share: the sheet, its title lines, plain axes, colours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from evaluation.plots.canvas import DPI, INK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
"""Of Okabe and Ito's palette, for forecasts; baselines are grey."""
GREYS = ("#4d4d4d", "#8c8c8c", "#b0b0b0")
GRID = "#e2e2e2"


def sheet(width: float, height: float, first: str, second: str) -> Figure:
    """A figure in inches, with two title lines flush left, laid out so that nothing overlaps."""
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    lines = 1 + second.count("\n")
    head = 0.75 + 0.17 * (lines - 1)
    figure.get_layout_engine().set(rect=(0.01, 0.01, 0.98, 1 - head / height - 0.01))  # type: ignore[union-attr, call-arg]
    figure.text(0.15 / width, 1 - 0.14 / height, first, fontsize=14, fontweight="bold", color=INK, va="top")
    figure.text(0.15 / width, 1 - 0.46 / height, second, fontsize=9.5, color=INK, va="top", linespacing=1.3)
    return figure


def plain(axes: Axes, *, x: str, y: str, title: str = "") -> None:
    """Labels, a light grid behind the lines, no box."""
    axes.set_axisbelow(True)
    axes.grid(color=GRID, linewidth=0.7)
    axes.tick_params(length=0, colors=INK, labelsize=9)
    axes.set_xlabel(x, fontsize=10, color=INK)
    axes.set_ylabel(y, fontsize=10, color=INK)
    if title:
        axes.set_title(title, fontsize=10.5, color=INK, loc="left")
    for side, spine in axes.spines.items():
        spine.set_visible(side in {"left", "bottom"})
        spine.set_color("#9a9a9a")


def times_line(times: Sequence[str]) -> str:
    """E.g. ``12 initial times, 2001-01-02 00:00 to 2001-07-20 12:00 UTC``."""
    shown = [time.replace("T", " ") for time in times]
    if len(shown) == 1:
        return f"1 initial time, {shown[0]} UTC"
    return f"{len(shown)} initial times, {shown[0]} to {shown[-1]} UTC"


def capital(text: str) -> str:
    """With a capital first letter, the rest as it is."""
    return text[:1].upper() + text[1:]
