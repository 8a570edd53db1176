"""What every source can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection

    import xarray as xr

    from data_pipeline.quality.findings import Report

Window: TypeAlias = tuple[np.datetime64, np.datetime64]
"""The first and the last instant, both included."""


class Source(Protocol):
    """Opens canonical data lazily; a small frozen model that can be sent to other processes."""

    @property
    def kind(self) -> str:
        """The source's name in configs."""
        ...

    def open(self, wanted: Collection[str], window: Window | None = None, report: Report | None = None) -> xr.Dataset:
        """Those of the ``wanted`` variables that this source holds, canonical and lazy, inside ``window``.

        Accumulated variables say in ``attrs["accumulation_hours"]`` what time they are sums over, where the source
        knows it. What was repaired, or is to be known, is added to ``report``.

        Raises
        ------
        DataError
            If the source cannot be read, or holds no wanted variable, or no time inside the window.
        """
        ...
