"""Scores against lead time, with their intervals, of forecasts and baselines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import MaxNLocator

from data_pipeline.errors import ScoreError
from evaluation.estimates import Trial, estimate, has_series
from evaluation.metrics.registry import metric
from evaluation.pairs import minutes
from evaluation.plots.frames import COLOURS, GREYS, grid_of, legend_below, outer_labels, plain
from evaluation.plots.intervals import FEW, NO_INTERVALS, band_words
from evaluation.shown import capital, field_name, score_name, times_line, units
from evaluation.significance import MINIMUM_TIMES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_STYLES = ("-", "--", ":", "-.")
_MARKERS = ("s", "^", "D", "v", "P", "X")
_IDEALS = {"one": 1.0, "zero": 0.0}


def curve_figure(
    groups: Mapping[str, xr.Dataset],
    metrics: Sequence[str],
    *,
    variable: str,
    level: float | None,
    region: str,
    baselines: Sequence[str],
    members: str = "",
    trial: Trial = Trial(),  # noqa: B008, frozen
) -> Figure:
    """Curves of every model, a line style for each metric, all of the same units, and a panel for each group.

    ``groups`` are sums of one variable by the title of their panel, with all models, ``level`` and ``region`` among
    them; ``members`` says in words how large the ensembles are.

    Raises
    ------
    ScoreError
        If the sums do not hold a metric, or the metrics differ in units.
    """
    scale, unit = _units(next(iter(groups.values())), metrics)
    found = {
        title: {name: _estimate(own, name, level, region, trial) for name in metrics} for title, own in groups.items()
    }
    names = " and ".join(map(score_name, metrics))
    first = f"{capital(field_name(variable, level))}: {names}"
    known = any(own["lower"].notnull().any() for panel in found.values() for own in panel.values())
    words = [members, region, *(groups if len(groups) == 1 else [])]
    size = (8.0, 5.0) if len(groups) == 1 else None
    figure, panels = grid_of(len(groups), first, _second(list(groups.values()), words, trial, banded=known), size=size)
    for axes, (title, panel) in zip(panels, found.items(), strict=True):
        _panel(axes, panel, baselines, scale)
        heading = "" if len(groups) == 1 else f"{title}: {_times(panel)}"
        plain(axes, x="lead time (days)", y=f"{names} ({unit})" if unit else names, title=heading)
    _finish(panels, metrics)
    outer_labels(panels)
    legend_below(figure, panels)
    return figure


def _panel(axes: Axes, panel: Mapping[str, xr.Dataset], baselines: Sequence[str], scale: float) -> None:
    for (name, own), style in zip(panel.items(), _STYLES, strict=False):
        for colour, marker, model in _coloured(list(map(str, own["model"].values)), baselines):
            label = model if len(panel) == 1 else f"{model}: {score_name(name)}"
            _draw(axes, own.sel(model=model), scale, colour=colour, marker=marker, style=style, label=label)


def _estimate(sums: xr.Dataset, name: str, level: float | None, region: str, trial: Trial) -> xr.Dataset:
    here = sums.sel(region=[region]) if level is None else sums.sel(region=[region], level=[level])
    single = [dim for dim in ("region", "level") if dim in here.dims]
    return estimate(here, name, lambda score: score, trial).squeeze(single)


def _draw(
    axes: Axes, own: xr.Dataset, scale: float, *, colour: str, marker: str, style: str, label: str
) -> None:  # fmt: skip
    """A curve and its band; nothing where there is no score."""
    if own["value"].isnull().all():
        return
    days = own["lead_time"].values / 24
    axes.plot(
        days, own["value"].values * scale, style, color=colour, label=label, linewidth=1.8, markersize=4.0,
        marker=marker if len(days) < 25 else None, zorder=2 if colour in GREYS else 3,
    )  # fmt: skip
    if own["lower"].notnull().any():
        low, high = (own[side].values * scale for side in ("lower", "upper"))
        axes.fill_between(days, low, high, color=colour, alpha=0.16, linewidth=0)


def _finish(panels: Sequence[Axes], metrics: Sequence[str]) -> None:
    """Limits, which panels share, and lines at the best values."""
    lines = [line for axes in panels for line in axes.get_lines()]
    if not lines:
        names = " and ".join(map(score_name, metrics))
        raise ScoreError(f"no model has any {names} here; choose another --score, --variable, --level or --region")
    ideals = [_IDEALS[own] for own in {metric(name).direction for name in metrics} if own in _IDEALS]
    for axes in panels:
        for ideal in ideals:
            axes.axhline(ideal, color="#9a9a9a", linewidth=1.0, zorder=1)
    if not ideals and min(float(np.nanmin(line.get_ydata())) for line in lines) >= 0:
        panels[0].set_ylim(bottom=0)
    top = float(np.nanmax([line.get_xdata()[-1] for line in lines]))  # type: ignore[index]
    panels[0].set_xlim(0, top * 1.02)
    most = 12 if len(panels) == 1 else 6
    panels[0].xaxis.set_major_locator(MaxNLocator(nbins=most, integer=top >= 2, steps=[1, 2, 2.5, 5, 10]))


def _times(panel: Mapping[str, xr.Dataset]) -> str:
    """How many initial times are behind the curves of a panel, e.g. ``9 to 12 initial times``."""
    sizes = np.concatenate([own["sample_size"].values.ravel() for own in panel.values()])
    counts = sizes[sizes > 0]
    low, high = (int(counts.min()), int(counts.max())) if counts.size else (0, 0)
    return f"{low} to {high} initial times" if low < high else f"{high} initial time{'s' if high != 1 else ''}"


def _coloured(models: list[str], baselines: Sequence[str]) -> list[tuple[str, str, str]]:
    """Colour, marker and name of each model; forecasts are in colours, in front, baselines told apart by markers."""
    forecasts = [model for model in models if model not in baselines]
    found = [(COLOURS[place % len(COLOURS)], "o", model) for place, model in enumerate(forecasts)]
    greys = [(GREYS[place % len(GREYS)], _MARKERS[place % len(_MARKERS)]) for place in range(len(baselines))]
    return found + [(*grey, model) for grey, model in zip(greys, baselines, strict=True)]


def _units(sums: xr.Dataset, metrics: Sequence[str]) -> tuple[float, str]:
    absent = [name for name in metrics if not has_series(sums, name)]
    if absent:
        raise ScoreError(
            f"the scores hold no series of {', '.join(absent)} by initial time; score again with --scores "
            f"{','.join(absent)}, or choose another --kind"
        )
    stored = str(sums.attrs.get("units", ""))
    shown = {units(name, stored if metric(name).units == "variable" else metric(name).units) for name in metrics}
    if len(shown) > 1:
        raise ScoreError(
            f"{', '.join(metrics)} are in {', '.join(sorted(unit or '1' for _, unit in shown))}, expected the same "
            "units on one axis; draw them one by one"
        )
    return shown.pop()


def _second(groups: Sequence[xr.Dataset], words: Sequence[str], trial: Trial, *, banded: bool) -> str:
    times = np.unique(np.concatenate([own["initial_time"].values for own in groups]))
    line = "   ".join(text for text in (times_line([minutes(time) for time in times]), *words) if text)
    few = any(own.sizes["initial_time"] < MINIMUM_TIMES for own in groups)
    bands = f"bands: {band_words(trial, [own['initial_time'].values for own in groups])}"
    return f"{line}\n{bands + FEW * few if banded else NO_INTERVALS}"
