"""The command line: the only module that may import all three packages. Heavy imports wait for their command."""

from __future__ import annotations

import errno
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer

from data_pipeline.errors import SphercastError
from forecast import cli_score_joint, cli_score_list, cli_scorecard  # noqa: F401, commands of 'score' register themselves
from forecast.cli_config import config_app
from forecast.cli_data import data_app
from forecast.cli_forecast import forecast
from forecast.cli_jobs import run, schedule
from forecast.cli_jobs_manage import jobs_app
from forecast.cli_plot import Kind, plot
from forecast.cli_products import products
from forecast.cli_score import score_app
from forecast.cli_tracks import tracks_app
from forecast.cli_train import train
from forecast.cli_view import view
from forecast.stopping import INTERRUPTED, SaidExit, Stopping

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
app.command("train")(train)
app.command("forecast")(forecast)
app.command("products")(products)
app.command("plot")(plot)
app.command("view")(view)
app.add_typer(jobs_app, name="jobs")
app.command("run")(run)
app.command("schedule")(schedule)

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


@app.callback(invoke_without_command=True)
def _root(show_version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False) -> None:
    if show_version:
        print(f"sphercast {version('sphercast')}")
        raise typer.Exit


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
    forecast("planet", [file], init=init, members=members, days=days)
    for name, options in DEMO_MAPS.items():
        words = " ".join(f"--{key} {value}" for key, value in options.items())
        print(f"$ sphercast plot {file} {words} --out {out / name}")
        plot(str(file), out=out / name, **{**options, "variable": [options["variable"]]})
    print(f"$ sphercast score {file} sample --out {out / 'scores.nc'}")
    answer = run_score([str(file), "sample"], out / "scores.nc", Question())
    print(crps_table(answer.scores, DEMO_TABLE, levels=(500, 850)))
    print(f"all of it is in {out}; all variables and scores are in {out / 'scores.nc'}")


_NOT_SPACE = "mend the path, or if it is right report this, with the command"


def main() -> None:
    """Run the command line; what a user can mend is one sentence on standard error and exit code 1."""
    stopping = Stopping()
    stopping.listen()
    try:
        app(prog_name="sphercast")
    except KeyboardInterrupt:  # before typer listens
        stopping.say()
        raise SystemExit(stopping.code) from None
    except SystemExit as end:
        if end.code == INTERRUPTED and not isinstance(end, SaidExit):
            stopping.say()
            raise SystemExit(stopping.code) from None
        raise
    except SphercastError as error:
        sys.exit(f"sphercast: {error}")
    except OSError as error:
        mend = _NOT_SPACE if error.errno == errno.EINVAL else "free space or mend the path"
        sys.exit(f"sphercast: {error.strerror or error}: {error.filename or 'no file named'}; {mend}")
