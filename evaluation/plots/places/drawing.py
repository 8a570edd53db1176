"""``draw_at``, which makes a picture of one place into a PNG."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_pipeline.errors import DataError
from evaluation.plots.canvas import save
from evaluation.plots.places.meteogram import meteogram
from evaluation.plots.places.plume import plume
from evaluation.plots.places.profile import profile
from evaluation.plots.places.request import PlaceRequest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

    from matplotlib.figure import Figure

    from evaluation.plots.places.local import Local

PLACE_KINDS: dict[str, Callable[[Local, PlaceRequest], Figure]] = {
    "meteogram": meteogram,
    "plume": plume,
    "profile": profile,
}


def draw_at(local: Local, *, kind: str, out: Path, **options: Any) -> None:
    """Draw a forecast at one place into the PNG file ``out``, written whole or not at all.

    Parameters
    ----------
    local
        As ``open_local`` gives it.
    kind
        A key of ``PLACE_KINDS``.
    out
        A name that ends in ``.png``; missing folders are made.
    options
        The fields of ``PlaceRequest``.

    Raises
    ------
    DataError
        If the forecast lacks what is asked for; the message lists what there is.
    """
    save(figure_at(local, kind, PlaceRequest(**options)), out)


def figure_at(local: Local, kind: str, request: PlaceRequest) -> Figure:
    """The picture as a figure of matplotlib; errors as of ``draw_at``."""
    if kind not in PLACE_KINDS:
        raise DataError(f"unknown kind of picture {kind!r} of a place; expected one of: {', '.join(PLACE_KINDS)}")
    if kind != "profile" and request.lead is not None:
        raise DataError(f"a {kind} shows all lead times, got lead {request.lead:g} h; leave it out, or draw a profile")
    if kind == "profile" and request.level is not None:
        raise DataError(f"a profile shows all levels, got level {request.level}; leave it out, or draw a meteogram")
    return PLACE_KINDS[kind](local, request)
