"""What a file of products holds: of which variables, members, times and windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from forecast.products.config import ProductsConfig
    from forecast.products.source import Levels, Source


@dataclass(frozen=True)
class ProductsLayout:
    """What is made: ``levels`` of every variable, of the members at the positions ``rows`` of the source."""

    source: Source
    config: ProductsConfig
    levels: Levels
    rows: tuple[int, ...]

    @property
    def members(self) -> list[int]:
        """Numbers of the members."""
        return [self.source.members[row] for row in self.rows]

    @property
    def pressure_levels(self) -> list[int]:
        """All pressure levels in hPa, ascending."""
        return sorted({level for on in self.levels.values() for level in on if level is not None})

    @property
    def channels(self) -> list[tuple[str, int | None]]:
        """(variable, level) of every field."""
        return [(name, level) for name, on in self.levels.items() for level in on]

    def leads_in(self, window: int) -> list[int]:
        """Positions of the lead times in a window, ascending."""
        span, leads = self.config.windows[window], self.source.leads
        return np.flatnonzero((leads >= span.start) & (leads <= span.stop)).tolist()

    def windows_that_end(self, lead: int) -> list[int]:
        """Positions of the windows whose last lead time it is."""
        return [window for window in range(len(self.config.windows)) if self.leads_in(window)[-1] == lead]

    def first_needed(self, done: int) -> int:
        """The position of the first lead time that products need when those of the first ``done`` are made."""
        windows = [self.leads_in(window) for window in range(len(self.config.windows))]
        return min((leads[0] for leads in windows if leads[0] < done <= leads[-1]), default=done)


def plan(source: Source, config: ProductsConfig) -> ProductsLayout:
    """The products of ``config`` of an ensemble.

    Raises
    ------
    DataError
        If the ensemble lacks what is asked for: a variable, a control member, the times of a window.
    """
    _check_windows(source, config)
    return ProductsLayout(source, config, _chosen_variables(source, config), _chosen_members(source, config))


def _chosen_variables(source: Source, config: ProductsConfig) -> Levels:
    held = source.variables()
    of_thresholds = [each.variable for each in config.thresholds]
    wanted = list(dict.fromkeys([*(config.variables or source.levels), *of_thresholds]))
    lacking = [name for name in wanted if name not in held]
    if lacking:
        raise DataError(f"{source.path} has no {', '.join(lacking)}; it has {', '.join(held)}")
    return {name: held[name] for name in wanted}


def _chosen_members(source: Source, config: ProductsConfig) -> tuple[int, ...]:
    rows = range(len(source.members))
    if config.control == "in":
        return tuple(rows)
    if source.control is None:
        raise DataError(f"{source.path} names no control member (attribute control_member) to be left out; leave it in")
    kept = tuple(row for row in rows if source.members[row] != source.control)
    if not kept:
        raise DataError(f"{source.path} has the control member only, so nothing is left without it; leave it in")
    return kept


def _check_windows(source: Source, config: ProductsConfig) -> None:
    leads = source.leads
    for window in config.windows:
        if window.stop > leads[-1] or not np.any((leads >= window.start) & (leads <= window.stop)):
            raise DataError(
                f"the window {window.start}-{window.stop} h is not inside the forecast, which has lead times from "
                f"{leads[0]:g} to {leads[-1]:g} h every {_interval(leads):g} h; choose another"
            )


def _interval(leads: Sequence[float] | NDArray[np.float64]) -> float:
    return float(np.diff(leads).min()) if len(leads) > 1 else float(leads[0])
