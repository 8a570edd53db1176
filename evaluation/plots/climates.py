"""What is usual at the places and the time of a map: quantiles of a climatology on the forecast's grid."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.channels import Channel
from data_pipeline.climatology_reading import DAY_OF_YEAR, open_climatology
from data_pipeline.errors import DataError
from data_pipeline.grid import Grid
from data_pipeline.reading import is_store_path
from evaluation.climate import Season, has_quantiles, of_variables
from evaluation.pairs import channels
from evaluation.plots.fields import valid_time_of
from evaluation.plots.grids import onto, shared_grid

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr
    from numpy.typing import NDArray

    from evaluation.climate import Climatology
    from evaluation.plots.fields import EnsembleField

    Floats = NDArray[np.float64]
    Times = NDArray[np.datetime64]


@dataclass(frozen=True)
class Placed:
    """A climatology on another grid, as ``onto`` brings fields there."""

    climatology: Climatology
    grid: Grid

    def at(self, times: Times) -> tuple[xr.Dataset, xr.Dataset]:
        """Mean and standard deviation."""
        mean, std = self.climatology.at(times)
        return onto(mean, self.grid), onto(std, self.grid)

    def quantiles_at(self, times: Times) -> xr.Dataset:
        """Quantiles, with a leading dimension ``quantile``."""
        return onto(self.climatology.quantiles_at(times), self.grid)  # type: ignore[attr-defined]


def beside_climate(
    run: xr.Dataset, climatology: str | Path | Climatology, variable: str, lead: float | None
) -> tuple[xr.Dataset, Placed]:
    """A run and a climatology with quantiles of ``variable``, both on the grid that they share.

    Parameters
    ----------
    run
        As ``evaluation.readers`` gives it.
    climatology
        A path (of a training store, its folder ``day_of_year`` is taken), or an open one.
    variable, lead
        What the map is of; ``lead`` in hours, None is the last.

    Raises
    ------
    DataError
        If there is none at the path, it has no quantiles, or the grids cannot be brought together.
    """
    opened = opened_climatology(climatology)
    if not has_quantiles(opened):
        raise DataError(
            f"the climatology {_named(climatology)} has no quantiles; pass one by hour and day of the year, such as a "
            "store's folder day_of_year"
        )
    opened = of_variables(opened, (variable,))
    usual = opened.at(np.array([valid_time_of(run, lead)]))[0]
    grid = shared_grid(Grid.of(run), Grid.of(usual))
    return onto(run, grid), Placed(opened, grid)


def quantiles_of(climatology: Placed, ensemble: EnsembleField, levels: Sequence[float]) -> Floats:
    """The climate's quantiles (level, latitude, longitude) of a field at its valid time, in display units.

    Raises
    ------
    DataError
        If the climatology lacks the field.
    ScoreError
        If its quantiles do not reach so far into the tails.
    """
    channel, time = Channel(ensemble.variable, ensemble.level), ensemble.valid_time.to_datetime64()
    held = channels(climatology.at(np.array([time]))[0], "time")
    if channel not in held:
        names = ", ".join(own.name for own in held)
        raise DataError(f"the climatology has no {channel.name}; it has {names}; choose one of these, or another")
    return ensemble.style.display(Season(climatology, climatology.grid).quantiles(channel, time, levels))


def opened_climatology(climatology: str | Path | Climatology) -> Climatology:
    """That at a path, with quantiles where a training store has them; or the one that is open already."""
    if not isinstance(climatology, str | Path):
        return climatology
    found = open_climatology(climatology)
    if has_quantiles(found) or not is_store_path(climatology):
        return found
    return open_climatology(f"{climatology}/{DAY_OF_YEAR}")


def _named(climatology: object) -> str:
    return str(climatology) if isinstance(climatology, str | Path) else "that is given"
