"""Relative economic value against the ratio of cost and loss, a line for each event."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evaluation.plots.frames import legend_below, plain
from evaluation.plots.panels import PANEL, ends, events, field_at, lead_panels, optional_field, words_of
from evaluation.shown import lead_name

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LOWEST = -0.3
"""Where the axis is cut: without skill the value has no lower end."""


def economic_value_figure(
    scores: xr.Dataset, name: str, variable: str, place: dict[str, object], intervals: xr.Dataset | None = None
) -> Figure:
    """Value of acting at the probability of the cost/loss ratio, and dashed the value at the best probability.

    ``name`` is a metric with the axis ``cost_loss``; values below -0.3 are cut off.
    """
    first = field_at(scores, name, variable, place, ("cost_loss",), "economic_value")
    plainly = name.replace("potential_economic_value", "economic_value")
    best = plainly.replace("economic_value", "potential_economic_value")
    held = [(optional_field(scores, own, variable, place), own, style) for own, style in ((plainly, "-"), (best, "--"))]
    lines = [(field, own, style) for field, own, style in held if field is not None]
    height = PANEL + 0.4
    what = "relative economic value" + ", dashed at the best probability" * (len(lines) > 1)
    figure, panels = lead_panels(scores, first, variable, place, what, words_of(intervals), height=height)
    for axes, lead in panels:
        axes.axhline(0.0, color="#9a9a9a", linewidth=1.0, zorder=1)
        for field, own, style in lines:
            _draw(axes, field.sel(lead_time=lead), own, variable, style, intervals)
        plain(axes, x="cost / loss", y="relative economic value" if axes is panels[0][0] else "", title=lead_name(lead))
        axes.set(xlim=(0, 1), ylim=(_LOWEST, 1.02))
    legend_below(figure, [axes for axes, _ in panels])
    return figure


def _draw(
    axes: Axes, field: xr.DataArray, name: str, variable: str, style: str, intervals: xr.Dataset | None
) -> None:  # fmt: skip
    ratio = field["cost_loss"].values
    for label, colour, own in events(field, variable, along="cost_loss"):
        axes.plot(ratio, own.values, style, color=colour, label=label if style == "-" else "", linewidth=1.5)
        between = ends(intervals, name, own)
        if between is not None and style == "-":
            axes.fill_between(ratio, between[0].values, between[1].values, color=colour, alpha=0.16, linewidth=0)
