"""The commands about cyclones: ``sphercast tracks``."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from forecast.cli_data import StepHours
from forecast.cli_score_words import refuse_inputs, warn_of_missing

if TYPE_CHECKING:
    import xarray as xr

    from evaluation.tracks import TrackSettings
    from evaluation.tracks.track import Track

tracks_app = typer.Typer(help="Find, draw and score tracks of cyclones.", no_args_is_help=True)


class Kind(StrEnum):
    """What counts as a cyclone."""

    tropical = "tropical"
    extratropical = "extratropical"


KindOption = Annotated[Kind, typer.Option(help="What counts as a cyclone; docs/scores/tracks.md has the criteria.")]
Ground = Annotated[
    str | None,
    typer.Option("--ground", help="States with geopotential_at_surface, if the data themselves have none."),
]
Lenient = Annotated[
    bool, typer.Option("--allow-missing", help="Leave out criteria whose fields are not there, and say which.")
]
Partial = Annotated[
    bool,
    typer.Option(
        "--allow-missing",
        help="Leave out criteria whose fields are not there, and runs that are damaged or not covered; list them.",
    ),
]


@tracks_app.command("find")
def tracks_find(
    path: Annotated[str, typer.Argument(help="A forecast file, or states (store, file, URL or 'sample').")],
    out: Annotated[Path, typer.Option(help="CSV file to write; GeoJSON if it ends in .geojson or .json.")],
    kind: KindOption = Kind.extratropical,
    ground: Ground = None,
    step_hours: StepHours = None,
    allow_missing: Lenient = False,
    draw: Annotated[Path | None, typer.Option(help="PNG map to draw as well.")] = None,
) -> None:
    """Find cyclones in a forecast, member by member, or in states."""
    from evaluation.tracks import find_tracks
    from evaluation.tracks.files import write_tracks
    from evaluation.tracks.plot import draw_tracks

    for made in (out, draw):
        if made is not None:
            refuse_inputs(made, [path, ground or path])
    data, heights = _open(path, step_hours), _ground(ground)
    tracks = find_tracks(data, _settings(kind, data, heights, lenient=allow_missing), heights)
    write_tracks(tracks, out)
    print(f"{len(tracks)} tracks: {out}")
    if draw is not None:
        draw_tracks(tracks, draw, title=f"{kind.value.capitalize()} cyclones in {Path(path).name}")
        print(f"map: {draw}")


@tracks_app.command("score")
def tracks_score(
    paths: Annotated[
        list[str],
        typer.Argument(
            help="Forecast files, in which tracks are found, then the truth: states (store, file or 'sample'), tracks "
            "of 'tracks find' or an IBTrACS file (.csv).",
            metavar="FORECAST... TRUTH",
        ),
    ],
    out: Annotated[Path, typer.Option(help="NetCDF file of scores to write.")] = Path("track-scores.nc"),
    kind: KindOption = Kind.extratropical,
    ground: Ground = None,
    step_hours: StepHours = None,
    allow_missing: Partial = False,
) -> None:
    """Score tracks: position and intensity errors, hits and misses, track probability and its value."""
    from data_pipeline.errors import ScoreError
    from data_pipeline.publish import write_netcdf
    from evaluation.readers import files_of, open_forecasts
    from evaluation.tracks.score import score_runs

    *forecasts, truth = paths
    if not forecasts:
        raise ScoreError(f"got one path, {truth}; expected forecasts and then the truth, e.g. forecast.nc sample")
    if tables := [path for path in forecasts if path.endswith((".csv", ".json", ".geojson"))]:
        raise ScoreError(
            f"got the tracks {tables[0]} as a forecast, expected forecasts, in which tracks are found, then the truth, "
            "which may be tracks; e.g. sphercast tracks score forecast.nc best-tracks.csv"
        )
    refuse_inputs(out, [*(file for path in forecasts for file in files_of(path)), truth, ground or truth])
    known, heights = _truth(truth, step_hours), _ground(ground)
    runs, lacking = open_forecasts(forecasts, allow_missing=allow_missing)
    settings = _settings(kind, runs[0], heights, lenient=allow_missing)
    scores = score_runs(runs, known, settings, heights, allow_missing=allow_missing, lacking=lacking)
    write_netcdf(scores, out)
    warn_of_missing(scores.attrs["missing"])
    left_out, asked = scores.attrs["runs_left_out"].split(" of ")
    partial = f" (partial: {left_out} of {asked} runs left out; attribute 'missing')" if left_out != "0" else ""
    print(f"scores: {out}{partial}")


def _open(path: str, step_hours: int | None) -> xr.Dataset:
    """A run of a forecast, or else states, as they are where a step is chosen."""
    from data_pipeline.errors import DataError
    from data_pipeline.reading import open_states
    from evaluation.readers import open_run

    if path == "sample" or not Path(path).exists() or step_hours is not None:
        return open_states(path, step_hours=step_hours)
    try:
        return open_run(Path(path))
    except DataError as no_run:
        try:
            return open_states(path)
        except DataError as error:
            raise DataError(f"{path} is neither a run of a forecast ({no_run}) nor states ({error})") from error


def _truth(path: str, step_hours: int | None) -> xr.Dataset | list[Track]:
    from data_pipeline.errors import ScoreError
    from data_pipeline.reading import open_states
    from evaluation.tracks.best_tracks import read_best_tracks
    from evaluation.tracks.files import COLUMNS, read_tracks

    if not path.endswith(".csv"):
        return open_states(path, step_hours=step_hours)
    try:
        with Path(path).open(encoding="utf-8") as file:
            ours = file.readline().startswith(",".join(COLUMNS[:2]))
    except (OSError, UnicodeDecodeError) as error:
        raise ScoreError(
            f"{path} cannot be read ({error}); expected tracks of 'tracks find' or IBTrACS as CSV"
        ) from error
    return list(read_tracks(Path(path)) if ours else read_best_tracks(Path(path)))


def _ground(path: str | None) -> xr.DataArray | None:
    from data_pipeline.errors import ScoreError
    from data_pipeline.reading import open_states

    if path is None:
        return None
    states = open_states(path)
    if "geopotential_at_surface" not in states:
        raise ScoreError(f"{path} lacks geopotential_at_surface; give data that have it, or leave --ground out")
    return states["geopotential_at_surface"]


def _settings(kind: Kind, data: xr.Dataset, ground: xr.DataArray | None, *, lenient: bool) -> TrackSettings:
    from data_pipeline.errors import ScoreError
    from evaluation.tracks import TrackSettings

    whole = TrackSettings() if kind is Kind.tropical else TrackSettings.extratropical()
    settings, dropped = whole.without_missing(data, ground)
    if dropped and not lenient:
        raise ScoreError(
            f"the data lack fields for the criteria {', '.join(dropped)}; pass "
            f"{'--ground STATES for the height of the ground, or ' if 'maximum_height' in dropped else ''}"
            "--allow-missing to leave them out"
        )
    if dropped:
        print(f"sphercast: warning: without the criteria {', '.join(dropped)}", file=sys.stderr)
    return settings
