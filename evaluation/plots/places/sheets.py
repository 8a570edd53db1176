"""Sheets of pictures of one place: panels below each other or beside each other, titles above, one legend below."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

from evaluation.plots import frames
from evaluation.plots.places.axes import ACROSS
from evaluation.plots.places.words import how_line, second_line
from evaluation.plots.titles import capital

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from evaluation.plots.places.local import Local
    from evaluation.plots.places.members import Members

WIDTH, ROW = ACROSS + 1.0, 1.95
"""Inches of a sheet along time, and of each of its panels."""
COLUMN, HEIGHT = 4.3, 5.6
"""Inches of each panel of a sheet along pressure."""
LETTERS = 12.0
"""In an inch of the lines below the title, at least."""
_HEAD, _FOOT = 1.05, 0.75


def along_time_sheet(
    local: Local, every: Sequence[Members], what: str, lacking: str = ""
) -> tuple[Figure, list[Axes]]:  # fmt: skip
    """A panel below the other for each variable, that share their time axis; ``lacking`` is said above them."""
    height = _HEAD + _FOOT + ROW * max(len(every), 1) + 0.3
    figure = _sheet(WIDTH, height, local, every, what, lacking)
    grid = figure.subplots(len(every), 1, squeeze=False, sharex=True)
    return figure, [row[0] for row in grid]


def along_pressure_sheet(
    local: Local, every: Sequence[Members], what: str, lacking: str = ""
) -> tuple[Figure, list[Axes]]:  # fmt: skip
    """A panel beside the other for each variable, that share their pressure axis."""
    figure = _sheet(max(COLUMN * len(every) + 0.6, 9.0), _HEAD + _FOOT + HEIGHT, local, every, what, lacking)
    grid = figure.subplots(1, len(every), squeeze=False, sharey=True)
    return figure, list(grid[0])


def key(figure: Figure, entries: Sequence[Artist]) -> None:
    """One legend at the foot of the sheet."""
    labels = [str(entry.get_label()) for entry in entries]
    room = figure.get_size_inches()[0] - 0.3
    widths = [0.62 + 0.078 * len(label) for label in labels]
    columns = len(labels)
    while columns > 1 and max(sum(widths[start : start + columns]) for start in range(0, len(widths), columns)) > room:
        columns -= 1
    columns = -(-len(labels) // -(-len(labels) // columns))  # rows of about the same length
    # Legends are filled column by column, and read row by row.
    order = [place for column in range(columns) for place in range(column, len(labels), columns)]
    figure.legend(
        [entries[place] for place in order], [labels[place] for place in order], loc="outside lower left",
        ncols=columns, fontsize=10, frameon=False, columnspacing=1.5,
    )  # fmt: skip


def _sheet(width: float, height: float, local: Local, every: Sequence[Members], what: str, lacking: str = "") -> Figure:
    first = f"{capital(what)}: {local.place}"
    how = "\n".join(wrap("; ".join(filter(None, (how_line(local, every), lacking))), int(LETTERS * width)))
    return frames.sheet(width, height, first, f"{second_line(local, every)}\n{how}")
