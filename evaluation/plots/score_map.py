"""Maps of scores at every point: a panel for each model, or one model's less another's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.errors import ScoreError
from data_pipeline.grid import Grid
from evaluation.by_group import group_name
from evaluation.plots.canvas import Sheet, fill
from evaluation.plots.palettes import difference_palette
from evaluation.plots.panels import by_of, choice_name
from evaluation.plots.projections import view_of
from evaluation.plots.style import Style, field_palette, spread_palette
from evaluation.score_files import read_scores
from evaluation.shown import capital, field_name, lead_name, score_name, times_line, units
from evaluation.tally import FORECAST

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr
    from matplotlib.figure import Figure

    from evaluation.plots.asked import Asked
    from evaluation.plots.canvas import Field
    from evaluation.plots.style import Palette

_PLACES = ("latitude", "longitude")
_BETTER = {
    "lower": "negative where {} is better", "higher": "positive where {} is better",
    "zero": "difference of the sizes: negative where {} is nearer to 0",
    "one": "difference of the distances from 1: negative where {} is nearer",
}  # fmt: skip
"""What a difference says, by the direction of the score."""


def map_figure(path: Path, asked: Asked) -> Figure:
    """A score at every point, of each model in the same colours, or the forecast's less that of ``asked.against``.

    Raises
    ------
    ScoreError
        If the file is no map, or lacks what is asked for.
    """
    scores = read_scores(path)
    if not set(_PLACES) <= set(scores.dims):
        raise ScoreError(f"{path} holds scores of regions and no map; score again with --regions map")
    name, variable = _which(scores, asked, path)
    whole = scores[f"{name}_{variable}"]
    field, words = _at(whole, scores, variable, asked)
    level = float(field["level"]) if "level" in field.coords else None
    scale, unit = units(name, str(field.attrs["units"])) if name else (1.0, "")
    field = field * scale
    panels = _panels(field, str(whole.attrs["direction"]), asked.against)
    grid = Grid.of(scores)
    sheet = Sheet.of(view_of(asked.projection, asked.region, grid), grid, len(panels), panel_titles=True)
    shown = {title: sheet.mesh.sample(values) for title, values in panels.items()}
    palette = _palette(np.ma.stack(list(shown.values())), str(whole.attrs["direction"]), differs=bool(asked.against))
    for panel, (title, own) in zip(sheet.panels, shown.items(), strict=True):
        contours = fill(panel, sheet.mesh, own, palette)
        panel.set_title(title, fontsize=11, pad=3)
    line = times_line(str(scores.attrs["initial_times"]).split())
    size = str(scores.attrs.get("ensemble_size", ""))
    members = f"{' or '.join(size.split())} member{'s' if size != '1' else ''}" if size else ""
    note = capital(_BETTER.get(str(whole.attrs["direction"]), "").format(FORECAST)) if asked.against else ""
    sheet.title(f"{capital(field_name(variable, level))}: {score_name(name)}",
                "   ".join(filter(None, [*words, line, members])), note)  # fmt: skip
    label = f"{'difference in ' if asked.against else ''}{score_name(name)}"
    sheet.colour_bar(contours, capital(f"{label} ({unit})" if unit else label))
    return sheet.figure


def _which(scores: xr.Dataset, asked: Asked, path: Path) -> tuple[str, str]:
    """Metric and variable: those that are asked for, or the CRPS, or else the first."""
    fields = [own for own in scores.data_vars.values() if "metric" in own.attrs]
    variable = asked.variable_of((str(own.attrs["variable"]) for own in fields), str(path))
    held = [str(own.attrs["metric"]) for own in fields if own.attrs["variable"] == variable]
    name = asked.score or ("crps" if "crps" in held else held[0])
    if name not in held:
        raise ScoreError(f"{path} holds no {name} of {variable}, expected one of {', '.join(held)}")
    return name, variable


def _at(
    whole: xr.DataArray, scores: xr.Dataset, variable: str, asked: Asked
) -> tuple[xr.DataArray, list[str]]:  # fmt: skip
    """The score (model, latitude, longitude) at what is asked for, and in words what that is."""
    whole = whole.rename({dim: str(dim).removesuffix(f"_of_{variable}") for dim in whole.dims})
    place = asked.place(whole.to_dataset(name="score"), variable, lead=True)
    lead = float(place.get("lead_time", whole["lead_time"].values[-1]))
    field, words = whole.sel({**place, "lead_time": lead}), [lead_name(lead)]
    if "group" in field.dims:
        by = by_of(scores)
        group = asked.groups(field["group"].values.tolist(), by, 1)[0]
        field, words = field.sel(group=group), [*words, group_name(str(by), group)]
    else:
        asked.groups([], None, 1)
    field = asked.along(field)
    for axis in [str(dim) for dim in field.dims if dim not in ("model", *_PLACES)]:
        labels = field[axis].values.tolist()
        if len(labels) > 1:
            raise ScoreError(f"{whole.name} has several of {axis}, expected --at {axis}=LABEL with one of {labels}")
        field, words = field.isel({axis: 0}), [*words, choice_name(axis, labels[0], variable)]
    return field, words


def _panels(field: xr.DataArray, direction: str, against: str | None) -> dict[str, np.ndarray]:
    """By title the values (latitude, longitude), of models that have any."""
    models = {str(model): field.sel(model=model) for model in field["model"].values}
    there = {model: own for model, own in models.items() if own.notnull().any()}
    if not there:
        raise ScoreError(f"no model has any {field.attrs.get('metric', 'score')} here; choose another --score")
    if against is None:
        return {model: own.transpose(*_PLACES).values for model, own in there.items()}
    if against not in there or against == FORECAST or FORECAST not in there:
        others = ", ".join(model for model in there if model != FORECAST) or "none"
        raise ScoreError(f"got --against {against}, expected a model beside the forecast that has the score: {others}")
    ours, theirs = (_size(own, direction) for own in (there[FORECAST], there[against]))
    return {f"{FORECAST} minus {against}": (ours - theirs).transpose(*_PLACES).values}


def _size(score: xr.DataArray, direction: str) -> xr.DataArray:
    """Of what a difference is: the distance from the best value where that is 0 or 1."""
    match direction:
        case "zero":
            return abs(score)
        case "one":
            return abs(score - 1)
        case _:
            return score


def _palette(values: Field, direction: str, *, differs: bool) -> Palette:
    """Blue for less and red for more about nought, or the one that is best; shades from nought up for the others."""
    known = values.compressed()
    if differs or direction == "zero":
        return difference_palette(Style("", "", "thermal"), known)
    if direction == "one":
        return field_palette(Style("", "", "thermal", centre=1.0), None, known)
    if known.min() >= 0:
        return spread_palette(known)
    return field_palette(Style("", "", "height"), None, known)
