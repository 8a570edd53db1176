"""Pictures of a forecast at one place: meteograms, plumes and profiles; ``draw_at``, ``figure_at``, ``PLACE_KINDS``.

``place`` is where, ``neighbours`` the grid's points about it, ``local`` a forecast there, ``members`` one variable of
it along leads or levels, ``usual`` what the climate is there, ``choice`` what is drawn by default, ``axes`` and
``marks`` what pictures are made of. Only the chunks of the neighbouring points are read.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evaluation.plots.places.drawing import PLACE_KINDS, draw_at, figure_at
    from evaluation.plots.places.local import Local, open_local
    from evaluation.plots.places.request import PlaceRequest

__all__ = ["PLACE_KINDS", "Local", "PlaceRequest", "draw_at", "figure_at", "open_local"]

_WHERE = {
    "PLACE_KINDS": "drawing", "draw_at": "drawing", "figure_at": "drawing", "Local": "local", "open_local": "local",
    "PlaceRequest": "request",
}  # fmt: skip


def __getattr__(name: str) -> object:
    """Imported when it is asked for, as by ``evaluation.plots``."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
