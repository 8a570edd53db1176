"""Pictures of files of scores, by kind."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from data_pipeline.errors import ScoreError
from evaluation.by_group import group_name, in_groups
from evaluation.metrics.registry import metric
from evaluation.plots.asked import Asked
from evaluation.plots.canvas import save
from evaluation.plots.curves import MOST_PANELS, check_series, curve_figure
from evaluation.plots.diagrams import DIAGRAMS, diagram_of
from evaluation.plots.intervals import diagram_intervals
from evaluation.plots.joint import is_joint, joint_figure
from evaluation.plots.panels import by_of, leads_of
from evaluation.plots.score_map import map_figure
from evaluation.question import Question
from evaluation.score_files import axes_in, models_in, read_attributes, read_scores, sums_of
from evaluation.scored import distinct_names, names_of_models, open_scored
from evaluation.side_by_side import joined, nothing_common
from evaluation.tally import FORECAST

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import xarray as xr
    from matplotlib.figure import Figure

    from evaluation.scored import Scored

_CURVES: dict[str, tuple[str, ...]] = {"curve": ("crps",), "spread_error": ("rmse", "spread")}
KINDS = (*_CURVES, *DIAGRAMS, "map", "joint")


def draw_scores(paths: Sequence[Path], out: Path, *, kind: str | None = None, **options: Any) -> None:
    """Write a PNG.

    Parameters
    ----------
    paths
        Files of 'sphercast score'; curves may be of several, with the baselines of the first, at what all have.
    kind
        ``curve`` (a score against lead time), ``spread_error`` (spread and RMSE of the mean), ``rank_histogram``,
        ``reliability``, ``roc``, ``spread_skill`` (error by spread), ``spectrum``, ``economic_value``, ``map`` (of a
        file scored at every point) or ``joint`` (of a joint histogram); by default that which suits file and score.
    options
        The fields of ``evaluation.plots.asked.Asked``.

    Raises
    ------
    ScoreError
        If the files do not hold it, or it must be said which group or level.
    """
    if kind is not None and kind not in KINDS:
        raise ScoreError(f"got --kind {kind}, expected one of {', '.join(KINDS)}")
    asked = Asked(**options)
    for name in _names(asked, ()):
        metric(name)
    kind, asked = (kind, asked) if kind else _suitable(paths[0], asked)
    asked.check(kind)
    save(_figure(paths, kind, asked), out)


def _figure(paths: Sequence[Path], kind: str, asked: Asked) -> Figure:
    if kind in _CURVES:
        return _curves(paths, _names(asked, _CURVES[kind]), asked)
    if len(paths) != 1:
        raise ScoreError(f"got {len(paths)} files, expected one for a {kind}; draw one picture of each")
    if kind == "joint":
        return joint_figure(paths[0], asked)
    return map_figure(paths[0], asked) if kind == "map" else _diagram(paths[0], kind, asked)


def _suitable(path: Path, asked: Asked) -> tuple[str, Asked]:
    """The kind of picture for what is asked of a file, and the same under the name that this kind knows it by."""
    if is_joint(path):
        return "joint", asked
    if _is_map(read_attributes(path)):
        return "map", asked
    names = _names(asked, _CURVES["curve"])
    found = diagram_of(names[0], axes_in(path, names[0])) if len(names) == 1 else None
    return (found[0], replace(asked, score=found[1])) if found else ("curve", asked)


def _names(asked: Asked, usual: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name.strip() for name in asked.score.split(",")) if asked.score else usual


def _curves(paths: Sequence[Path], names: Sequence[str], asked: Asked) -> Figure:
    forecasts = [
        open_scored(path, name=name if len(paths) > 1 else FORECAST)
        for path, name in zip(paths, distinct_names(paths), strict=True)
    ]
    by = _alike(forecasts)
    baselines = [open_scored(paths[0], model) for model in names_of_models(models_in(paths[0])) if model != FORECAST]
    variable = asked.variable_of(forecasts[0].sums, forecasts[0].name)
    for one in forecasts[1:]:
        replace(asked, variable=variable).variable_of(one.sums, one.name)
    models = [_only(one, variable) for one in (*forecasts, *baselines) if variable in one.sums]
    own, lacking = joined(models, variable, {own for name in names for own in metric(name).statistics})
    if own is None:
        raise nothing_common(models, lacking)
    check_series(own, names)
    place = asked.place(own, variable)
    parts = in_groups(own, by)
    groups = {group_name(by, label) if by else "": parts[label] for label in asked.groups(parts, by, MOST_PANELS)}
    members = {one.members for one in forecasts}
    words = members.pop() if len(members) == 1 else ", ".join(f"{one.name} {one.members}" for one in forecasts)
    return curve_figure(
        groups, names, variable=variable, level=place.get("level"), region=str(place["region"]), members=words,
        trial=asked.trial, baselines=[one.name for one in models[len(forecasts):]], at=asked.at,
    )  # fmt: skip


def _alike(forecasts: Sequence[Scored]) -> str | None:
    """By what all were scored."""
    first = forecasts[0]
    for one in forecasts:
        if one.question.is_map:
            raise ScoreError(
                f"{one.name} is a map, which keeps no series by initial time; draw it alone, as --kind map"
            )
        if one.question.by != first.question.by:
            words = " and ".join(f"{own.name} by {own.question.by or 'nothing'}" for own in (first, one))
            raise ScoreError(f"{words} was scored; score both with the same --by, or draw them one by one")
    return first.question.by


def _diagram(path: Path, kind: str, asked: Asked) -> Figure:
    diagram = DIAGRAMS[kind]
    name = asked.score or diagram.metric
    scores = read_scores(path)
    if "latitude" in scores.dims:
        raise ScoreError(f"{path} is a map of points, of which there is no {kind}; score again without --regions map")
    fields = {str(own.attrs["variable"]): own for own in scores.data_vars.values() if "variable" in own.attrs}
    variable = asked.variable_of(fields, str(path))
    place = {**asked.place(fields[variable].to_dataset(name="score"), variable, lead=True), "model": FORECAST}
    by = by_of(scores)
    if "group" in scores.dims:
        place["group"] = asked.groups(scores["group"].values.tolist(), by, 1)[0]
    else:
        asked.groups([], None, 1)
    place["lead_time"] = leads_of(fields[variable]["lead_time"].values.tolist(), asked.lead)
    names = [name.replace(diagram.metric, own) for own in diagram.banded]
    with sums_of(path, variable) as sums:
        series = _series(sums, place, by)
    intervals = diagram_intervals(series, names, asked.trial)
    return diagram.draw(scores, name, variable, place, intervals)


def _is_map(about: Mapping[Any, Any]) -> bool:
    return "question" in about and Question.from_json(str(about["question"])).is_map


def _series(sums: xr.Dataset, place: dict[str, Any], by: str | None) -> xr.Dataset:
    """The sums of each initial time at a place, with all dimensions."""
    series = sums[[name for name in sums.data_vars if "initial_time" in sums[name].dims]]
    labels = {dim: label if isinstance(label, list) else [label] for dim, label in place.items()}
    here = series.sel({dim: label for dim, label in labels.items() if dim in series.dims}).load()
    return in_groups(here, by)[str(place["group"])] if by and here.data_vars else here


def _only(one: Scored, variable: str) -> Scored:
    return replace(one, sums={variable: one.sums[variable]})
