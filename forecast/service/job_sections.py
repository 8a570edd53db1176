"""The parts of a job file: where states come from, when cycles are looked at, and what is done with them."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from data_pipeline.config import UNKNOWN_KIND
from data_pipeline.errors import ConfigError
from data_pipeline.realtime import (
    REALTIME_SOURCES,
    EcmwfOpenDataSource,
    FolderSource,
    GefsSource,
    GfsSource,
    RealtimeEra5Source,
)
from forecast.service.cycles import Order
from forecast.service.durations import Duration, parse_duration, show_duration
from forecast.sizes import parse_memory


class Frozen(BaseModel):
    """A part of a job file: unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _has_a_kind(source: object) -> object:
    """pydantic's own message is about tags and discriminators."""
    kind = source.get("kind") if isinstance(source, dict) else None
    if isinstance(source, dict) and kind not in REALTIME_SOURCES:
        close = get_close_matches(str(kind), REALTIME_SOURCES, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        text = f"got a source of kind {kind!r}, expected one of: {', '.join(map(repr, REALTIME_SOURCES))}{hint}"
        raise PydanticCustomError(UNKNOWN_KIND, "{text}", {"text": text})
    return source


def _bytes(size: object) -> int:
    try:
        return parse_memory(str(size))
    except ConfigError as error:
        raise ValueError(str(error).removeprefix(f"got --memory {str(size)!r}, ").removesuffix("; mend it")) from error


Source = Annotated[
    EcmwfOpenDataSource | FolderSource | GefsSource | GfsSource | RealtimeEra5Source,
    Field(discriminator="kind"),
    BeforeValidator(_has_a_kind),
]


def _is_pair(place: object) -> object:
    """pydantic's own message is about tuples."""
    if not isinstance(place, (list, tuple)) or len(place) != 2:
        raise ValueError("expected [latitude, longitude], as in [48.1, 11.6]")
    return place


Place = Annotated[
    tuple[Annotated[float, Field(ge=-90, le=90)], Annotated[float, Field(ge=-180, le=360)]], BeforeValidator(_is_pair)
]
"""Latitude and longitude in degrees."""

Memory = Annotated[int, BeforeValidator(_bytes)]


class Poll(Frozen):
    """Pauses between looks at what is not there yet: ``first``, then each twice the last, up to ``longest``."""

    first: Duration = parse_duration("1 min")
    longest: Duration = parse_duration("15 min")

    @model_validator(mode="after")
    def _grow(self) -> Self:
        if not 0 < self.first.total_seconds() <= self.longest.total_seconds():
            first, longest = show_duration(self.first), show_duration(self.longest)
            raise ValueError(f"got a first pause of {first} and a longest of {longest}, expected 0 < first <= longest")
        return self


class CatchUp(Frozen):
    """Missed cycles up to the age of ``window`` are made up, the ``newest`` or the ``oldest`` first."""

    window: Duration = parse_duration("1 d")
    order: Order = "newest"


class Scores(Frozen):
    """Scores against the states at ``truth``, looked for from the forecast's end, ``every`` so long, to ``give_up``."""

    truth: str = Field(min_length=1)
    every: Duration = parse_duration("6 h")
    give_up: Duration = parse_duration("30 d")
    scores: tuple[str, ...] | None = None
    climatology: str | None = None


class Retention(Frozen):
    """Kept are the newest ``cycles``, and those within ``days`` of the newest; at least the last complete one."""

    cycles: int | None = Field(default=None, ge=1)
    days: Duration | None = None

    @field_validator("days", mode="before")
    @classmethod
    def _in_days(cls, value: Any) -> Any:
        return f"{value} d" if isinstance(value, (int, float)) else value

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.cycles is None and self.days is None:
            raise ValueError("got neither 'cycles' nor 'days'; give one, or leave 'retention' out to keep everything")
        return self


class Hooks(Frozen):
    """Commands for the shell: after a cycle is done, and after it failed or missed its deadline."""

    success: str | None = None
    failure: str | None = None
    timeout: Duration = parse_duration("1 min")
