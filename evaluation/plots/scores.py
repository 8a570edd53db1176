"""Pictures of files of scores, by kind."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from data_pipeline.errors import ScoreError
from evaluation.by_group import group_name, in_groups
from evaluation.estimates import Trial
from evaluation.metrics.registry import metric
from evaluation.plots.canvas import save
from evaluation.plots.curves import curve_figure
from evaluation.plots.diagrams import DIAGRAMS
from evaluation.plots.intervals import diagram_intervals
from evaluation.plots.panels import by_of, leads_of
from evaluation.score_files import models_in, read_scores, sums_of
from evaluation.scored import distinct_names, names_of_models, open_scored
from evaluation.side_by_side import side_by_side
from evaluation.tally import FORECAST

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import xarray as xr
    from matplotlib.figure import Figure

    from evaluation.scored import Scored

_CURVES: dict[str, tuple[str, ...]] = {"curve": ("crps",), "spread_error": ("rmse", "spread")}
KINDS = (*_CURVES, *DIAGRAMS)
_MOST_GROUPS = 12
"""Panels on a sheet."""


def draw_scores(
    paths: Sequence[Path],
    out: Path,
    *,
    kind: str = "curve",
    score: str | None = None,
    variable: str,
    level: int | None = None,
    region: str | None = None,
    lead: float | None = None,
    group: str | None = None,
    trial: Trial = Trial(),  # noqa: B008, frozen
) -> None:
    """Write a PNG.

    Parameters
    ----------
    paths
        Files of 'sphercast score'; curves may be of several, with the baselines of the first, at what all have.
    kind
        ``curve`` (a score against lead time), ``spread_error`` (spread and RMSE of the mean), ``rank_histogram``,
        ``reliability``, ``roc`` or ``spread_skill`` (error by spread).
    score
        The metric, or several with commas, if not the kind's own.
    variable, level, region, lead, group
        What of it; the region is by default the first, leads (hours) of diagrams at most four, and curves have a panel
        for each group (season, month or hour) that the file was scored by.
    trial
        How intervals are found.

    Raises
    ------
    ScoreError
        If the files do not hold it, or it must be said which group or level.
    """
    if kind not in KINDS:
        raise ScoreError(f"got --kind {kind}, expected one of {', '.join(KINDS)}")
    if kind in _CURVES:
        if lead is not None:
            raise ScoreError(f"got --lead {lead:g} for a {kind}, which shows all leads; leave it out")
        names = tuple(name.strip() for name in score.split(",")) if score else _CURVES[kind]
        for name in names:
            metric(name)
        figure = _curves(paths, names, variable, level, region, group, trial)
    else:
        figure = _diagram(paths, kind, score, variable, level, region, lead, group, trial)
    save(figure, out)


def _curves(
    paths: Sequence[Path], names: Sequence[str], variable: str, level: int | None, region: str | None,
    group: str | None, trial: Trial,
) -> Figure:  # fmt: skip
    forecasts = [
        open_scored(path, name=name if len(paths) > 1 else FORECAST)
        for path, name in zip(paths, distinct_names(paths), strict=True)
    ]
    by = _alike(forecasts)
    baselines = [open_scored(paths[0], model) for model in names_of_models(models_in(paths[0])) if model != FORECAST]
    for one in forecasts:
        if variable not in one.sums:
            raise ScoreError(f"{one.name} holds no {variable}, expected one of {', '.join(one.sums)}")
    models = [_only(one, variable) for one in (*forecasts, *baselines) if variable in one.sums]
    sums, _ = side_by_side(models, {own for name in names for own in metric(name).statistics})
    own = sums[variable]
    place = _place(own, variable, level, region, None)
    parts = in_groups(own, by)
    groups = {group_name(by, label) if by else "": parts[label] for label in _chosen(parts, by, group, _MOST_GROUPS)}
    members = {one.members for one in forecasts}
    words = members.pop() if len(members) == 1 else ", ".join(f"{one.name} {one.members}" for one in forecasts)
    return curve_figure(
        groups, names, variable=variable, level=place.get("level"), region=str(place["region"]), members=words,
        trial=trial, baselines=[one.name for one in models[len(forecasts):]],
    )  # fmt: skip


def _alike(forecasts: Sequence[Scored]) -> str | None:
    """By what all were scored."""
    first = forecasts[0]
    for one in forecasts[1:]:
        if one.question.by != first.question.by:
            words = " and ".join(f"{own.name} by {own.question.by or 'nothing'}" for own in (first, one))
            raise ScoreError(f"{words} was scored; score both with the same --by, or draw them one by one")
    return first.question.by


def _chosen(labels: Iterable[str], by: str | None, asked: str | None, most: int) -> list[str]:
    """The groups to draw: that which is asked for, else all if they are few."""
    held = list(labels)
    if by is None:
        if asked is not None:
            raise ScoreError(f"got --group {asked}, but nothing was scored --by season, month or hour; leave it out")
        return held
    if asked is None and len(held) <= most:
        return held
    if asked not in held:
        got = "scores" if asked is None else f"--group {asked} of scores"
        raise ScoreError(f"got {got} by {by}, expected --group with one of {', '.join(held)}")
    return [asked]


def _diagram(
    paths: Sequence[Path], kind: str, score: str | None, variable: str, level: int | None, region: str | None,
    lead: float | None, group: str | None, trial: Trial,
) -> Figure:  # fmt: skip
    if len(paths) != 1:
        raise ScoreError(f"got {len(paths)} files, expected one for a {kind}; draw one picture of each")
    diagram = DIAGRAMS[kind]
    name = score or diagram.metric
    scores = read_scores(paths[0])
    found = [field for field in scores.data_vars.values() if field.attrs.get("variable") == variable]
    if not found:
        held = dict.fromkeys(str(own.attrs["variable"]) for own in scores.data_vars.values() if "variable" in own.attrs)
        raise ScoreError(f"{paths[0]} holds no {variable}, expected one of {', '.join(held)}")
    place = {**_place(found[0].to_dataset(name="score"), variable, level, region, lead), "model": FORECAST}
    by = by_of(scores)
    if "group" in scores.dims:
        place["group"] = _chosen(scores["group"].values.tolist(), by, group, 1)[0]
    else:
        _chosen([], None, group, 1)
    place["lead_time"] = leads_of(found[0]["lead_time"].values.tolist(), lead)
    names = [name.replace(diagram.metric, own) for own in diagram.banded]
    with sums_of(paths[0], variable) as sums:
        series = _series(sums, place, by)
    intervals = diagram_intervals(series, names, trial)
    return diagram.draw(scores, name, variable, place, intervals)


def _series(sums: xr.Dataset, place: dict[str, Any], by: str | None) -> xr.Dataset:
    """The sums of each initial time at a place, with all dimensions."""
    series = sums[[name for name in sums.data_vars if "initial_time" in sums[name].dims]]
    labels = {dim: label if isinstance(label, list) else [label] for dim, label in place.items()}
    here = series.sel({dim: label for dim, label in labels.items() if dim in series.dims}).load()
    return in_groups(here, by)[str(place["group"])] if by and here.data_vars else here


def _place(own: xr.Dataset, variable: str, level: int | None, region: str | None, lead: float | None) -> dict[str, Any]:
    """Labels of what is asked for, each of which must be there; the only level and the first region by default."""
    if "region" not in own.dims:
        raise ScoreError("the scores are a map of points, expected those of regions; score again without --regions map")
    if level is None and "level" in own.dims:
        if own.sizes["level"] > 1:
            raise ScoreError(f"{variable} is on levels, expected --level with one of {_held(own, 'level')}")
        level = int(own["level"].values[0])
    asked = {"level": level, "region": region if region is not None else own["region"].values[0].item()}
    if lead is not None:
        asked["lead_time"] = lead
    for dim, label in asked.items():
        labels = own[dim].values.tolist() if dim in own.dims else [None]
        if label not in labels:
            raise ScoreError(
                f"got the {dim.replace('_', ' ')} {label} for {variable}, expected one of: {_held(own, dim)}"
            )
    return {dim: label for dim, label in asked.items() if label is not None}


def _held(own: xr.Dataset, dim: str) -> str:
    return ", ".join(map(str, own[dim].values.tolist())) if dim in own.dims else "none"


def _only(one: Scored, variable: str) -> Scored:
    return replace(one, sums={variable: one.sums[variable]})
