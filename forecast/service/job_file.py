"""The job file: one page of YAML that says what to forecast, when, from what, and what to do with it."""

from __future__ import annotations

from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator
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
from forecast.memory import parse_memory
from forecast.output.config import OutputConfig
from forecast.perturbations import LaggedPerturbation, NoisePerturbation
from forecast.products import ProductsConfig
from forecast.service.cycles import Calendar, Order, Timing
from forecast.service.durations import Duration, parse_duration, show_duration
from forecast.service.logs import LogFormat
from forecast.service.work import SCORES
from forecast.validation import parse_yaml, validated

EXAMPLE = "sphercast jobs example"
"""The command that prints a job file with every key."""


class _Frozen(BaseModel):
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


class AnalysisMembers(_Frozen):
    """Each member starts from its own member of the source's ensemble: 0 is the control."""

    kind: Literal["analysis"] = "analysis"


Perturbation = Annotated[NoisePerturbation | LaggedPerturbation | AnalysisMembers, Field(discriminator="kind")]


Memory = Annotated[int, BeforeValidator(_bytes)]


class Poll(_Frozen):
    """Pauses between looks at what is not there yet: ``first``, then each twice the last, up to ``longest``."""

    first: Duration = parse_duration("1 min")
    longest: Duration = parse_duration("15 min")

    @model_validator(mode="after")
    def _grow(self) -> Self:
        if not 0 < self.first.total_seconds() <= self.longest.total_seconds():
            first, longest = show_duration(self.first), show_duration(self.longest)
            raise ValueError(f"got a first pause of {first} and a longest of {longest}, expected 0 < first <= longest")
        return self


class CatchUp(_Frozen):
    """Missed cycles up to the age of ``window`` are made up, the ``newest`` or the ``oldest`` first."""

    window: Duration = parse_duration("1 d")
    order: Order = "newest"


class Plot(_Frozen):
    """A map, as ``sphercast plot`` draws it: ``lead`` in hours (none: the last), ``level`` in hPa."""

    name: str = Field(pattern=r"^[\w.-]+\.png$")
    variable: str
    kind: Literal["mean", "spread", "mean_spread", "stamps", "probability"] = "mean"
    level: int | None = None
    lead: float | None = None
    threshold: float | None = None
    below: bool = False
    projection: str = "robinson"


class Scores(_Frozen):
    """Scores against the states at ``truth``, looked for from the forecast's end, ``every`` so long, to ``give_up``."""

    truth: str = Field(min_length=1)
    every: Duration = parse_duration("6 h")
    give_up: Duration = parse_duration("30 d")
    scores: tuple[str, ...] | None = None
    climatology: str | None = None


class Retention(_Frozen):
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


class Hooks(_Frozen):
    """Commands for the shell: after a cycle is done, and after it failed or missed its deadline."""

    success: str | None = None
    failure: str | None = None
    timeout: Duration = parse_duration("1 min")


def _not_empty(outputs: tuple[OutputConfig, ...]) -> tuple[OutputConfig, ...]:
    if not outputs:
        raise ValueError("expected one output or more; leave 'outputs' out for all of the forecast in forecast.nc")
    return outputs


Outputs = Annotated[tuple[OutputConfig, ...], AfterValidator(_not_empty)]


class JobFile(_Frozen):
    """A job. ``docs/operations.md`` explains every key. Relative paths are relative to the file's own folder."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    checkpoint: str
    source: Source
    folder: Path
    members: int = Field(default=10, ge=1, le=10_000)
    days: float = Field(default=10, gt=0, le=36_500)
    seed: int = Field(default=0, ge=0)
    antithetic: bool = False
    perturbation: Perturbation | None = None
    batch: int | None = Field(default=None, ge=1)
    memory: Memory | None = None
    device: str | None = None
    outputs: Outputs = (OutputConfig(),)
    cycles: tuple[Annotated[int, Field(ge=0, le=23)], ...] | str = (0, 6, 12, 18)
    delay: Duration = parse_duration("0 s")
    deadline: Duration = parse_duration("12 h")
    poll: Poll = Poll()
    catch_up: CatchUp = CatchUp()
    at_once: int = Field(default=1, ge=1)
    products: ProductsConfig | None = None
    plots: tuple[Plot, ...] = ()
    scores: Scores | None = None
    retention: Retention | None = None
    hooks: Hooks = Hooks()
    prometheus: Path | None = None
    log: LogFormat = "plain"

    @field_validator("cycles")
    @classmethod
    def _are_cycles(cls, cycles: tuple[int, ...] | str) -> tuple[int, ...] | str:
        if not isinstance(cycles, str) and (not cycles or list(cycles) != sorted(set(cycles))):
            raise ValueError("expected hours of the day that ascend, as in [0, 12], or a cron expression")
        Calendar.of(cycles)
        return cycles

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.deadline <= self.delay:
            delay, deadline = show_duration(self.delay), show_duration(self.deadline)
            raise ValueError(f"the deadline, {deadline}, is not after the delay, {delay}; both count from the cycle")
        if self.main_output is None and (self.products or self.plots or self.scores):
            raise ValueError("products, plots and scores are made of an output of all members without points; add one")
        products = (self.products or ProductsConfig()).name
        names = [products, SCORES, *(output.name for output in self.outputs), *(plot.name for plot in self.plots)]
        if len(set(names)) < len(names):
            raise ValueError(f"got files with the names {', '.join(names)}, expected each once; give other names")
        return self

    @property
    def main_output(self) -> OutputConfig | None:
        """The first output that holds fields of all members: products, plots and scores are made of it."""
        return next((output for output in self.outputs if output.is_whole), None)

    @property
    def calendar(self) -> Calendar:
        """When cycles are."""
        return Calendar.of(self.cycles)

    @property
    def timing(self) -> Timing:
        """When they are worked on."""
        return Timing(
            self.delay, self.deadline, self.catch_up.window, self.catch_up.order, self.poll.first, self.poll.longest
        )

    @property
    def length(self) -> timedelta:
        """Of the forecast."""
        return timedelta(days=self.days)


def load_job(path: Path) -> JobFile:
    """Read and check a job file.

    Raises
    ------
    ConfigError
        If there is none, or it has unknown keys or impossible values; each is named.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not text in UTF-8; give a YAML file") from error
    except OSError as error:
        raise ConfigError(f"no job file {path} ({error.strerror}); '{EXAMPLE}' prints one") from error
    return validated(JobFile, parse_yaml(text, path, EXAMPLE), path, EXAMPLE)
