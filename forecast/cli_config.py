"""The commands about experiments: ``sphercast config``."""

from __future__ import annotations

from typing import Annotated

import typer

config_app = typer.Typer(help="The experiments that come with sphercast.", no_args_is_help=True)


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
