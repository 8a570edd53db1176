"""``sphercast plot``: a map of a forecast."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Optional

import typer

from data_pipeline.errors import DataError


class Kind(StrEnum):
    """Kinds of map, as in ``evaluation.plots.KINDS``, which would take a second to import here."""

    mean = "mean"
    spread = "spread"
    mean_spread = "mean_spread"
    member = "member"
    stamps = "stamps"
    spaghetti = "spaghetti"
    probability = "probability"
    quantile = "quantile"
    efi = "efi"
    difference = "difference"
    wind = "wind"
    chart = "chart"


class Arrows(StrEnum):
    """How wind is drawn, as in ``evaluation.plots.vectors.DRAWN``."""

    barbs = "barbs"
    streamlines = "streamlines"
    quiver = "quiver"


def plot(
    path: Annotated[
        str, typer.Argument(help="A forecast: a file, Zarr store, folder or URL, ours or others'.", metavar="FORECAST")
    ],
    variable: Annotated[str, typer.Option(help="E.g. geopotential, temperature, wind_speed, mean_sea_level_pressure.")],
    kind: Annotated[Kind, typer.Option(help="What to draw.")] = Kind.mean,
    out: Annotated[
        Optional[Path], typer.Option(help="PNG file to write; default: named after the variable and the kind.")
    ] = None,
    level: Annotated[Optional[int], typer.Option(help="Pressure level in hPa; default: 500.")] = None,
    lead: Annotated[Optional[float], typer.Option(help="Lead time in hours; default: the last.")] = None,
    init: Annotated[Optional[str], typer.Option(help="Initial time (UTC) of several; default: the newest.")] = None,
    member: Annotated[Optional[str], typer.Option(help="Of kinds member, wind and chart: one member.")] = None,
    threshold: Annotated[Optional[float], typer.Option(help="Of a probability, in the units of the map.")] = None,
    below: Annotated[bool, typer.Option("--below", help="Probability of falling below the threshold.")] = False,
    quantile: Annotated[
        Optional[float], typer.Option(help="0 to 1: of the ensemble, or of the climate with --climatology.")
    ] = None,
    contours: Annotated[
        Optional[str], typer.Option(help="Of spaghetti, joined by commas, in the units of the map.")
    ] = None,
    against: Annotated[
        Optional[str], typer.Option(help="Of a difference: another forecast, or the analysis, to subtract.")
    ] = None,
    climatology: Annotated[
        Optional[str], typer.Option(help="Of efi and probability: one with quantiles, e.g. STORE/day_of_year.")
    ] = None,
    region: Annotated[
        Optional[str], typer.Option(help="E.g. europe, north-atlantic, or box:SOUTH,NORTH,WEST,EAST.")
    ] = None,
    projection: Annotated[
        Optional[str],
        typer.Option(
            help="robinson, plate_carree, north_pole, south_pole (stereographic), lambert or orthographic; default: "
            "what suits the region."
        ),
    ] = None,
    style: Annotated[Optional[Arrows], typer.Option(help="Of wind; default: barbs.")] = None,
) -> None:
    """Draw a map of a forecast."""
    from evaluation.plots import draw
    from evaluation.plots.runs import open_at

    out = out or Path("-".join(filter(None, (variable, f"{level or ''}", kind.value))) + ".png")
    draw(
        open_at(path, init), variable=variable, kind=kind.value, level=level, lead=lead, threshold=threshold,
        above=not below, projection=projection, region=region, member=member, quantile=quantile,
        contours=None if contours is None else _numbers(contours), against=against, climatology=climatology,
        style=None if style is None else style.value, out=out,
    )  # fmt: skip
    print(f"map: {out}")


def _numbers(text: str) -> tuple[float, ...]:
    """Numbers joined by commas.

    >>> _numbers("546, 564")
    (546.0, 564.0)
    """
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise DataError(f"got --contours {text}, expected numbers joined by commas, e.g. 546,564") from None
