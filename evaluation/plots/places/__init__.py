"""Pictures of a forecast at one place: meteograms, plumes and profiles; ``draw_at``, ``figure_at``, ``PLACE_KINDS``.

``place`` is where, ``neighbours`` the grid's points about it, ``local`` a forecast there, ``members`` one variable of
it along leads or levels, ``usual`` what the climate is there, ``choice`` what is drawn by default, ``axes`` and
``marks`` what pictures are made of. Only the chunks of the neighbouring points are read.
"""

from evaluation.plots.places.drawing import PLACE_KINDS, draw_at, figure_at
from evaluation.plots.places.local import Local, open_local
from evaluation.plots.places.request import PlaceRequest

__all__ = ["PLACE_KINDS", "Local", "PlaceRequest", "draw_at", "figure_at", "open_local"]
