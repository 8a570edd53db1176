"""ERA5 and ERA5T as they come into the ARCO-ERA5 store, about five days behind."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

from data_pipeline.canonical import known_names
from data_pipeline.errors import DataError, TemporaryError
from data_pipeline.realtime.cycles import require_member, require_variables
from data_pipeline.realtime.keeping import keep_each_time
from data_pipeline.realtime.request import Readiness
from data_pipeline.realtime.states import states_of
from data_pipeline.remote import open_zarr_store
from data_pipeline.sources.arco_era5 import PUBLIC_STORE, valid_times
from data_pipeline.sources.shares import accumulated_over, share_of_parts
from data_pipeline.times import HOUR, shown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np
    import xarray as xr

    from data_pipeline.realtime.request import Request


class RealtimeEra5Source(BaseModel):
    """The ARCO-ERA5 store, or one in its layout at another ``path`` or URL; ``preliminary`` takes ERA5T too.

    Its labels are read anew at each look: a scheduler runs for months, and the store grows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["arco_era5"] = "arco_era5"
    path: str = PUBLIC_STORE
    preliminary: bool = True

    @property
    def control(self) -> None:
        """It has no members."""

    def look(self, request: Request, *, now: np.datetime64 | None = None) -> Readiness:
        """Which times the store does not have yet, as its attributes say."""
        return self._readiness(self._open(request), request)

    def fetch(self, request: Request, folder: Path) -> xr.Dataset:
        """Canonical states on the grid of 0.25 degrees, lazily, from copies in ``folder``."""

        def read(single: Request) -> xr.Dataset:
            raw = self._open(single)
            self._readiness(raw, single).require_complete()
            window = single.times[0] - max(0, single.hours_accumulated - 1) * HOUR, single.times[0]
            share = share_of_parts((raw,), single.channels.variables, self.path, window)
            states = states_of(accumulated_over(share, hours=1), single, self.path)
            with _for_now():
                return states.load()

        return keep_each_time(request, folder, (self.kind, self.path, f"{self.preliminary}"), read)

    def _open(self, request: Request) -> xr.Dataset:
        require_member(request, None, self.path)
        with _for_now():
            raw = open_zarr_store(self.path)
        require_variables(request, known_names(raw), self.path)
        return raw

    def _readiness(self, raw: xr.Dataset, request: Request) -> Readiness:
        first, final, preliminary = valid_times(raw, self.path)
        last = preliminary if self.preliminary else final
        early = [shown(time) for time in request.times if time < first]
        late = [shown(time) for time in request.times if time > last]
        if early:
            return Readiness(gone=f"{self.path} begins at {shown(first)}, got {', '.join(early)}; take other data")
        return Readiness((f"{self.path} has data to {shown(last)}, not {', '.join(late)}",) if late else ())


@contextmanager
def _for_now() -> Iterator[None]:
    """What a server or a damaged answer spoils may come right: a TemporaryError."""
    try:
        yield
    except DataError as error:
        raise TemporaryError(str(error)) from error
