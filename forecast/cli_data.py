"""The commands about data: ``sphercast data``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

data_app = typer.Typer(help="Check, build, verify and simulate data.", no_args_is_help=True)

Config = Annotated[str, typer.Argument(help="A YAML file, or the name of a shipped experiment.", metavar="CONFIG")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress bar.")]
Threads = Annotated[int | None, typer.Option(min=1, help="Slabs worked on at a time; default: one a core.")]
Scheduler = Annotated[
    str | None, typer.Option(help="Address of a dask.distributed cluster to work on, e.g. tcp://host:8786.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


class Method(StrEnum):
    """Methods of regridding."""

    conservative = "conservative"
    bilinear = "bilinear"


Store = Annotated[Path, typer.Argument(help="A training store.", metavar="STORE")]


@data_app.command("build")
def data_build(
    config: Config,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check a sample, print the plan, write nothing.")] = False,
    as_json: AsJson = False,
    threads: Threads = None,
    scheduler: Scheduler = None,
    quiet: Quiet = False,
) -> None:
    """Read, check, regrid and store reanalysis for training. Run again to resume."""
    from data_pipeline.building.build import Crew, build
    from forecast.config import load_data

    if dry_run:
        from data_pipeline.building.plan import plan

        planned = plan(load_data(config), threads)
        print(planned.to_json() if as_json else planned)
    else:
        print(f"store: {build(load_data(config), progress=not quiet, crew=Crew(threads, scheduler))}")


@data_app.command("append")
def data_append(config: Config, threads: Threads = None, scheduler: Scheduler = None, quiet: Quiet = False) -> None:
    """Lengthen a finished store to a later 'period.stop'. Run again to resume."""
    from data_pipeline.building.append import append
    from data_pipeline.building.build import Crew
    from forecast.config import load_data

    print(f"store: {append(load_data(config), progress=not quiet, crew=Crew(threads, scheduler))}")


@data_app.command("check")
def data_check(
    path: Annotated[str, typer.Argument(help="A store, file, folder, glob or URL.")],
    interval: Annotated[int | None, typer.Option(min=1, help="Hours expected between two states.")] = None,
    level: Annotated[list[int] | None, typer.Option(help="A level (hPa) that must be there; may be repeated.")] = None,
    member: Annotated[int | None, typer.Option(help="Which member, in GRIB of an ensemble.")] = None,
    step_hours: Annotated[int | None, typer.Option(help="Which forecast step, in GRIB that has several.")] = None,
    sample: Annotated[int | None, typer.Option(min=1, help="Look at so many states only, spread evenly.")] = None,
    out: Annotated[Path | None, typer.Option(help="JSON file to write the report into.")] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Look for defects in labels and values; exit code 1 if there is an error among them."""
    from data_pipeline.check import check_path
    from data_pipeline.publish import write_text

    report = check_path(
        path, interval_hours=interval, levels=level, sample=sample, member=member, step_hours=step_hours,
        progress=not quiet,
    )  # fmt: skip
    if out is not None:
        write_text(out, report.to_json() + "\n")
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
) -> None:
    """Regrid states to another grid, HEALPix or a list of points."""
    from data_pipeline.regrid.files import regrid_file

    regrid_file(
        path, out, to, method=method.value if method else None, min_valid_fraction=min_valid_fraction,
        with_valid_fraction=valid_fraction,
    )  # fmt: skip
    print(f"regridded: {out}")


@data_app.command("info")
def data_info(path: Annotated[str, typer.Argument(help="A store, file, or 'sample'.")]) -> None:
    """Say what variables, levels, times and grid some data hold."""
    from data_pipeline.reading import describe, open_states

    print(describe(open_states(path)))


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
    out: Annotated[Path, typer.Option(help="Folder for states.nc and climatology.nc.")],
    title: Annotated[
        str, typer.Option(help="What the sample is, for its global attributes.")
    ] = "sample of a training store",
) -> None:
    """Cut weeks out of a store, packed small, with its climatology."""
    from data_pipeline.config import period_of
    from data_pipeline.sampling import write_sample

    write_sample(store, [period_of(text) for text in periods], out, title)
    print(f"sample: {out}")
