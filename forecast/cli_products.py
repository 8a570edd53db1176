"""The command ``products``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from forecast.cli_data import Quiet


def products(
    forecast: Annotated[Path, typer.Argument(help="A forecast of sphercast: .nc or .zarr.", metavar="FORECAST")],
    out: Annotated[Path, typer.Option(help="NetCDF file to write.")],
    variables: Annotated[
        str | None, typer.Option(help="Names joined by commas, wind_speed among them; default: all of the forecast.")
    ] = None,
    quantiles: Annotated[str, typer.Option(help="Levels joined by commas, '' for none.")] = "0.1,0.25,0.5,0.75,0.9",
    threshold: Annotated[
        list[str] | None, typer.Option(help="An event, e.g. '2m_temperature>303.15' (SI units); repeat it for more.")
    ] = None,
    windows: Annotated[
        str, typer.Option(help="Lead times in hours, e.g. 0-24,24-48: each member's maximum and minimum in them.")
    ] = "",
    without_control: Annotated[
        bool, typer.Option("--without-control", help="Leave the unperturbed member out.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Mean, spread, quantiles, probabilities and extremes over windows of an ensemble, as CF NetCDF."""
    from data_pipeline.errors import ConfigError
    from forecast.products import ProductsConfig, make_products
    from forecast.validation import validated

    if out.suffix != ".nc":
        raise ConfigError(f"got --out {out}, expected a name that ends in .nc, as products are NetCDF; rename it")
    values = {
        "variables": None if variables is None else split(variables),
        "quantiles": split(quantiles),
        "thresholds": threshold or [],
        "windows": split(windows),
        "control": "out" if without_control else "in",
    }
    make_products(forecast, validated(ProductsConfig, values, "products"), out, progress=not quiet)
    print(f"products: {out}")


def split(text: str) -> list[str]:
    """What commas separate, without blanks.

    >>> split("0-24, 24-48"), split("")
    (['0-24', '24-48'], [])
    """
    return [part.strip() for part in text.split(",") if part.strip()]
