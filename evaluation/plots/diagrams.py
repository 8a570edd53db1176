"""Rank histograms, reliability diagrams, ROC curves and error by spread, a panel for each lead."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from evaluation.plots.canvas import INK
from evaluation.plots.economic_value import economic_value_figure
from evaluation.plots.frames import COLOURS, legend_below, plain
from evaluation.plots.panels import PANEL, ends, events, field_at, lead_panels, optional_field, reach, words_of
from evaluation.plots.spectra import spectrum_figure
from evaluation.shown import lead_name, units

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def rank_histogram_figure(
    scores: xr.Dataset, name: str, variable: str, place: dict[str, object], intervals: xr.Dataset | None = None
) -> Figure:
    """Shares of a rank or PIT histogram, relative to a flat one.

    ``scores`` as ``sphercast score`` writes them, ``name`` a metric with the axis ``rank`` or ``pit``, ``place`` labels
    of ``model``, ``region``, and where there are such of ``level``, ``lead_time`` (several) and ``group``;
    ``intervals`` as ``diagram_intervals`` gives them.
    """
    field = field_at(scores, name, variable, place, ("rank", "pit"), "rank_histogram or pit_histogram")
    axis = "rank" if "rank" in field.dims else "pit"
    what = "rank histogram" if axis == "rank" else "PIT histogram"
    figure, panels = lead_panels(scores, field, variable, place, what, words_of(intervals), height=PANEL)
    for axes, lead in panels:
        _draw_histogram(axes, field.sel(lead_time=lead).dropna(axis), axis, name, intervals)
        first = axes is panels[0][0]
        words = {"rank": "members below the observation", "pit": "F(observation)"}[axis]
        plain(axes, x=words, y="frequency / flat" if first else "", title=lead_name(lead))
    return figure


def _draw_histogram(axes: Axes, shares: xr.DataArray, axis: str, name: str, intervals: xr.Dataset | None) -> None:
    count, places = shares.size, shares[axis].values
    width = 1.0 if axis == "rank" else 1 / max(count, 1)
    between = ends(intervals, name, shares)
    bars = reach(shares, between and tuple(end.sel({axis: places}) for end in between))  # type: ignore[arg-type]
    axes.bar(places, shares.values * count, width=0.92 * width, color=COLOURS[0])
    if bars is not None:
        axes.errorbar(places, shares.values * count, bars * count, fmt="none", ecolor=INK, elinewidth=1.0)
    axes.axhline(1.0, color="#4d4d4d", linewidth=1.2)
    if axis == "rank":
        axes.set_xlim(-0.6, max(count - 0.4, 0.6))
        axes.set_xticks(_whole_ticks(count))
    else:
        axes.set_xlim(-0.02, 1.02)


def reliability_figure(
    scores: xr.Dataset, name: str, variable: str, place: dict[str, object], intervals: xr.Dataset | None = None
) -> Figure:
    """Observed frequency against forecast probability, a line for each event; below, how often each was forecast."""
    field = field_at(scores, name, variable, place, ("probability",), "reliability_diagram")
    sharpness = optional_field(scores, name.replace("reliability_diagram", "sharpness"), variable, place)
    rows = 1 if sharpness is None else 2
    height = PANEL + 0.5 + 1.3 * (rows - 1)
    figure, panels = lead_panels(
        scores, field, variable, place, "reliability", words_of(intervals), height=height, rows=rows
    )
    count = len(panels) // rows
    for axes, lead in panels[:count]:
        first = axes is panels[0][0]
        _diagonal(axes, 1.0)
        for label, colour, own in events(field.sel(lead_time=lead), variable):
            there = own.dropna("probability")
            axes.plot(there["probability"], there, "o-", color=colour, label=label, linewidth=1.5, markersize=3.5)
            between = ends(intervals, name, own)
            if between is not None:
                low, high = (end.sel(probability=there["probability"]) for end in between)
                axes.fill_between(there["probability"], low, high, color=colour, alpha=0.2, linewidth=0)
        plain(axes, x="" if rows == 2 else "forecast probability", y="observed frequency" if first else "",
              title=lead_name(lead))  # fmt: skip
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal", anchor="N")
    for axes, lead in panels[count:]:
        _draw_sharpness(axes, sharpness, lead, variable, first=axes is panels[count][0])
    legend_below(figure, [axes for axes, _ in panels])
    return figure


def _draw_sharpness(axes: Axes, sharpness: xr.DataArray | None, lead: float, variable: str, *, first: bool) -> None:
    """How often each probability was forecast, on a logarithmic axis."""
    for _, colour, own in [] if sharpness is None else events(sharpness.sel(lead_time=lead), variable):
        shown = own.where(own > 0).dropna("probability")
        axes.plot(shown["probability"], shown, "o-", color=colour, linewidth=1.0, markersize=2.5)
    plain(axes, x="forecast probability", y="share" if first else "")
    axes.set(xlim=(-0.02, 1.02), yscale="log", ylim=(None, 1.5))
    axes.tick_params(which="minor", length=0)
    axes.set_box_aspect(1 / 3)  # as wide as the square above it, so that probabilities stand under each other


def roc_figure(
    scores: xr.Dataset, name: str, variable: str, place: dict[str, object], intervals: xr.Dataset | None = None
) -> Figure:
    """Hit rate against false alarm rate, a curve for each event, with its area where the scores hold ``roc_area``.

    ``name`` is the metric of hit rates, e.g. ``hit_rate`` or ``climate_hit_rate``.
    """
    hits = field_at(scores, name, variable, place, ("probability",), "hit_rate or climate_hit_rate")
    other = name.replace("hit_rate", "false_alarm_rate")
    false_alarms = field_at(scores, other, variable, place, ("probability",), other)
    area = optional_field(scores, name.replace("hit_rate", "roc_area"), variable, place)
    count = len(list(events(hits, variable)))
    figure, panels = lead_panels(
        scores, hits, variable, place, "ROC", words_of(intervals), height=PANEL + 0.1 + 0.2 * count
    )
    for axes, lead in panels:
        _diagonal(axes, 1.0)
        pairs = zip(events(hits.sel(lead_time=lead), variable), events(false_alarms.sel(lead_time=lead), variable),
                    strict=True)  # fmt: skip
        for (label, colour, own), (_, _, alarms) in pairs:
            if own.isnull().all() or alarms.isnull().all():
                continue  # nothing, or only events
            text = label if area is None else f"{label}: {_area(area, own, intervals, name)}"
            axes.plot(
                [*alarms.values, 0], [*own.values, 0], "o-", color=colour, label=text, linewidth=1.5, markersize=3
            )
            axes.errorbar(
                alarms.values, own.values, reach(own, ends(intervals, name, own)),
                reach(alarms, ends(intervals, other, own)), fmt="none", ecolor=colour, alpha=0.45, elinewidth=1.0,
            )  # fmt: skip
        plain(axes, x="false alarm rate", y="hit rate" if axes is panels[0][0] else "", title=lead_name(lead))
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal", anchor="N")
        if axes.get_legend_handles_labels()[0]:
            title = None if area is None else "event: area"
            axes.legend(frameon=False, fontsize=8, title=title, title_fontsize=8, alignment="left", loc="upper left",
                        bbox_to_anchor=(0, -0.17), borderaxespad=0)  # fmt: skip
    return figure


def _area(area: xr.DataArray, event: xr.DataArray, intervals: xr.Dataset | None, name: str) -> str:
    """The area under the curve of an event, with its interval where that is known."""
    labels = {dim: event[dim].item() for dim in area.dims}
    between = ends(intervals, name.replace("hit_rate", "roc_area"), event)
    value = f"{float(area.sel(labels)):.2f}"
    if between is None or between[0].isnull():
        return value
    return f"{value} ({float(between[0]):.2f} to {float(between[1]):.2f})"


def spread_skill_figure(
    scores: xr.Dataset, name: str, variable: str, place: dict[str, object], intervals: xr.Dataset | None = None
) -> Figure:
    """Error of the mean against the error that the spread lets expect, by bins of spread; on the diagonal they agree.

    ``name`` is ``binned_rmse``; the area of a mark is that of its bin.
    """
    error, expected = (
        field_at(scores, own, variable, place, ("relative_spread",), "binned_rmse")
        for own in (name, name.replace("binned_rmse", "binned_spread"))
    )
    share = optional_field(scores, name.replace("binned_rmse", "binned_share"), variable, place)
    scale, unit = units("rmse", str(scores[f"{name}_{variable}"].attrs.get("units", "")))
    figure, panels = lead_panels(
        scores, error, variable, place, "error by spread", words_of(intervals), height=PANEL + 0.2
    )
    above = error if intervals is None else intervals.get(f"upper_{name}", error)
    top = scale * float(np.nanmax([error.max(), expected.max(), above.max()])) * 1.05
    for axes, lead in panels:
        own, spread = error.sel(lead_time=lead), expected.sel(lead_time=lead)
        _diagonal(axes, top)
        bars = reach(own, ends(intervals, name, own))
        axes.errorbar(spread.values * scale, own.values * scale, None if bars is None else bars * scale, fmt="-",
                      color=COLOURS[0], linewidth=1.0, elinewidth=1.0)  # fmt: skip
        sizes = 18.0 if share is None else 240 * share.sel(lead_time=lead).fillna(0).values
        axes.scatter(spread.values * scale, own.values * scale, sizes, color=COLOURS[0], zorder=3)
        first = axes is panels[0][0]
        plain(axes, x=f"expected from the spread{f' ({unit})' if unit else ''}",
              y=f"RMSE of the mean{f' ({unit})' if unit else ''}" if first else "", title=lead_name(lead))  # fmt: skip
        axes.set(xlim=(0, top), ylim=(0, top), aspect="equal", anchor="N")
    return figure


class Diagram(NamedTuple):
    """The metric that a diagram is made of unless another is named, and those that get intervals beside it."""

    metric: str
    banded: tuple[str, ...]
    draw: Callable[[xr.Dataset, str, str, dict[str, object], xr.Dataset], Figure]


DIAGRAMS: dict[str, Diagram] = {
    "rank_histogram": Diagram("rank_histogram", ("rank_histogram",), rank_histogram_figure),
    "reliability": Diagram("reliability_diagram", ("reliability_diagram",), reliability_figure),
    "roc": Diagram("hit_rate", ("hit_rate", "false_alarm_rate", "roc_area"), roc_figure),
    "spread_skill": Diagram("binned_rmse", ("binned_rmse",), spread_skill_figure),
    "spectrum": Diagram("power_spectrum", ("power_spectrum",), spectrum_figure),
    "economic_value": Diagram("economic_value", ("economic_value",), economic_value_figure),
}
_BY_AXIS = {
    "rank": "rank_histogram", "pit": "rank_histogram", "relative_spread": "spread_skill", "wavenumber": "spectrum",
    "degree": "spectrum", "cost_loss": "economic_value",
}  # fmt: skip
_TOGETHER = {
    "reliability_diagram": ("reliability", "reliability_diagram"), "sharpness": ("reliability", "reliability_diagram"),
    "hit_rate": ("roc", "hit_rate"), "false_alarm_rate": ("roc", "hit_rate"),
}  # fmt: skip
"""Of metrics with the axis ``probability``, the diagram and the metric that it is called by."""


def diagram_of(name: str, axes: Collection[str]) -> tuple[str, str] | None:
    """The diagram that a metric with these axes is drawn as, and the metric to call it by; None if it has none.

    >>> diagram_of("pit_histogram", ["pit"]), diagram_of("climate_sharpness", ["climate_quantile", "probability"])
    (('rank_histogram', 'pit_histogram'), ('reliability', 'climate_reliability_diagram'))
    >>> diagram_of("quantile_score", ["quantile_level"])
    """
    end = name.removeprefix("climate_")
    if "probability" in axes and end in _TOGETHER:
        kind, called = _TOGETHER[end]
        return kind, name.replace(end, called)
    kinds = [_BY_AXIS[axis] for axis in axes if axis in _BY_AXIS]
    if not kinds:
        return None
    return kinds[0], "binned_rmse" if kinds[0] == "spread_skill" else name


def _diagonal(axes: Axes, top: float) -> None:
    axes.plot([0, top], [0, top], color="#9a9a9a", linewidth=1.0, zorder=1)


def _whole_ticks(count: int) -> list[int]:
    step = max(1, round((count - 1) / 5))
    return list(range(0, count, step))
