"""The sheet a map is drawn on: panels, coasts, fields, colour bars, and the file, which appears whole or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.path import Path as Outline
from matplotlib.patheffects import withStroke

from data_pipeline.errors import DataError
from data_pipeline.publish import publishing
from evaluation.plots.mesh import Mesh
from evaluation.plots.titles import number
from evaluation.plots.views import View, graticule, map_lines

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cartopy.mpl.geoaxes import GeoAxes
    from matplotlib.contour import ContourSet, QuadContourSet
    from matplotlib.lines import Line2D
    from matplotlib.text import Text

    from data_pipeline.grid import Grid
    from evaluation.plots.coastlines import Resolution
    from evaluation.plots.scale import Scale
    from evaluation.plots.style import Palette

    Field = np.ma.MaskedArray[tuple[int, ...], np.dtype[np.float64]]
    Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]

WIDTH, NARROWEST, HEIGHT, DPI = 16.0, 10.0, 9.0, 100
"""Inches and dots per inch: 1600 x 900 pixels at most, less where the panels need less; titles need the narrowest."""
SIDE, HEAD, FOOT, GAP = 0.3, 1.0, 0.95, 0.12
"""Inches: side margins, the two title lines, the colour bar with its label, the gap between panels."""
PANEL_TITLE = 0.3
CHARACTER = 0.1
"""Inches, about: width of a figure in a colour bar's labels, which must not touch one another."""
MISSING_COLOUR = "#d9d9d9"
INK = "#1a1a1a"
PIXELS_PER_POINT = 4
"""Map pixels per mesh point: contours are smooth to the eye, and small panels cost little."""
COARSE, MEDIUM = 7.0, 2.5
"""Degrees per inch from which coasts at 1:110 million, or at 1:50 million, are as fine as the eye can use."""


@dataclass(frozen=True)
class Sheet:
    """A figure with its map panels, in reading order, all on one mesh."""

    figure: Figure
    view: View
    panels: list[GeoAxes]
    mesh: Mesh
    foot: float
    scale: Scale | None = None

    @classmethod
    def of(
        cls, view: View, grid: Grid, count: int, *, panel_titles: bool = False, scale: Scale | None = None
    ) -> Sheet:  # fmt: skip
        """A sheet with ``count`` panels as large as fit."""
        strip = PANEL_TITLE if panel_titles else 0.0
        columns, width = _best_columns(view.aspect, count, strip)
        rows, height = -(-count // columns), width / view.aspect
        total = HEAD + FOOT + rows * (height + strip) + (rows - 1) * GAP
        across = columns * width + (columns - 1) * GAP
        wide = max(across + 2 * SIDE, NARROWEST)
        figure = Figure(figsize=(round(wide, 2), round(total, 2)), dpi=DPI, facecolor="white")
        FigureCanvasAgg(figure)
        left = (wide - across) / 2
        panels = []
        for index in range(count):
            row, column = divmod(index, columns)
            x, y = left + column * (width + GAP), total - HEAD - strip - height - row * (height + strip + GAP)
            panels.append(_panel(figure, view, (x / wide, y / total, width / wide, height / total), width))
        spacing = max(0.2, view.degrees_across * PIXELS_PER_POINT / (width * DPI))
        return cls(figure, view, panels, Mesh.of(grid, view, spacing=spacing), FOOT / total, scale)

    def values(self, what: str, field: Field) -> Floats:
        """The values that choose the classes of a field: its own, or those of all frames of an animation."""
        own: Floats = field.compressed()
        return own if self.scale is None else self.scale.over(what, own)

    def title(self, first: str, second: str, note: str = "") -> None:
        """Two lines above the maps, flush left with each other, and perhaps a small third one."""
        height = self.figure.get_figheight()
        left = min(panel.get_position(original=True).x0 for panel in self.panels)
        lines = ((0.14, first, 19, "bold"), (0.5, second, 14, "normal"), (0.76, note, 11, "normal"))
        for down, words, size, weight in lines:
            if words:
                text = self.figure.text(left, 1 - down / height, words, fontsize=size, fontweight=weight, color=INK,
                                        va="top")  # fmt: skip
                self._fit(text)

    def _fit(self, text: Text) -> None:
        """Smaller letters for words that would not fit between the text's left end and the sheet's right edge."""
        room = self.figure.bbox.width - SIDE * DPI / 2 - text.get_window_extent().x0
        # Widths of letters are whole pixels, so that one step may not be enough.
        while (wide := text.get_window_extent().width) > room:
            text.set_fontsize(0.99 * float(text.get_fontsize()) * room / wide)

    def legend(self, entries: Sequence[Line2D]) -> None:
        """A legend in the foot of the sheet, in place of a colour bar."""
        self.figure.legend(
            handles=list(entries), loc="center", bbox_to_anchor=(0.5, 0.55 * self.foot), ncols=min(len(entries), 4),
            fontsize=12, frameon=False,
        )  # fmt: skip

    def colour_bar(self, contours: ContourSet, label: str, *, left: float = 0.2, right: float = 0.8) -> None:
        """A horizontal bar in the foot of the sheet, between two fractions of the width."""
        axes = self.figure.add_axes((left, 0.62 * self.foot, right - left, 0.2 * self.foot))
        bar = self.figure.colorbar(contours, cax=axes, orientation="horizontal")
        edges = np.asarray(contours.levels)
        labels = [number(edge) for edge in edges]
        room = self.figure.get_figwidth() * (right - left) / (edges.size + 1)
        every = int(np.ceil((max(map(len, labels)) * CHARACTER + 0.1) / room))
        bar.set_ticks(edges[::every].tolist(), labels=labels[::every])
        bar.ax.tick_params(labelsize=11, length=0, colors=INK)
        bar.ax.minorticks_off()
        bar.set_label(label, fontsize=12, color=INK)
        bar.outline.set_linewidth(0.6)


def fill(panel: GeoAxes, mesh: Mesh, field: Field, palette: Palette) -> QuadContourSet:
    """Filled contours; matplotlib's own method, since the mesh is in map coordinates already."""
    # Where the classes start at nought, numerical noise below it is nought, not a hole in the map.
    shown = field if palette.extend == "both" else np.ma.clip(field, palette.edges[0], None)
    return Axes.contourf(
        panel, mesh.x, mesh.y, shown, levels=palette.edges, colors=palette.colours, extend=palette.extend, zorder=1
    )


def lines(
    sheet: Sheet, field: Field, levels: tuple[float, ...], *, every: int = 2, style: str = "solid"
) -> list[Text]:  # fmt: skip
    """Line contours on the first panel at those of ``levels`` that occur, ``every`` so many labelled; the labels."""
    inside = [level for level in levels if field.min() < level < field.max()]
    if not inside:
        return []
    panel, mesh = sheet.panels[0], sheet.mesh
    drawn = Axes.contour(
        panel, mesh.x, mesh.y, field, levels=inside, colors=INK, linewidths=0.9, linestyles=style, zorder=5
    )
    named = [level for level in inside if levels.index(level) % every == 0]
    labels = list(panel.clabel(drawn, levels=named, fontsize=8, fmt=number, inline_spacing=3))
    for label in labels:
        label.set_path_effects([withStroke(linewidth=1.5, foreground="white", alpha=0.7)])
        label.set_visible(_is_whole(label, sheet))
    return labels


def _is_whole(label: Text, sheet: Sheet) -> bool:
    """Whether none of a label's corners is off the map."""
    x, y = sheet.panels[0].transData.inverted().transform(label.get_window_extent().corners()).T
    x0, x1, y0, y1 = sheet.view.limits
    on_globe = np.isfinite(sheet.view.unproject(x, y)[0])
    return bool((on_globe & (x > x0) & (x < x1) & (y > y0) & (y < y1)).all())


def save(figure: Figure, out: Path) -> None:
    """Write ``figure`` as PNG, whole or not at all."""
    if out.suffix.lower() != ".png":
        raise DataError(f"maps are written as PNG, got {out.name}; give a name that ends in .png")
    with publishing(out) as aside:
        figure.savefig(aside, format="png")


def _best_columns(aspect: float, count: int, strip: float) -> tuple[int, float]:
    """The number of columns that makes the panels widest on the sheet, and that width in inches."""

    def width(columns: int) -> float:
        rows = -(-count // columns)
        across = (WIDTH - 2 * SIDE - (columns - 1) * GAP) / columns
        down = (HEIGHT - HEAD - FOOT - (rows - 1) * GAP) / rows - strip
        return min(across, down * aspect)

    columns = max(range(1, count + 1), key=width)
    return columns, width(columns)


def _panel(figure: Figure, view: View, box: tuple[float, float, float, float], width: float) -> GeoAxes:
    """An empty map with coasts, borders and a graticule, drawn finer on smaller panels (``width`` in inches)."""
    panel: GeoAxes = figure.add_axes(box, projection=view.crs)
    x0, x1, y0, y1 = view.limits
    panel.set_xlim(x0, x1)
    panel.set_ylim(y0, y1)
    panel.patch.set_facecolor(MISSING_COLOUR)
    if view.centre is not None:
        panel.set_boundary(_circle(), transform=panel.transAxes)
    weight, detail = min(1.0, 0.35 + width / 12), _resolution(view.degrees_across / width)
    _draw_lines(panel, map_lines(view, "coastlines", detail), color="#404040", linewidth=0.8 * weight, zorder=4)
    if width > 2.5:
        _draw_lines(panel, map_lines(view, "lakes", detail), color="#404040", linewidth=0.45 * weight, zorder=4)
        _draw_lines(panel, map_lines(view, "borders", detail), color="#707070", linewidth=0.4 * weight, zorder=4)
        _draw_lines(panel, graticule(view), color="#4d4d4d", linewidth=0.4, alpha=0.5, linestyle=(0, (4, 4)), zorder=2)
    panel.spines["geo"].set(linewidth=0.8, edgecolor=INK)
    return panel


def _draw_lines(panel: GeoAxes, line: tuple[Floats, Floats], **how: Any) -> None:
    Axes.plot(panel, *line, scalex=False, scaley=False, **how)


def _resolution(degrees_per_inch: float) -> Resolution:
    return "110m" if degrees_per_inch > COARSE else "50m" if degrees_per_inch > MEDIUM else "10m"


def _circle() -> Outline:
    """The frame of a round map; many corners, since cartopy draws the curves of a true circle as chords."""
    angle = np.linspace(0.0, 2 * np.pi, 361)
    return Outline(np.column_stack([0.5 + 0.5 * np.cos(angle), 0.5 + 0.5 * np.sin(angle)]), closed=True)
