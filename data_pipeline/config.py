"""What a training store holds and where it comes from, as frozen models that refuse unknown keys."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, field_validator

from data_pipeline.channels import Channels
from data_pipeline.grid import Grid
from data_pipeline.sources import FilesSource, SpeedySource

SourceConfig = Annotated[FilesSource | SpeedySource, Field(discriminator="kind")]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class GridConfig(_Frozen):
    """A target grid by kind and size."""

    kind: Literal["gaussian", "equiangular", "equiangular_with_poles"]
    latitudes: int = Field(ge=4)
    longitudes: int = Field(ge=8)

    def build(self) -> Grid:
        """The grid itself."""
        if self.kind == "gaussian":
            return Grid.gaussian(self.latitudes, self.longitudes)
        return Grid.equiangular(self.latitudes, self.longitudes, poles=self.kind == "equiangular_with_poles")


class Period(_Frozen):
    """Times from ``start`` to ``stop``, both included (ISO dates, UTC)."""

    start: str
    stop: str

    @field_validator("start", "stop", mode="before")
    @classmethod
    def _is_time(cls, value: object) -> str:
        text = value.isoformat() if isinstance(value, date) else str(value)
        np.datetime64(text, "ns")
        return text

    def bounds(self) -> tuple[np.datetime64, np.datetime64]:
        """First and last instant; a bare date as ``stop`` means the end of that day."""
        last = np.datetime64(self.stop, "ns")
        if len(self.stop) <= len("2000-01-01"):
            last = np.datetime64(np.datetime64(self.stop, "D") + 1, "ns") - np.timedelta64(1, "ns")
        return np.datetime64(self.start, "ns"), last

    def contains(self, times: NDArray[np.datetime64]) -> NDArray[np.bool_]:
        """Which of ``times`` lie inside."""
        first, last = self.bounds()
        return np.asarray((times >= first) & (times <= last))


class DataConfig(_Frozen):
    """One training store: sources, variables and levels (hPa), grid, period and interval."""

    sources: tuple[SourceConfig, ...] = Field(min_length=1)
    store: Path
    variables: dict[str, tuple[int, ...] | None]
    static: tuple[str, ...] = ()
    grid: GridConfig
    period: Period
    training_period: Period
    interval_hours: int = Field(ge=1)

    @property
    def channels(self) -> Channels:
        """Prognostic channels in order."""
        return Channels.of(self.variables)

    @property
    def interval(self) -> np.timedelta64:
        """Time between two stored states."""
        return np.timedelta64(self.interval_hours, "h")
