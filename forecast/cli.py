"""The command line: the only module that may import all three packages. Heavy imports wait for their command."""

from __future__ import annotations

import sys
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer

from data_pipeline.errors import SphercastError
from forecast import cli_score_list, cli_scorecard  # noqa: F401, commands of 'score' register themselves
from forecast.cli_config import config_app
from forecast.cli_data import Config, Quiet, data_app
from forecast.cli_score import score_app
from forecast.cli_tracks import tracks_app
from forecast.stopping import INTERRUPTED, STOPPED, Stopping

app = typer.Typer(
    name="sphercast",
    help="Probabilistic weather forecasts on the sphere: reanalysis in, scored ensembles and maps out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(data_app, name="data")
app.add_typer(config_app, name="config")
app.add_typer(score_app, name="score")
app.add_typer(tracks_app, name="tracks")
app.command("scorecard")(cli_scorecard.scorecard)


class Kind(StrEnum):
    """Kinds of map, as in ``evaluation.plots.KINDS``, which would take a second to import here."""

    mean = "mean"
    spread = "spread"
    mean_spread = "mean_spread"
    stamps = "stamps"
    probability = "probability"


DEMO_MAPS: dict[str, dict[str, Any]] = {
    "z500-mean-spread-day5.png": {"variable": "geopotential", "level": 500, "lead": 120, "kind": Kind.mean_spread},
    "t850-mean-day5.png": {"variable": "temperature", "level": 850, "lead": 120, "kind": Kind.mean},
    "msl-stamps-day7.png": {"variable": "mean_sea_level_pressure", "lead": 168, "kind": Kind.stamps},
    "wind850-probability-day5.png": {
        "variable": "wind_speed", "level": 850, "lead": 120, "kind": Kind.probability, "threshold": 15,
    },
}  # fmt: skip
"""Leads are in hours, the threshold in m/s; the maps that ``sphercast demo`` draws."""

DEMO_TABLE = (
    "geopotential", "temperature", "u_component_of_wind", "2m_temperature", "mean_sea_level_pressure",
)  # fmt: skip

MOST_MEMBERS = 10_000
MOST_DAYS = 36_500
"""A slip of the finger beyond them would fill memory and disk."""


@app.callback(invoke_without_command=True)
def _root(show_version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False) -> None:
    if show_version:
        print(f"sphercast {version('sphercast')}")
        raise typer.Exit


@app.command()
def train(config: Config, quiet: Quiet = False) -> None:
    """Train a forecaster on its store. Run again to resume."""
    from forecast.config import load_experiment
    from forecast.training.loop import train as run_training

    print(f"checkpoint: {run_training(load_experiment(config), progress=not quiet)}")


@app.command()
def forecast(
    checkpoint: Annotated[
        str, typer.Argument(help="A checkpoint file, or the name of a shipped one: planet.", metavar="CHECKPOINT")
    ],
    out: Annotated[Path, typer.Option(help="NetCDF file to write.")],
    init: Annotated[
        str | None, typer.Option(help="Initial time (UTC), e.g. 2001-01-05T00; default: the first possible.")
    ] = None,
    members: Annotated[int, typer.Option(min=1, max=MOST_MEMBERS, help="Ensemble size.")] = 10,
    days: Annotated[float, typer.Option(min=0.1, max=MOST_DAYS, help="Length of the forecast.")] = 10,
    data: Annotated[str, typer.Option(help="States to start from: store or file; 'sample' is shipped.")] = "sample",
    seed: Annotated[int, typer.Option(min=0, help="Seed of the members' noise.")] = 0,
    batch: Annotated[int, typer.Option(min=1, help="Members computed together; does not change them.")] = 10,
    quiet: Quiet = False,
) -> None:
    """Draw an ensemble forecast and write it as CF NetCDF."""
    from data_pipeline.reading import open_states
    from forecast import checkpoint as checkpoints
    from forecast.initial import first_time, initial_state, parse_time
    from forecast.job import Job, run, steps_for

    path = checkpoints.find_checkpoint(checkpoint)
    forecaster = checkpoints.load_checkpoint(path)
    states = open_states(data)
    steps = steps_for(forecaster, days)
    initial = initial_state(
        forecaster, states, parse_time(init) if init is not None else first_time(forecaster, states)
    )
    origin = {f"checkpoint_{key}": value for key, value in checkpoints.provenance(path).items()}
    attributes = {"source": f"sphercast checkpoint {path.name}", "initial_data": data, "seed": str(seed), **origin}
    run(Job(initial, members, steps, seed, batch), forecaster, out, attributes, progress=not quiet)
    print(f"forecast: {out}")


@app.command()
def plot(
    path: Annotated[Path, typer.Argument(help="A forecast file.", metavar="FORECAST")],
    variable: Annotated[str, typer.Option(help="E.g. geopotential, temperature, wind_speed, mean_sea_level_pressure.")],
    out: Annotated[Path, typer.Option(help="PNG file to write.")],
    kind: Annotated[Kind, typer.Option(help="What to draw.")] = Kind.mean,
    level: Annotated[int | None, typer.Option(help="Pressure level in hPa.")] = None,
    lead: Annotated[float | None, typer.Option(help="Lead time in hours; default: the last.")] = None,
    threshold: Annotated[float | None, typer.Option(help="For probabilities, in the units of the map.")] = None,
    below: Annotated[bool, typer.Option("--below", help="Probability of falling below the threshold.")] = False,
    projection: Annotated[
        str, typer.Option(help="robinson, plate_carree, north_pole, south_pole, europe.")
    ] = "robinson",
) -> None:
    """Draw a map of a forecast."""
    from evaluation.plots import draw
    from evaluation.readers import open_run

    draw(
        open_run(path), variable=variable, kind=kind.value, level=level, lead=lead, threshold=threshold,
        above=not below, projection=projection, out=out,
    )  # fmt: skip
    print(f"map: {out}")


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder to write into.")] = Path("demo"),
    init: Annotated[str | None, typer.Option(help="Initial time; default: the sample's first.")] = None,
    members: Annotated[int, typer.Option(min=2, help="Ensemble size.")] = 10,
    days: Annotated[float, typer.Option(min=7, help="Length of the forecast; the maps go to day 7.")] = 10,
) -> None:
    """Forecast, map and score the shipped held-out weeks with the shipped checkpoint."""
    from evaluation.question import Question
    from evaluation.table import crps_table
    from forecast.cli_score import run as run_score

    file = out / "forecast.nc"
    print(f"$ sphercast forecast planet --members {members} --days {days:g} --out {file}")
    forecast("planet", file, init=init, members=members, days=days)
    for name, options in DEMO_MAPS.items():
        words = " ".join(f"--{key} {value}" for key, value in options.items())
        print(f"$ sphercast plot {file} {words} --out {out / name}")
        plot(file, out=out / name, **options)
    print(f"$ sphercast score {file} sample --out {out / 'scores.nc'}")
    answer = run_score([str(file), "sample"], out / "scores.nc", Question())
    print(crps_table(answer.scores, DEMO_TABLE, levels=(500, 850)))
    print(f"all of it is in {out}; all variables and scores are in {out / 'scores.nc'}")


def main() -> None:
    """Run the command line; what a user can mend is one sentence on standard error and exit code 1."""
    stopping = Stopping()
    stopping.listen()
    try:
        app(prog_name="sphercast")
    except SystemExit as end:
        if end.code == INTERRUPTED:
            print(STOPPED, file=sys.stderr)
            raise SystemExit(stopping.code) from None
        raise
    except SphercastError as error:
        sys.exit(f"sphercast: {error}")
    except OSError as error:
        sys.exit(
            f"sphercast: {error.strerror or error}: {error.filename or 'no file named'}; free space or mend the path"
        )
