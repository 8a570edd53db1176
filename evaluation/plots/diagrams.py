"""Rank histograms, reliability diagrams and ROC curves, a panel for each lead."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_hex

from data_pipeline.errors import ScoreError
from evaluation.plots.frames import COLOURS, capital, plain, sheet, times_line
from evaluation.plots.style import style_of
from evaluation.plots.titles import number
from evaluation.shown import chosen_leads, field_name, lead_name

if TYPE_CHECKING:
    from collections.abc import Callable

    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_PANELS, _MOST_EVENTS = 4, 6
_PANEL = 3.0
"""Inches, side of a panel."""


def rank_histogram_figure(scores: xr.Dataset, name: str, variable: str, place: dict[str, object]) -> Figure:
    """Shares of a rank histogram, relative to a flat one.

    ``scores`` as ``sphercast score`` writes them, ``name`` a metric with the axis ``rank``, ``place`` labels of
    ``model``, ``region``, and where there are such of ``level``, ``lead_time`` and ``group``.
    """
    field = _field(scores, name, variable, place)
    figure, panels = _panels(scores, field, variable, place, "rank histogram", height=_PANEL)
    for axes, lead in panels:
        shares = field.sel(lead_time=lead).values
        known = shares[~np.isnan(shares)]
        axes.bar(np.arange(known.size), known * known.size, width=0.92, color=COLOURS[0])
        axes.axhline(1.0, color="#4d4d4d", linewidth=1.2)
        plain(axes, x="members below the observation", y="frequency / flat", title=lead_name(lead))
        axes.set_xlim(-0.6, max(known.size - 0.4, 0.6))
        axes.set_xticks(_whole_ticks(known.size))
    return figure


def reliability_figure(scores: xr.Dataset, name: str, variable: str, place: dict[str, object]) -> Figure:
    """Observed frequency against forecast probability, a line for each event; below, how often each was forecast."""
    field = _field(scores, name, variable, place)
    sharpness = _optional(scores, name.replace("reliability_diagram", "sharpness"), variable, place)
    rows = 1 if sharpness is None else 2
    figure, panels = _panels(scores, field, variable, place, "reliability", height=_PANEL + 1.2 * (rows - 1), rows=rows)
    count = len(panels) // rows
    for axes, lead in panels[:count]:
        axes.plot([0, 1], [0, 1], color="#9a9a9a", linewidth=1.0, zorder=1)
        for label, colour, own in _events(field.sel(lead_time=lead), variable):
            there = own.dropna("probability")
            axes.plot(there["probability"], there, "o-", color=colour, label=label, linewidth=1.5, markersize=3.5)
        plain(axes, x="" if rows == 2 else "forecast probability", y="observed frequency", title=lead_name(lead))
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    for axes, lead in panels[count:]:
        _draw_sharpness(axes, sharpness, lead, variable)
    panels[0][0].legend(frameon=False, fontsize=8)
    return figure


def _draw_sharpness(axes: Axes, sharpness: xr.DataArray | None, lead: float, variable: str) -> None:
    """How often each probability was forecast, on a logarithmic axis."""
    for _, colour, own in [] if sharpness is None else _events(sharpness.sel(lead_time=lead), variable):
        shown = own.where(own > 0).dropna("probability")
        axes.plot(shown["probability"], shown, "o-", color=colour, linewidth=1.0, markersize=2.5)
    plain(axes, x="forecast probability", y="share")
    axes.set(xlim=(-0.02, 1.02), yscale="log", ylim=(None, 1.5))
    axes.set_box_aspect(1 / 3)  # as wide as the square above it, so that probabilities stand under each other


def roc_figure(scores: xr.Dataset, name: str, variable: str, place: dict[str, object]) -> Figure:
    """Hit rate against false alarm rate, a curve for each event, with its area where the scores hold ``roc_area``.

    ``name`` is the metric of hit rates, e.g. ``hit_rate`` or ``climate_hit_rate``.
    """
    hits = _field(scores, name, variable, place)
    false_alarms = _field(scores, name.replace("hit_rate", "false_alarm_rate"), variable, place)
    area = _optional(scores, name.replace("hit_rate", "roc_area"), variable, place)
    figure, panels = _panels(scores, hits, variable, place, "ROC", height=_PANEL)
    for axes, lead in panels:
        axes.plot([0, 1], [0, 1], color="#9a9a9a", linewidth=1.0, zorder=1)
        pairs = zip(_events(hits.sel(lead_time=lead), variable), _events(false_alarms.sel(lead_time=lead), variable),
                    strict=True)  # fmt: skip
        for (label, colour, own), (_, _, other) in pairs:
            if own.isnull().all() or other.isnull().all():
                continue  # nothing, or only events
            text = label if area is None else f"{label}: {_at(area, own):.2f}"
            axes.plot([*other.values, 0], [*own.values, 0], "o-", color=colour, label=text, linewidth=1.5, markersize=3)
        plain(axes, x="false alarm rate", y="hit rate", title=lead_name(lead))
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
        if axes.get_legend_handles_labels()[0]:
            title = None if area is None else "event: area"
            axes.legend(frameon=False, fontsize=8, title=title, title_fontsize=8, loc="lower right")
    return figure


DIAGRAMS: dict[str, tuple[str, Callable[[xr.Dataset, str, str, dict[str, object]], Figure]]] = {
    "rank_histogram": ("rank_histogram", rank_histogram_figure),
    "reliability": ("reliability_diagram", reliability_figure),
    "roc": ("hit_rate", roc_figure),
}
"""The metric that each is made of unless another is named."""


def _field(scores: xr.Dataset, name: str, variable: str, place: dict[str, object]) -> xr.DataArray:
    """(lead_time, axes of its own), axes by their plain names."""
    field = _optional(scores, name, variable, place)
    if field is None:
        held = sorted({str(own.attrs["metric"]) for own in scores.data_vars.values() if "metric" in own.attrs})
        raise ScoreError(
            f"the scores hold no {name} of {variable}, only {', '.join(held)}; score again with --scores {name}"
        )
    return field


def _optional(scores: xr.Dataset, name: str, variable: str, place: dict[str, object]) -> xr.DataArray | None:
    """As ``_field``; None where the scores do not hold it."""
    if f"{name}_{variable}" not in scores:
        return None
    field = scores[f"{name}_{variable}"]
    field = field.rename({dim: str(dim).removesuffix(f"_of_{variable}") for dim in field.dims})
    field = field.sel({dim: label for dim, label in place.items() if dim in field.dims and dim != "lead_time"})
    leads = place.get("lead_time")
    hours = field["lead_time"].values.tolist()
    chosen = chosen_leads(hours, _MOST_PANELS) if leads is None else [hours.index(leads)]
    return field.isel(lead_time=chosen)


def _events(field: xr.DataArray, variable: str) -> list[tuple[str, str, xr.DataArray]]:
    """Name, colour and values (probability,) of some events, evenly chosen."""
    axes = [str(dim) for dim in field.dims if dim != "probability"]
    if not axes:
        return [("", COLOURS[0], field)]
    labels = field[axes[0]].values
    chosen = np.unique(np.linspace(0, len(labels) - 1, min(_MOST_EVENTS, len(labels))).round().astype(int))
    shades = colormaps["cividis"](np.linspace(0.0, 0.85, len(chosen)))
    return [
        (_event_name(axes[0], float(labels[place]), variable), to_hex(shade), field.isel({axes[0]: place}))
        for place, shade in zip(chosen, shades, strict=True)
    ]


def _at(area: xr.DataArray, event: xr.DataArray) -> float:
    """The area under the curve of an event."""
    labels = {dim: event[dim].item() for dim in area.dims if dim != "lead_time"}
    return float(area.sel({**labels, "lead_time": event["lead_time"].item()}))


def _event_name(axis: str, label: float, variable: str) -> str:
    """E.g. ``> 30 °C``, or ``> 90 % quantile``."""
    if axis == "threshold":
        style = style_of(variable, "")
        return f"> {number(round(float(style.display(np.asarray(label))), 6))} {style.units}"
    return f"{'<' if label < 0.5 and axis == 'climate_quantile' else '>'} {number(round(100 * label, 1))} % quantile"


def _panels(
    scores: xr.Dataset, field: xr.DataArray, variable: str, place: dict[str, object], what: str, *,
    height: float, rows: int = 1,
) -> tuple[Figure, list[tuple[Axes, float]]]:  # fmt: skip
    leads = field["lead_time"].values.tolist()
    size = scores.attrs.get("ensemble_size", "")
    members = f"{size} member{'s' if size != '1' else ''}" if size else ""
    level = place.get("level")
    words = [times_line(str(scores.attrs["initial_times"]).split()), members, str(place["region"]),
             str(place.get("group", ""))]  # fmt: skip
    first = f"{capital(field_name(variable, level if isinstance(level, int | float) else None))}: {what}"
    figure = sheet(max(_PANEL * len(leads) + 0.4, 7.6), height + 1.0, first, "   ".join(filter(None, words)))
    grid = figure.subplots(rows, len(leads), squeeze=False, sharey="row", height_ratios=[1] if rows == 1 else [3, 1])
    return figure, [(grid[row][column], leads[column]) for row in range(rows) for column in range(len(leads))]


def _whole_ticks(count: int) -> list[int]:
    step = max(1, round((count - 1) / 5))
    return list(range(0, count, step))
