"""Scores against lead time, with their intervals, of forecasts and baselines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import MaxNLocator

from data_pipeline.errors import ScoreError
from evaluation.estimates import Trial, estimate, has_series
from evaluation.metrics.registry import metric
from evaluation.pairs import minutes
from evaluation.plots.frames import COLOURS, GREYS, capital, plain, sheet, times_line
from evaluation.shown import field_name, score_name, units
from evaluation.significance import MINIMUM_TIMES, TESTS, spacing

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_STYLES = ("-", "--", ":", "-.")
_IDEALS = {"one": 1.0, "zero": 0.0}


def curve_figure(
    sums: xr.Dataset,
    metrics: Sequence[str],
    *,
    variable: str,
    level: float | None,
    region: str,
    baselines: Sequence[str],
    members: str = "",
    trial: Trial = Trial(),  # noqa: B008, frozen
) -> Figure:
    """Curves of every model, a line style for each metric, all of the same units.

    ``sums`` are of one variable, with all models, ``level`` and ``region`` among them; ``members`` says in words how
    large the ensembles are.

    Raises
    ------
    ScoreError
        If the sums do not hold a metric, or the metrics differ in units.
    """
    scale, unit = _units(sums, metrics)
    here = sums.sel(region=[region]) if level is None else sums.sel(region=[region], level=[level])
    found = {name: _estimate(here, name, trial) for name in metrics}
    known = any(own["lower"].notnull().any() for own in found.values())
    first = f"{capital(field_name(variable, level))}: {' and '.join(map(score_name, metrics))}"
    figure = sheet(8.0, 5.2, first, _second(sums, members, region, trial, banded=known))
    axes = figure.add_subplot()
    for name, style in zip(metrics, _STYLES, strict=False):
        for colour, model in _coloured(list(map(str, sums["model"].values)), baselines):
            label = model if len(metrics) == 1 else f"{model}: {score_name(name)}"
            _draw(axes, found[name].sel(model=model), scale, colour=colour, style=style, label=label)
    _finish(axes, metrics, unit)
    return figure


def _estimate(sums: xr.Dataset, name: str, trial: Trial) -> xr.Dataset:
    single = [dim for dim in ("region", "level") if dim in sums.dims]
    return estimate(sums, name, lambda score: score, trial).squeeze(single)


def _draw(axes: Axes, own: xr.Dataset, scale: float, *, colour: str, style: str, label: str) -> None:
    """A curve and its band; nothing where there is no score."""
    if own["value"].isnull().all():
        return
    days = own["lead_time"].values / 24
    axes.plot(days, own["value"].values * scale, style, color=colour, label=label, linewidth=1.8,
              marker="o" if len(days) < 25 else None, markersize=3.5)  # fmt: skip
    if own["lower"].notnull().any():
        low, high = (own[side].values * scale for side in ("lower", "upper"))
        axes.fill_between(days, low, high, color=colour, alpha=0.16, linewidth=0)


def _finish(axes: Axes, metrics: Sequence[str], unit: str) -> None:
    directions = {metric(name).direction for name in metrics}
    ideals = [_IDEALS[direction] for direction in directions if direction in _IDEALS]
    for ideal in ideals:
        axes.axhline(ideal, color="#9a9a9a", linewidth=1.0, zorder=1)
    names = " and ".join(map(score_name, metrics))
    plain(axes, x="lead time (days)", y=f"{names} ({unit})" if unit else names)
    lines = [line for line in axes.get_lines() if line.get_label()[:1] != "_"]  # type: ignore[index]
    if not lines:
        raise ScoreError(f"no model has any {names} here; choose another --score, --variable, --level or --region")
    if not ideals and min(float(np.nanmin(line.get_ydata())) for line in lines) >= 0:
        axes.set_ylim(bottom=0)
    top = float(np.nanmax([line.get_xdata()[-1] for line in lines]))  # type: ignore[index]
    axes.set_xlim(0, top * 1.02)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=12, integer=top >= 2, steps=[1, 2, 2.5, 5, 10]))
    axes.legend(frameon=False, fontsize=9.5)


def _coloured(models: list[str], baselines: Sequence[str]) -> list[tuple[str, str]]:
    """Colour and name of each model; forecasts are in colours, in front."""
    forecasts = [model for model in models if model not in baselines]
    found = [(COLOURS[place % len(COLOURS)], model) for place, model in enumerate(forecasts)]
    return found + [(GREYS[place % len(GREYS)], model) for place, model in enumerate(baselines)]


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


def _second(sums: xr.Dataset, members: str, region: str, trial: Trial, *, banded: bool) -> str:
    times = sums["initial_time"].values
    line = "   ".join(text for text in (times_line([minutes(time) for time in times]), members, region) if text)
    gaps = spacing(times)
    uneven = "" if gaps.even else "; initial times unevenly spaced"
    few = f"no intervals: fewer than {MINIMUM_TIMES} initial times"
    return f"{line}\n{f'bands: {trial.confidence:.0%}, {TESTS[trial.test]}{uneven}' if banded else few}"
