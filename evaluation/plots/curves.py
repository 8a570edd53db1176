"""Scores against lead time, with their intervals, of forecasts and baselines."""

from __future__ import annotations

from itertools import pairwise, product
from math import prod
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import MaxNLocator

from data_pipeline.errors import ScoreError
from evaluation.estimates import Trial, added_up_in, estimate, has_series
from evaluation.metrics.registry import metric
from evaluation.pairs import minutes
from evaluation.plots.asked import Asked, shown
from evaluation.plots.frames import COLOURS, GREYS, grid_of, legend_below, outer_labels, plain
from evaluation.plots.intervals import FEW, NO_INTERVALS, band_words
from evaluation.plots.panels import choice_name
from evaluation.shown import capital, field_name, score_name, times_line, units
from evaluation.significance import MINIMUM_TIMES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TypeAlias

    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    _Panel: TypeAlias = Mapping[str, xr.Dataset]

_STYLES = ("-", "--", ":", "-.")
_MARKERS = ("s", "^", "D", "v", "P", "X")
_SHARED = ("model", "lead_time")
MOST_PANELS = 12
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
    at: Mapping[str, float | str] | None = None,
) -> Figure:
    """Curves of every model, a line style for each metric, all of the same units, and a panel for each group.

    Metrics with axes of their own, such as thresholds, have a panel for each label too, or for those ``at`` it.

    ``groups`` are sums of one variable by the title of their panel, with all models, ``level`` and ``region`` among
    them; ``members`` says in words how large the ensembles are.

    Raises
    ------
    ScoreError
        If the sums do not hold a metric, or the metrics differ in units.
    """
    scale, unit = _units(next(iter(groups.values())), metrics)
    asked = Asked(at=at or {})
    found: dict[str, _Panel] = {
        title: {name: _estimate(own, name, level, region, trial, asked) for name in metrics}
        for title, own in groups.items()
    }
    found = _by_choice(found, variable)
    names = " and ".join(map(score_name, metrics))
    first = f"{capital(field_name(variable, level))}: {names}"
    known = any(own["lower"].notnull().any() for panel in found.values() for own in panel.values())
    words = [members, region, *(found if len(found) == 1 else [])]
    size = (8.0, 5.0) if len(found) == 1 else None
    figure, panels = grid_of(len(found), first, _second(list(groups.values()), words, trial, banded=known), size=size)
    for axes, (title, panel) in zip(panels, found.items(), strict=True):
        _panel(axes, panel, baselines, scale)
        heading = "" if len(found) == 1 else f"{title}: {_times(panel)}"
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


def _estimate(
    sums: xr.Dataset, name: str, level: float | None, region: str, trial: Trial, asked: Asked
) -> xr.Dataset:  # fmt: skip
    here = sums.sel(region=[region]) if level is None else sums.sel(region=[region], level=[level])
    single = [dim for dim in ("region", "level") if dim in here.dims]
    return estimate(here, name, asked.along, trial).squeeze(single)


def _by_choice(found: Mapping[str, _Panel], variable: str) -> dict[str, _Panel]:
    """A panel for each label along the axes of the metrics themselves.

    Raises
    ------
    ScoreError
        If metrics have different axes, or there are too many panels.
    """
    first = next(iter(found.values()))
    axes = {name: [dim for dim in own["value"].dims if dim not in _SHARED] for name, own in first.items()}
    labels = {name: [own[dim].values.tolist() for dim in axes[name]] for name, own in first.items()}
    if any(axes[name] != axes[other] or labels[name] != labels[other] for name, other in pairwise(first)):
        raise ScoreError(f"{', '.join(first)} have different axes of their own; draw them one by one")
    dims, every = next(iter(axes.values())), next(iter(labels.values()))
    count = len(found) * prod(map(len, every))
    if count > MOST_PANELS:
        held = "; ".join(f"{dim}={', '.join(map(shown, own))}" for dim, own in zip(dims, every, strict=True))
        raise ScoreError(
            f"got {count} panels, expected at most {MOST_PANELS}; choose with --group, or with --at one of {held}"
        )
    panels: dict[str, _Panel] = {}
    for (title, panel), own in product(found.items(), product(*every)):
        names = [choice_name(str(dim), label, variable) for dim, label in zip(dims, own, strict=True)]
        place = dict(zip(dims, own, strict=True))
        panels[", ".join(filter(None, [title, *names]))] = {name: whole.sel(place) for name, whole in panel.items()}
    return panels


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


def check_series(sums: xr.Dataset, metrics: Sequence[str]) -> None:
    """Raise a ScoreError if the sums of a variable do not hold, for each initial time, what metrics are made of."""
    absent = [name for name in metrics if not has_series(sums, name)]
    added_up = [name for name in absent if set(metric(name).statistics) & set(added_up_in(sums))]
    if added_up:
        raise ScoreError(
            f"{', '.join(added_up)}: the tables were not kept for each initial time, of which curves are made; score "
            "fewer regions, levels, leads or baselines"
        )
    if absent:
        raise ScoreError(
            f"the scores hold no series of {', '.join(absent)} by initial time; score again with --scores "
            f"{','.join(absent)}, or choose another --kind"
        )


def _units(sums: xr.Dataset, metrics: Sequence[str]) -> tuple[float, str]:
    check_series(sums, metrics)
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
