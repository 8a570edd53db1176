"""Checks of missing values: where a variable may lack them, and that it always lacks the same ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.quality.land_mask import land_fraction
from data_pipeline.quality.places import place_at, when

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from data_pipeline.channels import Channel
    from data_pipeline.grid import Grid
    from data_pipeline.quality.findings import Report

    Mask = NDArray[np.bool_]

_MISSING_OCEAN = 0.2
"""Share of the open ocean that may lack values (sea under ice sometimes does)."""


class MaskHistory:
    """The points without values of one channel, in order of time."""

    def __init__(self, channel: Channel, grid: Grid) -> None:
        self._channel, self._grid = channel, grid
        self._first: Mask | None = None
        self._whole = False

    def accepts_whole(self, time: np.datetime64, report: Report) -> None:
        """A state that lacks nothing."""
        if self._first is not None:
            self._report_change(time, self._first, report)
        self._whole = True

    def accepts(self, time: np.datetime64, field: NDArray[np.float32], report: Report) -> bool:
        """Whether a state with NaN is in order; what is wrong is added to the report."""
        missing = np.isnan(field)
        if missing.all():
            message = "the whole field is NaN, expected values; mend the source or choose a period without it"
            report.add("nan-field", message, variable=self._channel.name, time=when(time))
            return False
        if self._channel.variable.defined_over != "sea":
            message = "values are NaN, expected one at every point; mend the source or leave the variable out"
            self._add("nan-values", message, time, missing, report)
            return False
        return self._is_the_same(time, missing, report)

    def _is_the_same(self, time: np.datetime64, missing: Mask, report: Report) -> bool:
        if self._whole:
            self._report_change(time, missing, report)
            return False
        if self._first is None:
            self._first = missing
            self._compare_with_land(time, missing, report)
            return True
        changed = missing != self._first
        if changed.any():
            self._report_change(time, changed, report)
        return not bool(changed.any())

    def _report_change(self, time: np.datetime64, changed: Mask, report: Report) -> None:
        message = "other points are NaN than at the first time, expected always the same; mend the source"
        self._add("nan-mask-changed", message, time, changed, report)

    def _compare_with_land(self, time: np.datetime64, missing: Mask, report: Report) -> None:
        if not self._grid.is_global:
            return
        ocean = open_ocean(self._grid)
        lost = missing & ocean
        if lost.sum() > _MISSING_OCEAN * ocean.sum():
            message = "NaN in the open ocean, expected only over land; see whether the mask belongs to this grid"
            self._add("nan-mask-not-land", message, time, lost, report)

    def _add(self, code: str, message: str, time: np.datetime64, bad: Mask, report: Report) -> None:
        place = place_at(self._grid, int(bad.argmax()))
        name, count = self._channel.name, int(np.count_nonzero(bad))
        report.add(code, message, variable=name, time=when(time), location=place, count=count)


def open_ocean(grid: Grid) -> Mask:
    """Points without land in their own and the neighbouring cells, shape (latitude, longitude)."""
    land = land_fraction(np.asarray(grid.latitude), np.asarray(grid.longitude))
    beside = np.max([np.roll(land, shift, axis=1) for shift in (-1, 0, 1)], axis=0)
    padded = np.pad(beside, ((1, 1), (0, 0)), mode="edge")
    return np.asarray(np.max([padded[:-2], padded[1:-1], padded[2:]], axis=0) == 0)
