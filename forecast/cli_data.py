"""The commands about data: ``sphercast data``."""

from __future__ import annotations

import logging
import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from data_pipeline.building.plan import Plan

data_app = typer.Typer(help="Check, build, verify and simulate data.", no_args_is_help=True)

Config = Annotated[str, typer.Argument(help="A YAML file, or the name of a shipped experiment.", metavar="CONFIG")]


def _hushed(quiet: bool) -> bool:
    """Requests that are made again are said on standard error too, unless nothing is to be said."""
    logging.getLogger("data_pipeline").setLevel(logging.ERROR if quiet else logging.NOTSET)
    return quiet


Quiet = Annotated[bool, typer.Option("--quiet", help="No progress bar.", callback=_hushed)]
Threads = Annotated[int | None, typer.Option(min=1, help="Slabs worked on at a time; default: one a core.")]
Scheduler = Annotated[
    str | None, typer.Option(help="Address of a dask.distributed cluster to work on, e.g. tcp://host:8786.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check a sample, print the plan, write nothing.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]

Member = Annotated[int | None, typer.Option(min=0, help="Which member of an ensemble.")]
StepHours = Annotated[int | None, typer.Option(min=0, help="Which forecast step, in GRIB that has several.")]


class Method(StrEnum):
    """Methods of regridding."""

    conservative = "conservative"
    bilinear = "bilinear"


Store = Annotated[Path, typer.Argument(help="A training store.", metavar="STORE")]


@data_app.command("build")
def data_build(
    config: Config,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    threads: Threads = None,
    scheduler: Scheduler = None,
    quiet: Quiet = False,
) -> None:
    """Read, check, regrid and store reanalysis for training. Run again to resume."""
    from data_pipeline.building.build import Crew, build
    from data_pipeline.building.plan import plan
    from forecast.config import load_data

    data = load_data(config)
    if dry_run:
        _show_plan(plan(data, threads), as_json)
    else:
        start = time.monotonic()
        store = build(data, progress=not quiet, crew=Crew(threads, scheduler))
        _show_store(store, time.monotonic() - start, as_json)


@data_app.command("append")
def data_append(
    config: Config,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    threads: Threads = None,
    scheduler: Scheduler = None,
    quiet: Quiet = False,
) -> None:
    """Lengthen a finished store to a later 'period.stop'. Run again to resume."""
    from data_pipeline.building.append import append
    from data_pipeline.building.build import Crew
    from data_pipeline.building.plan import plan_append
    from forecast.config import load_data

    data = load_data(config)
    if dry_run:
        _show_plan(plan_append(data, threads), as_json)
    else:
        start = time.monotonic()
        store = append(data, progress=not quiet, crew=Crew(threads, scheduler))
        _show_store(store, time.monotonic() - start, as_json)


def _show_plan(plan: Plan, as_json: bool) -> None:
    """All of it, also where the disk is too small for it."""
    print(plan.to_json() if as_json else plan)
    plan.require_room()


def _show_store(store: Path, seconds: float, as_json: bool) -> None:
    from data_pipeline.building.report import outcome_json

    print(outcome_json(store, seconds) if as_json else f"store: {store}")


@data_app.command("check")
def data_check(
    path: Annotated[str, typer.Argument(help="A store, file, folder, glob or URL.")],
    interval: Annotated[int | None, typer.Option(min=1, help="Hours expected between two states.")] = None,
    level: Annotated[list[int] | None, typer.Option(help="A level (hPa) that must be there; may be repeated.")] = None,
    member: Member = None,
    step_hours: StepHours = None,
    sample: Annotated[int | None, typer.Option(min=1, help="Look at so many states only, spread evenly.")] = None,
    out: Annotated[Path | None, typer.Option(help="JSON file to write the report into.")] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Look for defects in labels and values; exit code 1 if there is an error among them."""
    from data_pipeline.check import check_path, unreadable
    from data_pipeline.errors import DataError
    from data_pipeline.publish import write_text

    failure = None
    try:
        report = check_path(
            path, interval_hours=interval, levels=level, sample=sample, member=member, step_hours=step_hours,
            progress=not quiet,
        )  # fmt: skip
    except DataError as error:
        failure, report = error, unreadable(error)
    if out is not None:
        write_text(out, report.to_json() + "\n")
    if failure and not as_json:
        raise failure
    print(report.to_json() if as_json else report.table())
    raise typer.Exit(1 if report.errors else 0)


@data_app.command("verify")
def data_verify(store: Store, quiet: Quiet = False) -> None:
    """Compare every byte of a store with its checksums; exit code 1 if one differs or a file is missing."""
    from data_pipeline.errors import DataError
    from data_pipeline.integrity import verify

    problems = verify(store, progress=not quiet)
    if problems:
        print("\n".join(problems))
        raise DataError(f"{len(problems)} files of {store} are not what was written; copy or build the store again")
    print(f"{store}: every file is as it was written")


@data_app.command("stats")
def data_stats(store: Store, as_json: AsJson = False) -> None:
    """Print mean, deviation, range and tendencies of every channel."""
    from data_pipeline.store import open_store
    from data_pipeline.tables import statistics_json, statistics_table

    opened = open_store(store)
    print((statistics_json if as_json else statistics_table)(opened))


@data_app.command("regrid")
def data_regrid(
    path: Annotated[str, typer.Argument(help="A store, file or URL, or 'sample'.")],
    to: Annotated[str, typer.Option(help="equiangular:32x64, gaussian:32x64, healpix:64, points:FILE.csv, ...")],
    out: Annotated[Path, typer.Option(help="NetCDF file to write.")],
    method: Annotated[Method | None, typer.Option(help="Default: conservative, and bilinear for points.")] = None,
    min_valid_fraction: Annotated[
        float, typer.Option(min=0, max=1, help="Of a target cell that must not be missing.")
    ] = 0.5,
    valid_fraction: Annotated[bool, typer.Option("--valid-fraction", help="Write it beside every variable.")] = False,
    member: Member = None,
    step_hours: StepHours = None,
    quiet: Quiet = False,
) -> None:
    """Regrid states, or all members of an ensemble, to another grid, HEALPix or a list of points."""
    from data_pipeline.overlooked import unknown_variables
    from data_pipeline.regrid.files import regrid_file

    unknown = unknown_variables(path)
    if unknown:
        print(f"sphercast: left out, as sphercast does not know them: {', '.join(unknown)}", file=sys.stderr)
    regrid_file(
        path, out, to, method=method.value if method else None, min_valid_fraction=min_valid_fraction,
        with_valid_fraction=valid_fraction, member=member, step_hours=step_hours, progress=not quiet,
    )  # fmt: skip
    print(f"regridded: {out}")


@data_app.command("latest")
def data_latest(
    source: Annotated[str, typer.Argument(help="arco_era5, ecmwf_open_data, folder, gefs or gfs.", metavar="SOURCE")],
    times: Annotated[list[str], typer.Option("--time", help="UTC, e.g. 2026-06-01T06; may be repeated.")],
    channels: Annotated[list[str], typer.Option("--channel", help="E.g. temperature_850; may be repeated.")],
    out: Annotated[Path, typer.Option(help="NetCDF file to write.")],
    options: Annotated[
        list[str] | None,
        typer.Option("--set", help="KEY=VALUE of the source, e.g. model=aifs-single; may be repeated."),
    ] = None,
    member: Member = None,
    quiet: Quiet = False,
) -> None:
    """Fetch analyses as a job does, on their own grid; exit code 75 if one is not there yet. Run again to go on."""
    from data_pipeline.channels import Channels
    from data_pipeline.errors import TemporaryError
    from data_pipeline.realtime import Request
    from data_pipeline.realtime.by_hand import fetch_file, named_source
    from forecast.initial import parse_time

    chosen = named_source(source, options or [])
    request = Request(tuple(sorted(map(parse_time, times))), Channels.from_names(channels), member)
    try:
        fetch_file(chosen, request, out)
    except TemporaryError as error:
        print(f"sphercast: {error}", file=sys.stderr)
        raise typer.Exit(75) from error
    print(f"fetched: {out}")


@data_app.command("info")
def data_info(
    path: Annotated[str, typer.Argument(help="A store, file, folder, glob or URL, or 'sample'.")],
    member: Member = None,
    step_hours: StepHours = None,
) -> None:
    """Say what variables, levels, times and grid some data hold."""
    from data_pipeline.description import describe_path

    print(describe_path(path, member=member, step_hours=step_hours))


@data_app.command("simulate")
def data_simulate(
    years: Annotated[float, typer.Option(help="Length of the run after the spin-up.")],
    out: Annotated[Path, typer.Option(help="Zarr store to write; an unfinished one is resumed.")],
    start: Annotated[str, typer.Option(help="First date of the run.")] = "1990-01-01",
    seed: Annotated[int, typer.Option(help="Of the initial perturbation.")] = 0,
) -> None:
    """Simulate a planet with a general circulation model (needs the extra 'simulate')."""
    from data_pipeline.simulate import simulate

    simulate(out, years=years, start=start, seed=seed)
    print(f"store: {out}")


@data_app.command("sample")
def data_sample(
    store: Annotated[Path, typer.Argument(help="A training store.")],
    periods: Annotated[list[str], typer.Option("--period", help="START..STOP, both included; may be repeated.")],
    out: Annotated[str, typer.Option(help="Folder for states.nc and climatology.nc.")],
    title: Annotated[
        str, typer.Option(help="What the sample is, for its global attributes.")
    ] = "sample of a training store",
) -> None:
    """Cut weeks out of a store, packed small, with its climatology."""
    from data_pipeline.config import period_of
    from data_pipeline.errors import ConfigError
    from data_pipeline.sampling import write_sample

    if not out.strip():
        raise ConfigError("'--out' is empty, expected a folder for the sample; '.' is the current one")
    write_sample(store, [period_of(text) for text in periods], Path(out), title)
    print(f"sample: {out}")
