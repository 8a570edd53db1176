"""What parts of sums have together, and whether they fit: looked at before any number is read."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.errors import ScoreError
from evaluation import sums as limits
from evaluation.sums import SHARED, statistics_of, weights_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    import xarray as xr
    from numpy.typing import NDArray

    Labels = NDArray[np.generic]


class Layout:
    """What the parts of the sums of one variable have together.

    Attributes
    ----------
    labels
        Of all dimensions, in any part; initial times, numbers and names that differ are in ascending order.
    attributes
        Of the first part.
    """

    def __init__(self, first: xr.Dataset) -> None:
        self.attributes = first.attrs
        self.labels: dict[str, Labels] = {}
        self._dims: dict[str, tuple[str, ...]] = {}
        self._grouped: set[str] = set()
        self._weights: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)

    def take_in(self, number: int, part: xr.Dataset) -> None:
        """Look at the part of this number.

        Raises
        ------
        ScoreError
            If it has an initial time of another, or other regions, models or units.
        """
        own = {str(dim): part[dim].values for dim in part.dims if dim != "group"}
        if self.labels:
            self._require_fits(own, part.attrs.get("units"))
        self.labels |= {dim: _union(self.labels.get(dim, labels), labels) for dim, labels in own.items()}
        for statistic in statistics_of(part):
            dims = tuple(str(dim) for dim in part[f"total_{statistic}"].dims)
            self._dims[statistic] = tuple(dim for dim in dims if dim != "group")
            self._weights[statistic].append((number, weights_of(part, statistic)))
            if "initial_time" not in dims:
                self._grouped.add(statistic)

    def _require_fits(self, own: dict[str, Labels], units: object) -> None:
        for dim in ("region", "model"):
            ours, theirs = (labels[dim].tolist() for labels in (self.labels, own))
            if ours != theirs:  # a mean over fewer times than its neighbour's would be no fair comparison
                raise ScoreError(f"the parts are of different {dim}s, {_few(ours)} and {_few(theirs)}; score alike")
        known = self.attributes.get("units")
        if units != known:
            raise ScoreError(f"the parts are in different units, {known!r} and {units!r}; convert one, and score alike")
        twice = np.intersect1d(self.labels["initial_time"], own["initial_time"])
        if twice.size:
            raise ScoreError(
                f"several parts hold the initial time {np.datetime_as_string(twice[0], unit='m')}; give each part once"
            )

    def series(self) -> list[str]:
        """Statistics to keep by initial time: every part has them so, and they are not too long."""
        return [name for name in self._dims if name not in self._grouped and not self._is_long(name)]

    def others(self) -> list[str]:
        """Statistics to add up over initial times."""
        return [name for name in self._dims if name in self._grouped or self._is_long(name)]

    def _is_long(self, statistic: str) -> bool:
        dims = set(self.dims(statistic)) - {"initial_time"}
        numbers = math.prod(len(self.labels[dim]) for dim in dims)
        with_own_axes = not dims <= set(SHARED)
        return len(self.labels["region"]) > limits.MOST_REGIONS or (with_own_axes and numbers > limits.MOST_NUMBERS)

    def dims(self, statistic: str) -> list[str]:
        """Of its total by initial time."""
        own = {*self._dims[statistic], "initial_time"}
        return [dim for dim in SHARED if dim in own] + [dim for dim in self._dims[statistic] if dim not in SHARED]

    def weight_dims(self, statistic: str) -> list[str]:
        """Of its weights by initial time."""
        return [dim for dim in self.dims(statistic) if dim in SHARED]

    def sharing(self, statistics: Iterable[str]) -> dict[str, str]:
        """For each of these, the first one of them that has the same weights in all parts."""
        first: dict[tuple[tuple[int, str], ...], str] = {}
        return {name: first.setdefault(tuple(self._weights[name]), name) for name in statistics}


def _union(ours: Labels, theirs: Labels) -> Labels:
    return ours if np.array_equal(ours, theirs) else np.unique(np.concatenate([ours, theirs]))


def _few(labels: list[str]) -> str:
    return f"{len(labels)} of them" if len(labels) > limits.MOST_REGIONS else str(labels)
