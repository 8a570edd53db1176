"""What ``sphercast plot`` does for each sort of picture, and which options it refuses for it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_pipeline.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

AT_A_PLACE = ("meteogram", "plume", "profile")
_OF_PLACES = {"lead", "level", "climatology", "at", "stations"}
_OF_HOVMOLLER = {"level", "region", "member"}


def refuse_others(kind: str, given: Mapping[str, Any]) -> None:
    """Raise a DataError for an option that pictures of this sort do not have; which map has which, maps say."""
    if kind in AT_A_PLACE:
        allowed = _OF_PLACES
    elif kind == "hovmoller":
        allowed = _OF_HOVMOLLER
    else:
        allowed = set(given) - {"at", "stations"}
    refused = [name for name, value in given.items() if value is not None and name not in allowed]
    if refused:
        others = f"kind {', '.join(AT_A_PLACE)}" if refused[0] in _OF_PLACES - {"lead", "climatology"} else "a map"
        raise DataError(f"kind {kind!r} has no --{refused[0]}; leave it out, or draw {others}")


def only(variables: Sequence[str] | None, kind: str) -> str:
    """The variable of a map; a DataError if it is not one."""
    if not variables or len(variables) > 1:
        got = ", ".join(variables or ()) or "none"
        raise DataError(f"kind {kind!r} is of one variable, got {got}; pass one --variable, e.g. geopotential")
    return variables[0]


def map_of(
    path: str, init: str | None, kind: str, variable: str, out: Path | None, animated: bool, options: dict[str, Any]
) -> str:
    """Draw a map, or an animation of it; what was written, in words."""
    from evaluation.plots import Request, draw
    from evaluation.plots.runs import open_at

    name = "-".join(filter(None, (variable, f"{options['level'] or ''}", kind)))
    if not animated:
        out = out or Path(f"{name}.png")
        draw(open_at(path, init), variable=variable, kind=kind, out=out, **options)
        return f"map: {out}"
    from evaluation.plots.animation import animate, best_suffix

    out = out or Path(f"{name}{best_suffix()}")
    count = animate(open_at(path, init), kind, Request(variable, **options), out)
    return f"animation of {count} maps: {out}"


def picture_of_place(
    path: str, init: str | None, kind: str, at: str | None, stations: Path | None, out: Path | None,
    options: dict[str, Any],
) -> str:  # fmt: skip
    """Draw a meteogram, plume or profile; what was written, in words."""
    from evaluation.plots.places import draw_at, open_local

    if at is None:
        raise DataError(f"a {kind} needs a place; pass --at LATITUDE,LONGITUDE, as in --at 48.2,16.4")
    out = out or Path(f"{kind}_{file_name(at)}.png")
    draw_at(open_local(path, at, stations=stations, init=init), kind=kind, out=out, **options)
    return f"{kind}: {out}"


def hovmoller(path: str, init: str | None, variable: str, out: Path | None, options: dict[str, Any]) -> str:
    """Draw a Hovmoeller diagram; what was written, in words."""
    from evaluation.plots.canvas import save
    from evaluation.plots.hovmoller import hovmoller as figure_of
    from evaluation.plots.runs import open_at

    out = out or Path("-".join(filter(None, (variable, f"{options['level'] or ''}", "hovmoller"))) + ".png")
    save(figure_of(open_at(path, init), variable, **options), out)
    return f"Hovmoeller diagram: {out}"


def file_name(at: str) -> str:
    """A place as a part of a file's name.

    >>> file_name("48.2, 16.4"), file_name("Bad Ischl/Nord")
    ('48.2_16.4', 'Bad_Ischl_Nord')
    """
    return re.sub(r"[^\w.-]+", "_", at).strip("_") or "place"
