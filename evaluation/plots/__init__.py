"""Maps of ensemble forecasts as a forecaster expects them: ``draw`` and the registry ``KINDS``.

``fields`` picks one variable at one level and one lead, ``style`` knows its display units and colours, ``mesh`` and
``views`` bring it on to a map, ``coastlines`` are shipped (nothing here ever opens a connection), ``maps`` holds the
kinds.
Thresholds, contour intervals and colour bars are in display units: dam, hPa, degrees Celsius, m/s, g/kg, mm.
"""

from evaluation.plots.maps import KINDS, draw
from evaluation.plots.views import VIEWS

__all__ = ["KINDS", "VIEWS", "draw"]
