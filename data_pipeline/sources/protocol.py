"""What every source can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection

    import xarray as xr


class Source(Protocol):
    """Opens canonical data lazily."""

    def open(self, wanted: Collection[str]) -> xr.Dataset:
        """Those of the ``wanted`` variables that this source holds, canonical and lazy."""
        ...
