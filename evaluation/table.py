"""The CRPS as a plain-text table: each field by lead time, beside climatology and persistence."""

from __future__ import annotations

from math import floor, log10
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.errors import ScoreError
from data_pipeline.variables import GRAVITY

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr

    from evaluation.metrics.forms import Floats

_SHOWN_UNITS: dict[str, tuple[float, str]] = {
    "m2 s-2": (1 / GRAVITY, "m, as geopotential height"),
    "Pa": (1e-2, "hPa"),
    "kg kg-1": (1e3, "g/kg"),
    "m s-1": (1.0, "m/s"),
    "s-1": (1e5, "1e-5 s-1"),
    "m": (1e3, "mm"),
}
"""Scale and name of the units that people read, for the SI units of the files."""

_LABEL_WIDTH = 20
_COLUMN_WIDTH = 8
_MOST_COLUMNS = 10


def crps_table(scores: xr.Dataset, variables: Sequence[str] | None = None, levels: Sequence[int] | None = None) -> str:
    """A table of at most 100 columns of the first region of scores; ``*`` marks what beats every baseline.

    The skill score is 1 minus the ratio of mean scores, against climatology if it was scored, else persistence, else
    the first of the other baselines; without any there is none.

    Raises
    ------
    ScoreError
        If the scores hold no CRPS, or not of these variables and levels.
    """
    if "region" in scores.dims:
        scores = scores.sel(region=scores["region"].values[0])
    leads = _shown_leads(scores["lead_time"].values)
    reference = _reference(scores["model"].values.tolist())
    lines = _heading(scores, leads, reference)
    for field in _fields(scores, variables, levels):
        lines += ["", *_block(field.isel(lead_time=leads), reference)]
    return "\n".join(lines)


def _reference(models: Sequence[str]) -> str | None:
    others = [model for model in models if model != "forecast"]
    return next((model for model in ("climatology", "persistence", *others) if model in others), None)


def _fields(scores: xr.Dataset, variables: Sequence[str] | None, levels: Sequence[int] | None) -> list[xr.DataArray]:
    """The CRPS (model, lead_time) of each variable and level."""
    crps = [field for field in scores.data_vars.values() if field.attrs.get("metric") == "crps"]
    known = {str(field.attrs["variable"]): field for field in crps}
    unknown = sorted(set(variables or ()) - set(known))
    if unknown or not known:
        have = ", ".join(map(str, scores.data_vars))
        raise ScoreError(f"no CRPS of {', '.join(unknown) or 'anything'} in the scores; they have {have}")
    chosen = [field for name, field in known.items() if variables is None or name in variables]
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


def _heading(scores: xr.Dataset, leads: Sequence[int], reference: str | None) -> list[str]:
    initial_times = scores.attrs.get("initial_times", "").split()
    sample = f"{len(initial_times)} initial time{'s' if len(initial_times) != 1 else ''}"
    hours = scores["lead_time"].values
    shown = "" if len(leads) == len(hours) else f"; {len(leads)} of {len(hours)} leads shown"
    skill = f", * beats every baseline; skill score: 1 - CRPS / CRPS of {reference}" if reference else ""
    row = _row("lead time in days", [f"{hours[index] / 24:.3g}" for index in leads])
    members = " or ".join(scores.attrs.get("ensemble_size", "?").split())
    return [
        f"Fair CRPS, area-weighted mean over {sample}, {members} members{shown}",
        f"Lower is better{skill}",
        "",
        row,
        "-" * (_LABEL_WIDTH + _COLUMN_WIDTH * len(leads)),
    ]


def _block(field: xr.DataArray, reference: str | None) -> list[str]:
    """The rows of one field: its name and units, one row for each model, and the skill score."""
    scale, units = _SHOWN_UNITS.get(field.attrs["units"], (1.0, field.attrs["units"]))
    values: dict[str, Floats] = {str(model): field.sel(model=model).values * scale for model in field["model"].values}
    forecast, baselines = values["forecast"], [row for model, row in values.items() if model != "forecast"]
    best = np.all([forecast < row for row in baselines], axis=0) if baselines else np.zeros(forecast.shape, dtype=bool)
    decimals = _decimals(np.concatenate(list(values.values())))
    level = f" {int(field['level'])} hPa" if "level" in field.coords else ""
    rows = [f"{field.attrs['variable'].replace('_', ' ')}{level} ({units})"]
    for model, row in values.items():
        marks = best if model == "forecast" else np.zeros_like(best)
        rows.append(_row(f"  {model}", [f"{value:.{decimals}f}" for value in row], marks))
    if reference is None:
        return rows
    with np.errstate(divide="ignore", invalid="ignore"):  # against a perfect reference there is no skill score
        skill = np.where(values[reference] > 0, 1 - forecast / values[reference], np.nan)
    return [*rows, _row("  skill score", [f"{value:.2f}" for value in skill])]


def _decimals(values: Floats) -> int:
    """Decimals that show the smallest score with three figures, at most four."""
    positive = values[np.isfinite(values) & (values > 0)]
    return int(np.clip(2 - floor(log10(positive.min())), 0, 4)) if positive.size else 2


def _row(label: str, cells: Sequence[str], marks: Sequence[bool] | Floats = ()) -> str:
    marked = [f"{cell}{'*' if index < len(marks) and marks[index] else ' '}" for index, cell in enumerate(cells)]
    start = f"{label:<{_LABEL_WIDTH}}" if len(label) < _LABEL_WIDTH else f"{label}\n{'':<{_LABEL_WIDTH}}"
    row = start + "".join(f"{cell.replace('nan', '-'):>{_COLUMN_WIDTH}}" for cell in marked)
    return row.rstrip()
