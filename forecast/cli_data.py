"""The commands about data and experiments: ``sphercast data`` and ``sphercast config``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

data_app = typer.Typer(help="Build, inspect and simulate data.", no_args_is_help=True)
config_app = typer.Typer(help="The experiments that come with sphercast.", no_args_is_help=True)

Config = Annotated[str, typer.Argument(help="A YAML file, or the name of a shipped experiment.", metavar="CONFIG")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress bar.")]


@data_app.command("build")
def data_build(config: Config, quiet: Quiet = False) -> None:
    """Read, check, regrid and store reanalysis for training. Run again to resume."""
    from data_pipeline.build import build
    from forecast.config import load_experiment

    print(f"store: {build(load_experiment(config).data, progress=not quiet)}")


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


@config_app.command("list")
def config_list() -> None:
    """List the shipped experiments."""
    from forecast.config import shipped_configs

    for name, text in shipped_configs().items():
        print(f"{name:24s} {text.splitlines()[0].removeprefix('# ')}")


@config_app.command("show")
def config_show(
    name: Annotated[str, typer.Argument(help="As 'sphercast config list' gives it.", metavar="NAME")],
) -> None:
    """Print a shipped experiment, to copy and change."""
    from data_pipeline.errors import ConfigError
    from forecast.config import shipped_configs

    shipped = shipped_configs()
    if name not in shipped:
        raise ConfigError(f"no shipped config {name!r}; expected one of: {', '.join(shipped)}")
    print(shipped[name], end="")
