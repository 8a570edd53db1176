"""Maps of ensemble forecasts as a forecaster expects them: ``draw``, ``figure_of`` and the registry ``KINDS``.

``request`` is what can be asked, ``fields`` picks one variable at one level and one lead, ``style`` knows its display
units and colours, ``projections`` and ``boxes`` give the map, ``mesh`` brings fields on to it, ``canvas`` is the sheet,
``kinds`` are what is drawn there. Coastlines are shipped: nothing here ever opens a connection.
Thresholds, contour intervals and colour bars are in display units: dam, hPa, degrees Celsius, m/s, g/kg, mm.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evaluation.plots.kinds import KINDS
    from evaluation.plots.maps import draw, figure_of
    from evaluation.plots.projections import PROJECTIONS
    from evaluation.plots.request import Request

__all__ = ["KINDS", "PROJECTIONS", "Request", "draw", "figure_of"]

_WHERE = {"KINDS": "kinds", "PROJECTIONS": "projections", "Request": "request", "draw": "maps", "figure_of": "maps"}


def __getattr__(name: str) -> object:
    """Imported when it is asked for: the viewer needs ``fields`` and ``style``, and no map of matplotlib's."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
