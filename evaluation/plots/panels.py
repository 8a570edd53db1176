"""What diagrams are made of: a panel for each lead, the values at a place, events with their names and colours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_hex

from data_pipeline.errors import ScoreError
from evaluation.by_group import group_name
from evaluation.plots.frames import COLOURS, sheet
from evaluation.plots.style import style_of
from evaluation.plots.titles import number
from evaluation.question import Question
from evaluation.shown import capital, chosen_leads, field_name, times_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

_MOST_PANELS, _MOST_EVENTS = 4, 6
PANEL = 3.0
"""Inches, side of a panel."""


def leads_of(hours: Sequence[float], asked: float | None) -> list[float]:
    """Those of the panels: the one that is asked for, else at most four."""
    return [hours[place] for place in chosen_leads(hours, _MOST_PANELS)] if asked is None else [asked]


def field_at(
    scores: xr.Dataset, name: str, variable: str, place: dict[str, object], axes: Sequence[str], like: str
) -> xr.DataArray:
    """(lead_time, axes of its own), axes by their plain names.

    Raises
    ------
    ScoreError
        If the scores do not hold it, or it has none of ``axes``, which metrics such as ``like`` have.
    """
    field = optional_field(scores, name, variable, place)
    if field is None:
        own = [field for field in scores.data_vars.values() if field.attrs.get("variable") == variable]
        held = ", ".join(sorted({str(field.attrs["metric"]) for field in own if "metric" in field.attrs}))
        raise ScoreError(f"the scores hold no {name} of {variable}, only {held}; score again with --scores {name}")
    if not set(axes) & set(field.dims):
        raise ScoreError(f"{name} has no {' or '.join(axes)} to draw it by, expected --score {like}")
    return field


def optional_field(scores: xr.Dataset, name: str, variable: str, place: dict[str, object]) -> xr.DataArray | None:
    """As ``field_at``; None where the scores do not hold it."""
    if f"{name}_{variable}" not in scores:
        return None
    field = scores[f"{name}_{variable}"]
    field = field.rename({dim: str(dim).removesuffix(f"_of_{variable}") for dim in field.dims})
    leads = place.get("lead_time") or leads_of(field["lead_time"].values.tolist(), None)
    return field.sel({dim: label for dim, label in (place | {"lead_time": leads}).items() if dim in field.dims})


def ends(intervals: xr.Dataset | None, name: str, labels: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray] | None:
    """The ends of the intervals of a metric at the scalar coordinates of ``labels``; None where there are none."""
    if intervals is None or f"lower_{name}" not in intervals:
        return None
    low, high = (intervals[f"{side}_{name}"] for side in ("lower", "upper"))
    here = {str(dim): labels[dim].item() for dim in low.dims if dim in labels.coords and not labels[dim].ndim}
    return low.sel(here), high.sel(here)


def reach(values: xr.DataArray, between: tuple[xr.DataArray, xr.DataArray] | None) -> NDArray[np.float64] | None:
    """How far intervals go below and above values, (2, n), zero where they are not known."""
    if between is None:
        return None
    low, high = between
    return np.asarray(np.nan_to_num(np.stack([(values - low).values, (high - values).values]).clip(0)))


def events(
    field: xr.DataArray, variable: str, along: str = "probability"
) -> Iterator[tuple[str, str, xr.DataArray]]:  # fmt: skip
    """Name, colour and values (``along``,) of some events, evenly chosen."""
    axes = [str(dim) for dim in field.dims if dim != along]
    if not axes:
        yield "", COLOURS[0], field
        return
    labels = field[axes[0]].values
    chosen = np.unique(np.linspace(0, len(labels) - 1, min(_MOST_EVENTS, len(labels))).round().astype(int))
    shades = colormaps["cividis"](np.linspace(0.0, 0.85, len(chosen)))
    for place, shade in zip(chosen, shades, strict=True):
        yield choice_name(axes[0], float(labels[place]), variable), to_hex(shade), field.isel({axes[0]: place})


def choice_name(axis: str, label: float | str, variable: str) -> str:
    """A label along an axis of a metric, e.g. ``> 30 °C``, ``> 90 % quantile`` or ``500 km``.

    >>> choice_name("climate_quantile", 0.05, "2m_temperature"), choice_name("pool_km", 500.0, "2m_temperature")
    ('< 5 % quantile', '500 km')
    """
    if isinstance(label, str):
        return label
    if axis == "pool_km":
        return f"{label:g} km"
    if axis not in {"threshold", "climate_quantile"}:
        return f"{axis.replace('_', ' ')} {label:g}"
    if axis == "threshold":
        style = style_of(variable, "")
        return f"> {number(round(float(style.display(np.asarray(label))), 6))} {style.units}"
    return f"{'<' if label < 0.5 and axis == 'climate_quantile' else '>'} {number(round(100 * label, 1))} % quantile"


def lead_panels(
    scores: xr.Dataset, field: xr.DataArray, variable: str, place: dict[str, object], what: str, words: str, *,
    height: float, rows: int = 1,
) -> tuple[Figure, list[tuple[Axes, float]]]:  # fmt: skip
    """A sheet with a panel for each lead of ``field`` in every row; ``words`` are the second line below the title."""
    leads = field["lead_time"].values.tolist()
    size = scores.attrs.get("ensemble_size", "")
    members = f"{size} member{'s' if size != '1' else ''}" if size else ""
    level = place.get("level")
    second = [times_line(str(scores.attrs["initial_times"]).split()), members, str(place["region"]),
              _group_words(scores, variable, place)]  # fmt: skip
    first = f"{capital(field_name(variable, level if isinstance(level, int | float) else None))}: {what}"
    lines = "   ".join(filter(None, second)) + (f"\n{words}" if words else "")
    figure = sheet(max(PANEL * len(leads) + 0.4, 7.6), height + 1.0 + 0.17 * bool(words), first, lines)
    grid = figure.subplots(rows, len(leads), squeeze=False, sharey="row", height_ratios=[1] if rows == 1 else [3, 1])
    return figure, [(grid[row][column], leads[column]) for row in range(rows) for column in range(len(leads))]


def by_of(scores: xr.Dataset) -> str | None:
    """By what a file was scored: season, month, hour or nothing."""
    return Question.from_json(scores.attrs["question"]).by if "question" in scores.attrs else None


def _group_words(scores: xr.Dataset, variable: str, place: dict[str, object]) -> str:
    """E.g. ``DJF (90 of them)``, as the initial times beside it are those of all groups."""
    by = by_of(scores)
    if by is None or "group" not in place:
        return ""
    labels = {"group": place["group"], "lead_time": place["lead_time"], "level": place.get("level")}
    sizes = scores[f"sample_size_{variable}"]
    sizes = sizes.sel({dim: label for dim, label in labels.items() if dim in sizes.dims})
    low, high = int(sizes.min()), int(sizes.max())
    count = f"{low} to {high}" if low < high else str(high)
    return f"{group_name(by, str(place['group']))} ({count} of them)"


def words_of(intervals: xr.Dataset | None) -> str:
    """What is to be said of intervals."""
    return "" if intervals is None else str(intervals.attrs["words"])
