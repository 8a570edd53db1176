"""Scores as plain-text tables: each field by lead time, beside climatology and persistence."""

from __future__ import annotations

from math import floor, log10
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.errors import ScoreError
from data_pipeline.variables import GRAVITY
from evaluation.by_group import group_name
from evaluation.improvement import improvement
from evaluation.metrics.registry import metric
from evaluation.shown import capital, score_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr

    from evaluation.metrics.definitions import Direction
    from evaluation.metrics.forms import Floats
    from evaluation.question import Question

_SHOWN_UNITS: dict[str, tuple[float, str]] = {
    "m2 s-2": (1 / GRAVITY, "m, as geopotential height"),
    "Pa": (1e-2, "hPa"),
    "kg kg-1": (1e3, "g/kg"),
    "m s-1": (1.0, "m/s"),
    "s-1": (1e5, "1e-5 s-1"),
    "m": (1e3, "mm"),
}
"""Scale and name of the units that people read, for the SI units of the files."""

_BEST: dict[Direction, str] = {
    "lower": "Lower is better", "higher": "Higher is better", "zero": "Best at 0", "one": "Best at 1",
    "none": "Neither way is better",
}  # fmt: skip
_SHARED = {"model", "group", "lead_time", "region", "level"}
_MOST_LINES, _MOST_GROUPS, _MOST_NAMES = 40, 4, 12
_LABEL_WIDTH = 20
_COLUMN_WIDTH = 8
_MOST_COLUMNS = 10


def score_tables(scores: xr.Dataset, question: Question) -> str:
    """Tables of the scores that were asked for, as many as are not too long, and where the others are.

    Of scores by season, month or hour the first four groups have one each. Scores with axes of their own, such as
    thresholds, have no table, nor has a map.
    """
    held = [
        name for name in question.metrics if any(own.attrs.get("metric") == name for own in scores.data_vars.values())
    ]
    if question.is_map:
        return f"scores at every point: {', '.join(held)}; draw them with 'sphercast score plot'"
    tabled = [name for name in held if not _has_axes(scores, name)]
    groups = scores["group"].values.tolist()[:_MOST_GROUPS] if "group" in scores.dims else [None]
    tables: list[str] = []
    done: list[str] = []
    for name in tabled:
        own = [crps_table(_in_group(scores, question.by, group), metric_name=name) for group in groups]
        if done and sum(text.count("\n") for text in [*tables, *own]) > _MOST_LINES:
            break
        tables, done = [*tables, *own], [*done, name]
    return "\n\n".join([*tables, *_elsewhere(scores, [name for name in held if name not in done], also=bool(tables))])


def _elsewhere(scores: xr.Dataset, names: Sequence[str], *, also: bool) -> list[str]:
    """What is in the file and in no table, in words."""
    regions = scores["region"].values.tolist() if "region" in scores.dims else []
    groups = scores["group"].values.tolist() if "group" in scores.dims else []
    others = [
        f"scores: {_few(names)}" if names else "",
        f"regions: {_few(regions[1:])}" if len(regions) > 1 else "",
        f"groups: {_few(groups[_MOST_GROUPS:])}" if len(groups) > _MOST_GROUPS else "",
    ]
    words = "; ".join(filter(None, others))
    if not words:
        return []
    listed = fill(f"{'Also in' if also else 'In'} the file, {words}", 100, break_on_hyphens=False)
    return [f"{listed}\nSee them with 'sphercast score plot', or --json"]


def _few(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _has_axes(scores: xr.Dataset, name: str) -> bool:
    return any(
        not set(own.dims) <= _SHARED for own in scores.data_vars.values() if own.attrs.get("metric") == name
    )  # fmt: skip


def _in_group(scores: xr.Dataset, by: str | None, group: str | None) -> xr.Dataset:
    """With the attribute ``group`` that tables name."""
    if by is None or group is None:
        return scores
    return scores.sel(group=group, drop=True).assign_attrs(group=group_name(by, group))


def crps_table(
    scores: xr.Dataset, variables: Sequence[str] | None = None, levels: Sequence[int] | None = None,
    metric_name: str = "crps",
) -> str:  # fmt: skip
    """A table of at most 100 columns of the first region of scores; ``*`` marks what beats every baseline.

    The skill score, of scores that are better when lower, is 1 minus the ratio of mean scores, against climatology if
    it was scored, else persistence, else the first of the other baselines; without any there is none.

    Raises
    ------
    ScoreError
        If the scores hold none of the metric, by default the CRPS, or not of these variables and levels.
    """
    places = []
    if "region" in scores.dims:
        places = [str(scores["region"].values[0])]
        scores = scores.sel(region=scores["region"].values[0])
    places += [str(scores.attrs["group"])] if "group" in scores.attrs else []
    leads = _shown_leads(scores["lead_time"].values)
    fields = _fields(scores, variables, levels, metric_name)
    reference = _reference([model for model in scores["model"].values.tolist() if _has(fields, model)])
    lines = _heading(scores, leads, reference, metric_name, places)
    for field in fields:
        lines += ["", *_block(field.isel(lead_time=leads), reference, metric(metric_name).direction)]
    return "\n".join(lines)


def _has(fields: Sequence[xr.DataArray], model: str) -> bool:
    return any(bool(field.sel(model=model).notnull().any()) for field in fields)


def _reference(models: Sequence[str]) -> str | None:
    others = [model for model in models if model != "forecast"]
    return next((model for model in ("climatology", "persistence", *others) if model in others), None)


def _fields(
    scores: xr.Dataset, variables: Sequence[str] | None, levels: Sequence[int] | None, name: str
) -> list[xr.DataArray]:
    """The metric (model, lead_time) of each variable and level."""
    known = {str(own.attrs["variable"]): own for own in scores.data_vars.values() if own.attrs.get("metric") == name}
    unknown = sorted(set(variables or ()) - set(known))
    if unknown or not known:
        have = ", ".join(map(str, scores.data_vars))
        raise ScoreError(f"no {score_name(name)} of {', '.join(unknown) or 'anything'} in the scores; they have {have}")
    chosen = [field for variable, field in known.items() if variables is None or variable in variables]
    absent = sorted(set(levels or ()) - set(scores["level"].values.tolist() if "level" in scores.coords else []))
    if absent:
        raise ScoreError(f"no scores at the levels {absent} hPa; choose among those of the file")
    return [part for field in chosen for part in _by_level(field, levels)]


def _by_level(field: xr.DataArray, levels: Sequence[int] | None) -> list[xr.DataArray]:
    if "level" not in field.dims:
        return [field]
    scored = field.dropna("level", how="all")
    return [scored.sel(level=level) for level in scored["level"].values if levels is None or level in levels]


def _shown_leads(hours: Floats) -> list[int]:
    """Positions of the leads that fit: all, else the whole days, else evenly spaced ones to the last."""
    days = [index for index, hour in enumerate(hours) if hour % 24 == 0]
    candidates = list(range(len(hours))) if len(hours) <= _MOST_COLUMNS or not days else days
    if len(candidates) <= _MOST_COLUMNS:
        return candidates
    return [candidates[round(place)] for place in np.linspace(0, len(candidates) - 1, _MOST_COLUMNS)]


def _heading(
    scores: xr.Dataset, leads: Sequence[int], reference: str | None, name: str, places: Sequence[str]
) -> list[str]:
    count = _count(scores)
    sample = f"{count} initial time{'s' if count != 1 else ''}"
    hours = scores["lead_time"].values
    shown = "" if len(leads) == len(hours) else f"; {len(leads)} of {len(hours)} leads shown"
    title = "Fair CRPS" if name == "crps" else capital(score_name(name))
    direction = metric(name).direction
    marks = f", * beats every baseline{_skill_words(name, reference, direction)}" if reference else ""
    row = _row("lead time in days", [f"{hours[index] / 24:.3g}" for index in leads])
    members = " or ".join(scores.attrs.get("ensemble_size", "?").split())
    where = f"{', '.join(places)}: " if places else ""
    return [
        f"{title}, {where}area-weighted mean over {sample}, {members} members{shown}",
        f"{_BEST[direction]}{marks if direction != 'none' else ''}",
        "",
        row,
        "-" * (_LABEL_WIDTH + _COLUMN_WIDTH * len(leads)),
    ]


def _skill_words(name: str, reference: str, direction: Direction) -> str:
    short = "CRPS" if name == "crps" else "score"
    return f"; skill score: 1 - {short} / {short} of {reference}" if direction == "lower" else ""


def _count(scores: xr.Dataset) -> int:
    """Initial times behind the scores, of a group those in it."""
    sizes = [int(own.max()) for name, own in scores.data_vars.items() if str(name).startswith("sample_size_")]
    return max(sizes) if sizes and "group" in scores.attrs else len(scores.attrs.get("initial_times", "").split())


def _block(field: xr.DataArray, reference: str | None, direction: Direction) -> list[str]:
    """The rows of one field: its name and units, one row for each model, and the skill score."""
    scale, units = _SHOWN_UNITS.get(field.attrs["units"], (1.0, field.attrs["units"]))
    values: dict[str, Floats] = {str(model): field.sel(model=model).values * scale for model in field["model"].values}
    forecast = values["forecast"]
    baselines = [model for model, row in values.items() if model != "forecast" and np.isfinite(row).any()]
    ahead = [_gain(field, model, direction) > 0 for model in baselines]
    best = np.all(ahead, axis=0) if baselines else np.zeros(forecast.shape, dtype=bool)
    decimals = _decimals(np.concatenate(list(values.values())))
    level = f" {int(field['level'])} hPa" if "level" in field.coords else ""
    rows = [f"{field.attrs['variable'].replace('_', ' ')}{level}{f' ({units})' if units != '1' else ''}"]
    for model, row in values.items():
        marks = best if model == "forecast" else np.zeros_like(best)
        rows.append(_row(f"  {model}", [f"{value:.{decimals}f}" for value in row], marks))
    if reference is None or direction != "lower":
        return rows
    with np.errstate(divide="ignore", invalid="ignore"):  # against a perfect reference there is no skill score
        skill = np.where(values[reference] > 0, 1 - forecast / values[reference], np.nan)
    return [*rows, _row("  skill score", [f"{value:.2f}" for value in skill])]


def _gain(field: xr.DataArray, model: str, direction: Direction) -> Floats:
    """Positive where the forecast is better than another model."""
    ours, theirs = (field.sel(model=own, drop=True) for own in ("forecast", model))
    if direction == "lower":
        return np.asarray(theirs - ours)  # of a perfect one too, to which there is no ratio
    return np.asarray(improvement(ours, theirs, direction))


def _decimals(values: Floats) -> int:
    """Decimals that show the smallest score with three figures, at most four, and that leave columns apart."""
    finite = values[np.isfinite(values)]
    sizes = np.abs(finite[finite != 0])
    decimals = int(np.clip(2 - floor(log10(sizes.min())), 0, 4)) if sizes.size else 2
    while decimals and any(len(f"{value:.{decimals}f}") > _COLUMN_WIDTH - 2 for value in finite):
        decimals -= 1
    return decimals


def _row(label: str, cells: Sequence[str], marks: Sequence[bool] | Floats = ()) -> str:
    marked = [f"{cell}{'*' if index < len(marks) and marks[index] else ' '}" for index, cell in enumerate(cells)]
    start = f"{label:<{_LABEL_WIDTH}}" if len(label) < _LABEL_WIDTH else f"{label}\n{'':<{_LABEL_WIDTH}}"
    row = start + "".join(f"{cell.replace('nan', '-'):>{_COLUMN_WIDTH}}" for cell in marked)
    return row.rstrip()
