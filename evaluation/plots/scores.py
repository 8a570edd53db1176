"""Pictures of files of scores, by kind."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from data_pipeline.errors import ScoreError
from evaluation.estimates import Trial
from evaluation.metrics.registry import metric
from evaluation.plots.canvas import save
from evaluation.plots.curves import curve_figure
from evaluation.plots.diagrams import DIAGRAMS
from evaluation.score_files import read_scores, read_sums
from evaluation.scored import distinct_names, models_of, open_scored, side_by_side
from evaluation.tally import FORECAST

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import xarray as xr
    from matplotlib.figure import Figure

    from evaluation.scored import Scored

_CURVES: dict[str, tuple[str, ...]] = {"curve": ("crps",), "spread_error": ("rmse", "spread")}
KINDS = (*_CURVES, *DIAGRAMS)


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
    trial: Trial = Trial(),  # noqa: B008, frozen
) -> None:
    """Write a PNG.

    Parameters
    ----------
    paths
        Files of 'sphercast score'; curves may be of several, with the baselines of the first, at what all have.
    kind
        ``curve`` (a score against lead time), ``spread_error`` (spread and RMSE of the mean), ``rank_histogram``,
        ``reliability`` or ``roc``.
    score
        The metric, or several with commas, if not the kind's own.
    variable, level, region, lead
        What of it; the region is by default the first, leads (hours) all, of diagrams at most four.
    trial
        How intervals are found.

    Raises
    ------
    ScoreError
        If the files do not hold it.
    """
    if kind not in KINDS:
        raise ScoreError(f"got --kind {kind}, expected one of {', '.join(KINDS)}")
    if kind in _CURVES:
        names = tuple(name.strip() for name in score.split(",")) if score else _CURVES[kind]
        for name in names:
            metric(name)
        figure = _curves(paths, names, variable, level, region, trial)
    else:
        figure = _diagram(paths, kind, score, variable, level, region, lead)
    save(figure, out)


def _curves(
    paths: Sequence[Path], names: Sequence[str], variable: str, level: int | None, region: str | None, trial: Trial
) -> Figure:
    forecasts = [
        open_scored(path, name=name if len(paths) > 1 else FORECAST)
        for path, name in zip(paths, distinct_names(paths), strict=True)
    ]
    baselines = [open_scored(paths[0], model) for model in models_of(read_sums(paths[0])) if model != FORECAST]
    for one in forecasts:
        if variable not in one.sums:
            raise ScoreError(f"{one.name} holds no {variable}, expected one of {', '.join(one.sums)}")
    models = [_only(one, variable) for one in (*forecasts, *baselines) if variable in one.sums]
    sums, _ = side_by_side(models)
    own = sums[variable]
    place = _place(own, variable, level, region, None)
    members = {one.members for one in forecasts}
    words = members.pop() if len(members) == 1 else ", ".join(f"{one.name} {one.members}" for one in forecasts)
    return curve_figure(
        own, names, variable=variable, level=level, region=str(place["region"]), members=words, trial=trial,
        baselines=[one.name for one in models[len(forecasts):]],
    )  # fmt: skip


def _diagram(
    paths: Sequence[Path], kind: str, score: str | None, variable: str, level: int | None, region: str | None,
    lead: float | None,
) -> Figure:  # fmt: skip
    if len(paths) != 1:
        raise ScoreError(f"got {len(paths)} files, expected one for a {kind}; draw one picture of each")
    name, draw = DIAGRAMS[kind]
    scores = read_scores(paths[0])
    found = [field for field in scores.data_vars.values() if field.attrs.get("variable") == variable]
    if not found:
        held = dict.fromkeys(str(own.attrs["variable"]) for own in scores.data_vars.values() if "variable" in own.attrs)
        raise ScoreError(f"{paths[0]} holds no {variable}, expected one of {', '.join(held)}")
    place = {**_place(found[0].to_dataset(name="score"), variable, level, region, lead), "model": FORECAST}
    if "group" in scores.dims:
        place["group"] = scores["group"].values[0]
    return draw(scores, score or name, variable, place)


def _place(
    own: xr.Dataset, variable: str, level: int | None, region: str | None, lead: float | None
) -> dict[str, object]:
    """Labels of what is asked for, each of which must be there."""
    asked = {"level": level, "region": region if region is not None else own["region"].values[0].item()}
    if lead is not None:
        asked["lead_time"] = lead
    for dim, label in asked.items():
        labels = own[dim].values.tolist() if dim in own.dims else [None]
        if label not in labels:
            held = ", ".join(map(str, labels)) if labels != [None] else "none"
            raise ScoreError(f"got the {dim.replace('_', ' ')} {label} for {variable}, expected one of: {held}")
    return {dim: label for dim, label in asked.items() if label is not None}


def _only(one: Scored, variable: str) -> Scored:
    return replace(one, sums={variable: one.sums[variable]})
