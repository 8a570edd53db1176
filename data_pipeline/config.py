"""What a training store holds and where it comes from, as frozen models that refuse unknown keys."""

from __future__ import annotations

import warnings
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import PydanticCustomError

from data_pipeline.channels import Channels
from data_pipeline.day_of_year import ClimatologyConfig
from data_pipeline.errors import ConfigError, DataError
from data_pipeline.grid import MOST_GAUSSIAN_LATITUDES, MOST_POINTS, Grid
from data_pipeline.quality.findings import CODES
from data_pipeline.sources import (
    SOURCES,
    ArcoEra5Source,
    FilesSource,
    GribSource,
    SpeedySource,
    WeatherBench2Source,
)
from data_pipeline.times import utc
from data_pipeline.variables import VARIABLES

if TYPE_CHECKING:
    from numpy.typing import NDArray

TIMES_PER_SHARD, FEWEST_PER_SHARD = 64, 8
LARGEST_SHARD = 2**31
"""Bytes: larger files are unwieldy to copy and to verify. But with fewer times than that, a jump is not told from a
usual step."""

BYTES = {"float32": 4, "float16": 2}

UNKNOWN_KIND = "unknown_kind"
"""Type of pydantic's error where a source is of no kind; its message is a whole sentence."""


def _has_a_kind(source: object) -> object:
    """pydantic's own message is about tags and discriminators."""
    kind = source.get("kind") if isinstance(source, dict) else None
    if isinstance(source, dict) and kind not in SOURCES:
        got = f"kind {kind!r}" if "kind" in source else "no kind"
        close = get_close_matches(str(kind), SOURCES, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        kinds = ", ".join(map(repr, SOURCES))
        text = f"got a source of {got}, expected one of: {kinds}{hint}"
        raise PydanticCustomError(UNKNOWN_KIND, "{text}", {"text": text})
    return source


def _has_paths(source: object) -> object:
    """An empty path would stand for the current folder."""
    for key in ("path", "static_path"):
        if isinstance(source, dict) and isinstance(path := source.get(key), str) and not path.strip():
            raise ValueError(f"the {key} is empty, expected a file, folder, glob, store or URL")
    return source


SourceConfig = Annotated[
    ArcoEra5Source | FilesSource | GribSource | SpeedySource | WeatherBench2Source,
    Field(discriminator="kind"),
    BeforeValidator(_has_a_kind),
    BeforeValidator(_has_paths),
]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class GridConfig(_Frozen):
    """A target grid by kind and size."""

    kind: Literal["gaussian", "equiangular", "equiangular_with_poles"]
    latitudes: int = Field(ge=4, le=2**14)
    longitudes: int = Field(ge=8, le=2**15)

    @model_validator(mode="after")
    def _is_no_monster(self) -> Self:
        points = self.latitudes * self.longitudes
        if points > MOST_POINTS:
            raise ValueError(f"the grid has {points} points, expected {MOST_POINTS} at most; take a coarser one")
        if self.kind == "gaussian" and self.latitudes > MOST_GAUSSIAN_LATITUDES:
            raise ValueError(
                f"the Gaussian grid has {self.latitudes} latitudes, expected {MOST_GAUSSIAN_LATITUDES} at most; take "
                "fewer, or kind: equiangular"
            )
        return self

    def build(self) -> Grid:
        """The grid itself."""
        if self.kind == "gaussian":
            return Grid.gaussian(self.latitudes, self.longitudes)
        return Grid.equiangular(self.latitudes, self.longitudes, poles=self.kind == "equiangular_with_poles")


_YEARS = np.arange("1678", "2262", dtype="datetime64[Y]")
"""Whole years that 64 bits of nanoseconds hold."""


class Period(_Frozen):
    """Times from ``start`` to ``stop``, both included (ISO dates, UTC)."""

    start: str
    stop: str

    @field_validator("start", "stop", mode="before")
    @classmethod
    def _is_time(cls, value: object) -> str:
        text = utc(value).isoformat() if isinstance(value, datetime) else str(value).removesuffix("Z")
        if not _is_iso(text):
            raise ValueError("expected an ISO date or time in UTC, as in 2001-01-31 or 2001-01-31T12")
        if np.datetime64(text, "Y") not in _YEARS:
            raise ValueError("expected a year from 1678 to 2261")
        return text

    @model_validator(mode="after")
    def _runs_forward(self) -> Self:
        first, last = self.bounds()
        if first > last:
            raise ValueError(f"start {self.start} is after stop {self.stop}; exchange them")
        return self

    def bounds(self) -> tuple[np.datetime64, np.datetime64]:
        """First and last instant; a bare date (month, year) as ``stop`` means the end of that day (month, year)."""
        stop = np.datetime64(self.stop)
        last = stop.astype("datetime64[ns]")
        if np.datetime_data(stop.dtype)[0] in {"Y", "M", "D"}:
            last = (stop + 1).astype("datetime64[ns]") - np.timedelta64(1, "ns")
        return np.datetime64(self.start, "ns"), last

    def contains(self, times: NDArray[np.datetime64]) -> NDArray[np.bool_]:
        """Which of ``times`` lie inside."""
        first, last = self.bounds()
        return np.asarray((times >= first) & (times <= last))


def _is_iso(text: str) -> bool:
    """Whether numpy reads the text as a time; not 'now' or 'NaT', and no zone, of which it only warns."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return text[:1].isdigit() and not np.isnat(np.datetime64(text))
    except (ValueError, Warning):
        return False


def period_of(text: str) -> Period:
    """A period written as ``START..STOP``.

    Raises
    ------
    ConfigError
        If the text is something else, or names no times.

    >>> period_of("2001-01-01..2001-01-24").stop
    '2001-01-24'
    """
    start, _, stop = text.partition("..")
    try:
        return Period(start=start, stop=stop)
    except ValidationError as error:
        expected = "START..STOP as in 2001-01-01..2001-01-24"
        first = error.errors()[0]
        reason = f"{first['loc'][0]}: " if first["loc"] else ""
        reason += first["msg"].removeprefix("Value error, ")
        raise ConfigError(f"cannot read the period {text!r} ({reason}); expected {expected}") from error


class DataConfig(_Frozen):
    """One training store: sources, variables and levels (hPa), grid, period and interval.

    ``precision`` float32 stores physical units, float16 what a sample's mean and standard deviation normalise.
    ``times_per_shard`` are by default up to 64, fewer where a file would exceed 2 GiB.
    ``accept`` are codes of findings (see ``sphercast data check``) that shall not stop a build.
    """

    sources: tuple[SourceConfig, ...]
    store: Path
    variables: dict[str, tuple[int, ...] | None]
    static: tuple[str, ...] = ()
    grid: GridConfig
    period: Period
    training_period: Period
    interval_hours: int = Field(ge=1, le=24 * 366)
    precision: Literal["float32", "float16"] = "float32"
    times_per_shard: int | None = Field(default=None, ge=1, le=4096)
    regridding: Literal["conservative", "bilinear"] = "conservative"
    climatology: ClimatologyConfig | None = Field(default_factory=lambda: ClimatologyConfig.model_validate({}))
    accept: tuple[str, ...] = ()

    @field_validator("sources")
    @classmethod
    def _are_some(cls, sources: tuple[SourceConfig, ...]) -> tuple[SourceConfig, ...]:
        """pydantic's own bound counts only the sources that are right, and so speaks up beside another error."""
        if not sources:
            raise ValueError("expected at least one source")
        return sources

    @field_validator("store", mode="before")
    @classmethod
    def _is_a_folder_here(cls, store: object) -> object:
        if not str(store).strip():  # it would stand for the current folder
            raise ValueError("the path is empty, expected the folder of the store to build")
        if "://" in str(store):
            raise ValueError(
                "expected a path on this machine: stores are built on disks, copy them to a bucket afterwards"
            )
        return store

    @field_validator("variables")
    @classmethod
    def _are_channels(cls, variables: dict[str, tuple[int, ...] | None]) -> dict[str, tuple[int, ...] | None]:
        try:
            channels = Channels.of(variables)
        except DataError as error:
            raise ValueError(str(error)) from error
        static = sorted({channel.variable_name for channel in channels if channel.variable.role == "static"})
        if static:
            raise ValueError(f"{', '.join(static)} never change; list them under 'static'")
        return variables

    @field_validator("static")
    @classmethod
    def _are_static(cls, static: tuple[str, ...]) -> tuple[str, ...]:
        possible = [name for name, entry in VARIABLES.items() if entry.role == "static"]
        wrong = [name for name in static if name not in possible]
        if wrong or len(set(static)) < len(static):
            raise ValueError(f"expected each once of: {', '.join(possible)}")
        return static

    @field_validator("accept")
    @classmethod
    def _are_codes(cls, accept: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [code for code in accept if code not in CODES]
        if unknown:
            raise ValueError(f"no such findings: {', '.join(unknown)}; expected some of: {', '.join(sorted(CODES))}")
        return accept

    @model_validator(mode="after")
    def _fits_the_calendar(self) -> Self:
        first = self.period.bounds()[0]
        if first != first.astype("datetime64[h]"):
            raise ValueError(f"the period starts at {self.period.start}, expected a whole hour")
        if not self.training_period.contains(self.times).any():
            training = f"{self.training_period.start}..{self.training_period.stop}"
            raise ValueError(
                f"the training period {training} holds no time of {self.period.start}..{self.period.stop} at "
                f"{self.interval_hours} h; it must overlap 'period'"
            )
        self._require_training_inside()
        return self

    def _require_training_inside(self) -> None:
        """Its ends may lie between the times of the store and the ones that would be next."""
        begin, end = self.training_period.bounds()
        if begin <= self.times[0] - self.interval or end >= self.times[-1] + self.interval:
            training = f"{self.training_period.start}..{self.training_period.stop}"
            raise ValueError(
                f"the training period {training} is partly outside the period {self.period.start}..{self.period.stop}; "
                "shorten it, or lengthen 'period'"
            )

    @property
    def channels(self) -> Channels:
        """Prognostic channels in order."""
        return Channels.of(self.variables)

    @property
    def times(self) -> NDArray[np.datetime64]:
        """The times of the store: from the period's start to its end, one interval apart."""
        first, last = self.period.bounds()
        return np.arange(first, last + np.timedelta64(1, "ns"), self.interval)

    @property
    def slots(self) -> int:
        """Times in a shard."""
        state_bytes = len(self.channels) * self.grid.latitudes * self.grid.longitudes * BYTES[self.precision]
        return self.times_per_shard or max(FEWEST_PER_SHARD, min(TIMES_PER_SHARD, LARGEST_SHARD // state_bytes))

    @property
    def slabs(self) -> int:
        """Shards of the store."""
        return -(-len(self.times) // self.slots)

    @property
    def interval(self) -> np.timedelta64:
        """Time between two stored states."""
        return np.timedelta64(self.interval_hours, "h")
