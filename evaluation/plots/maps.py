"""``draw``, which makes a map of any kind into a PNG."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from data_pipeline.errors import DataError
from evaluation.plots.canvas import save
from evaluation.plots.kinds import KINDS
from evaluation.plots.request import Request

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr
    from matplotlib.figure import Figure


def draw(run: xr.Dataset, *, variable: str, kind: str, out: Path, **options: Any) -> None:
    """Draw one map of a forecast into the PNG file ``out``, written whole or not at all.

    Parameters
    ----------
    run
        A forecast from one initial time as ``evaluation.readers`` gives it; canonical names and SI units.
    variable
        A variable of the forecast, or ``wind_speed`` / ``10m_wind_speed`` where it has both components.
    kind
        A key of ``KINDS``.
    out
        A name that ends in ``.png``; missing folders are made.
    options
        The other fields of ``Request``.

    Raises
    ------
    DataError
        If the dataset is no run, or lacks what is asked for; the message lists what there is.
    """
    save(figure_of(run, kind, Request(variable, **options)), out)


def figure_of(run: xr.Dataset, kind: str, request: Request) -> Figure:
    """The map as a figure of matplotlib.

    Raises
    ------
    DataError
        As ``draw``, and if an option is not for this kind of map.
    """
    if kind not in KINDS:
        raise DataError(f"unknown kind of map {kind!r}; expected one of: {', '.join(KINDS)}")
    request.check(kind)
    return KINDS[kind](run, request)
