"""What all pictures of scores share: the sheet, its title lines, plain axes, colours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from evaluation.plots.canvas import DPI, INK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.artist import Artist
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


def grid_of(
    count: int, first: str, second: str, *, size: tuple[float, float] | None = None
) -> tuple[Figure, list[Axes]]:
    """A sheet of so many panels that share their axes, in rows of two to four; ``size`` in inches without the title.

    Leaves room for ``legend_below``.
    """
    columns = 1 if count == 1 else 2 if count <= 4 else 3 if count <= 9 else 4
    rows = -(-count // columns)
    width, height = size or (max(columns * 3.4, 8.0), rows * 2.5 + 0.5)
    figure = sheet(width, height + 0.8, first, second)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    panels = [grid[row][column] for row in range(rows) for column in range(columns)]
    for axes in panels[count:]:
        axes.remove()
    return figure, panels[:count]


def outer_labels(panels: Sequence[Axes]) -> None:
    """Leave axis labels to the panels of a grid that have no other to the left, or none below."""
    columns = len({round(axes.get_position(original=True).x0, 3) for axes in panels})
    for place, axes in enumerate(panels):
        last = place + columns >= len(panels)
        axes.tick_params(labelbottom=last)
        if place % columns:
            axes.set_ylabel("")
        if not last:
            axes.set_xlabel("")


def legend_below(figure: Figure, panels: Sequence[Axes]) -> None:
    """One legend of all panels at the foot of the sheet, where it covers nothing; none of panels without labels."""
    entries: dict[str, Artist] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            entries.setdefault(str(label), handle)
    if not entries:
        return
    room = figure.get_size_inches()[0] - 0.3
    columns = max(1, int(room / (0.6 + 0.082 * max(map(len, entries)))))
    figure.legend(
        list(entries.values()), list(entries), loc="outside lower left", ncols=min(columns, len(entries)), fontsize=9.5,
        frameon=False,
    )  # fmt: skip


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
