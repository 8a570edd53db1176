"""Classes and colours of what is made of fields: differences and the extreme forecast index."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evaluation.plots.style import Palette, class_colours, nice_edges

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from evaluation.plots.style import Style

EFI_EDGES = (-1.0, -0.95, -0.9, -0.8, -0.7, -0.6, -0.5, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)
"""From 0.5 on it is worth a look, as on ECMWF's charts; what is between is left white."""
_WHITE = "#ffffff"


def difference_palette(style: Style, values: NDArray[np.float64]) -> Palette:
    """About ten round classes to either side of nought, which is in the middle of a white one."""
    reach = float(np.nanquantile(np.abs(values), 0.995))
    outer = [edge for edge in nice_edges(0.0, reach if reach > 0 else 1.0, 6) if edge > 0]
    edges = (*(-edge for edge in reversed(outer)), *outer)
    colours = list(class_colours("wetter" if style.colours == "amount" else "thermal", edges, 0.0, "both"))
    colours[len(outer)] = _WHITE
    return Palette(edges, tuple(colours), "both")


def efi_palette() -> Palette:
    """Blue to red from 0.5 on, the same on every map."""
    colours = list(class_colours("thermal", EFI_EDGES, 0.0, "neither"))
    colours[len(EFI_EDGES) // 2 - 1] = _WHITE
    return Palette(EFI_EDGES, tuple(colours), "neither")
