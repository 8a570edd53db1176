"""Whether maps and scores of a job can be had from its forecast, before hours are spent on it."""

from __future__ import annotations

import os
import re
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from data_pipeline.errors import ConfigError, SphercastError
from data_pipeline.times import HOUR

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from evaluation.plots.places.place import Place
    from forecast.output.layout import Selection
    from forecast.service.job_file import JobFile
    from forecast.service.job_plots import Plot

_ENOUGH = 2
"""Members of what is drawn to see whether it can be: stamps of all take long."""


def check_metrics(path: Path) -> None:
    """Raise a ConfigError if the file of metrics cannot be written where the job wants it."""
    folder = path.absolute().parent
    if not folder.is_dir():
        raise ConfigError(f"prometheus: there is no folder {folder} for {path.name}; make it, or mend the path")
    if path.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigError(f"prometheus: {path} cannot be written; give the name of a file in a folder that can")


def check_afterwards(job: JobFile, held: Selection) -> None:
    """Raise a ConfigError for the first map or score that cannot be made of ``held``, the main output's fields."""
    if job.plots or job.places:
        run = _blank(held)
        _check_places(run, job.places)
        for plot in job.plots:
            try:
                if plot.at is not None:
                    _check_at_a_place(run, plot, place_of(job, plot.at))
                else:
                    _check_plot(run, plot, [f"{member}" for member in held.members])
            except SphercastError as error:
                words = re.sub(r"--(?=[a-z])", "", f"{error}")  # options of a command are keys here
                raise ConfigError(f"the picture {plot.name} cannot be drawn: {words}") from error
    if job.scores is not None and job.scores.scores is not None:
        check_scores(job.scores.scores, len(held.members))


def check_scores(names: Sequence[str], members: int) -> None:
    """Raise a ConfigError for a name that no score has, a ScoreError for one that so few ``members`` do not have."""
    from evaluation.answerable import check_sizes
    from evaluation.metrics.registry import METRICS
    from evaluation.question import Question

    for name in names:
        if name not in METRICS:
            close = get_close_matches(name, METRICS, n=1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            raise ConfigError(f"scores: there is no score {name!r}; {hint}'sphercast score list' has them all")
    check_sizes(Question(metrics=tuple(names)), [members])


def _check_places(run: xr.Dataset, places: Mapping[str, tuple[float, float]]) -> None:
    from evaluation.plots.places import Local
    from evaluation.plots.places.place import Place

    for name, (latitude, longitude) in places.items():
        try:
            Local.of(run, Place(latitude, longitude, name))
        except SphercastError as error:
            raise ConfigError(f"the report has no meteogram of {name}: {error}") from error


def options_of(plot: Plot) -> dict[str, Any]:
    """What ``evaluation.plots.Request`` has of a map."""
    own = plot.model_dump(exclude={"name", "kind", "below", "at", "animate"})
    return {**own, "variable": plot.variable[0], "above": not plot.below}


def options_at_a_place(plot: Plot) -> dict[str, Any]:
    """What ``evaluation.plots.places.PlaceRequest`` has of a meteogram, plume or profile."""
    return {"variables": plot.variable, "level": plot.level, "lead": plot.lead, "climatology": plot.climatology}


def place_of(job: JobFile, at: str) -> Place:
    """One of the job's places by its name, or one by LATITUDE,LONGITUDE; a ConfigError if it is neither."""
    from evaluation.plots.places.place import Place, coordinates_in

    found = job.places.get(at) or coordinates_in(at)
    if found is None:
        known = ", ".join(job.places) or "none"
        raise ConfigError(f"there is no place {at!r}, expected [latitude, longitude], or one of 'places': {known}")
    return Place(*found, at if at in job.places else "")


def _check_at_a_place(run: xr.Dataset, plot: Plot, place: Place) -> None:
    from evaluation.plots.places import Local, PlaceRequest, figure_at

    options = {**options_at_a_place(plot), "climatology": None}  # which may not have come yet
    figure_at(Local.of(run, place), plot.kind, PlaceRequest(**options))


def _check_plot(run: xr.Dataset, plot: Plot, members: Sequence[str]) -> None:
    """By drawing it of a field of zeros; what it is to be drawn against may not have come yet."""
    from evaluation.plots import Request, figure_of
    from evaluation.plots.animation import check_animation

    if plot.member is not None and plot.member not in members:
        raise ConfigError(f"there is no member {plot.member}, expected one of {members[0]} to {members[-1]}; mend it")
    request = Request(**{**options_of(plot), "member": plot.member and members[0]})
    if plot.animate:
        check_animation(run, request, Path(plot.name))
    if plot.against is None and plot.climatology is None:
        figure_of(run, plot.kind, request)
        return
    request.check(plot.kind)
    request.sheet(request.of(run).grid)


def _blank(held: Selection) -> xr.Dataset:
    """A run as the evaluation reads it from the main output: all zero, missing on levels that a variable lacks."""
    places = held.space.places
    latitude, longitude = np.asarray(places["latitude"]), np.sort(np.mod(places["longitude"], 360.0))
    members, leads = held.members[:_ENOUGH], (held.times - held.initial_time) / HOUR
    fields = {}
    for name, levels in held.channels.variables.items():
        with_level = {"level": len(held.levels)} if levels else {}
        sizes = {
            "lead_time": leads.size, "realization": len(members), **with_level, "latitude": latitude.size,
            "longitude": longitude.size,
        }  # fmt: skip
        values = _zeros(held.levels, levels)[:, None, None] if levels else np.float64(0)
        fields[name] = (tuple(sizes), np.broadcast_to(values, tuple(sizes.values())))
    return xr.Dataset(
        fields,
        {
            "lead_time": (leads * HOUR).astype("timedelta64[ns]"), "realization": list(members), "level": held.levels,
            "latitude": latitude, "longitude": longitude, "initial_time": held.initial_time.astype("datetime64[ns]"),
        },
    )  # fmt: skip


def _zeros(levels: Sequence[int], held: Sequence[int]) -> NDArray[np.float64]:
    return np.where(np.isin(levels, held), 0.0, np.nan)
