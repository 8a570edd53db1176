"""``sphercast plot``: a map of a forecast, or a picture of it at one place."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from data_pipeline.errors import DataError


class Kind(StrEnum):
    """As in ``evaluation.plots.KINDS`` and ``evaluation.plots.places.PLACE_KINDS``, which take a second to import.

    And one that is a map of time.
    """

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
    meteogram = "meteogram"
    plume = "plume"
    profile = "profile"
    hovmoller = "hovmoller"


class Arrows(StrEnum):
    """How wind is drawn, as in ``evaluation.plots.vectors.DRAWN``."""

    barbs = "barbs"
    streamlines = "streamlines"
    quiver = "quiver"


def plot(
    path: Annotated[
        str, typer.Argument(help="A forecast: a file, Zarr store, folder or URL, ours or others'.", metavar="FORECAST")
    ],
    variable: Annotated[
        Optional[list[str]],
        typer.Option(
            help="E.g. geopotential, temperature, wind_speed, mean_sea_level_pressure. At a place it may be repeated, "
            "may say its level, as geopotential_500, and has a default."
        ),
    ] = None,
    kind: Annotated[Kind, typer.Option(help="What to draw.")] = Kind.mean,
    out: Annotated[Optional[Path], typer.Option(help="PNG file to write; default: named after what it shows.")] = None,
    level: Annotated[Optional[int], typer.Option(help="Pressure level in hPa; default: 500.")] = None,
    lead: Annotated[Optional[float], typer.Option(help="Lead time in hours; default: the last.")] = None,
    init: Annotated[Optional[str], typer.Option(help="Initial time (UTC) of several; default: the newest.")] = None,
    at: Annotated[
        Optional[str],
        typer.Option(help="Of kinds meteogram, plume and profile: LATITUDE,LONGITUDE or the name of a station."),
    ] = None,
    stations: Annotated[
        Optional[Path], typer.Option(help="CSV file with columns name,latitude,longitude[,altitude], for --at NAME.")
    ] = None,
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
        Optional[str],
        typer.Option(help="Of efi and probability: one with quantiles, e.g. STORE/day_of_year. At a place: any."),
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
    animate: Annotated[
        bool, typer.Option("--animate", help="A map through all lead times: MP4 where ffmpeg is there, else GIF.")
    ] = False,
) -> None:
    """Draw a map of a forecast, or its meteogram, plume or profile at a place, or its Hovmoeller diagram."""
    from forecast import cli_plot_kinds as kinds

    given: dict[str, Any] = {
        "lead": lead, "level": level, "threshold": threshold, "quantile": quantile, "contours": contours,
        "against": against, "climatology": climatology, "region": region, "projection": projection, "member": member,
        "style": style, "below": below or None, "at": at, "stations": stations, "animate": animate or None,
    }  # fmt: skip
    kinds.refuse_others(kind.value, given)
    options: dict[str, Any]
    if kind.value in kinds.AT_A_PLACE:
        options = {"variables": variable or [], "level": level, "lead": lead, "climatology": climatology}
        written = kinds.picture_of_place(path, init, kind.value, at, stations, out, options)
    elif kind is Kind.hovmoller:
        options = {"level": level, "region": region, "member": member}
        written = kinds.hovmoller(path, init, kinds.only(variable, kind.value), out, options)
    else:
        options = {
            "level": level, "lead": lead, "threshold": threshold, "above": not below, "projection": projection,
            "region": region, "member": member, "quantile": quantile, "against": against, "climatology": climatology,
            "contours": None if contours is None else _numbers(contours),
            "style": None if style is None else style.value,
        }  # fmt: skip
        written = kinds.map_of(path, init, kind.value, kinds.only(variable, kind.value), out, animate, options)
    print(written)


def _numbers(text: str) -> tuple[float, ...]:
    """Numbers joined by commas.

    >>> _numbers("546, 564")
    (546.0, 564.0)
    """
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise DataError(f"got --contours {text}, expected numbers joined by commas, e.g. 546,564") from None
