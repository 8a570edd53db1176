"""The job file: one page of YAML that says what to forecast, when, from what, and what to do with it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from data_pipeline.errors import ConfigError
from data_pipeline.realtime import CYCLE_HOURS, EcmwfOpenDataSource, FolderSource, GefsSource, GfsSource
from forecast.output.config import OutputConfig
from forecast.perturbation_kinds import AnalysisMembers, LaggedPerturbation, Perturbation
from forecast.products import ProductsConfig
from forecast.service.cycles import Calendar, Timing
from forecast.service.durations import Duration, parse_duration, show_duration
from forecast.service.job_plots import Plot
from forecast.service.job_sections import (
    CatchUp,
    Hooks,
    Memory,
    Place,
    Poll,
    Retention,
    Scores,
    Source,
)
from forecast.service.logs import LogFormat
from forecast.service.work import SCORES
from forecast.validation import parse_yaml, validated

EXAMPLE = "sphercast jobs example"
"""The command that prints a job file with every key."""


def _not_empty(outputs: tuple[OutputConfig, ...]) -> tuple[OutputConfig, ...]:
    if not outputs:
        raise ValueError("expected one output or more; leave 'outputs' out for all of the forecast in forecast.nc")
    return outputs


Outputs = Annotated[tuple[OutputConfig, ...], AfterValidator(_not_empty)]


class JobFile(BaseModel):
    """A job. ``docs/operations.md`` explains every key. Relative paths are relative to the file's own folder."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    checkpoint: str
    source: Source
    folder: Path
    members: int = Field(default=10, ge=1, le=10_000)
    days: float = Field(default=10, gt=0, le=36_500)
    step_hours: int | None = Field(default=None, ge=1)
    output_hours: int | None = Field(default=None, ge=1)
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
    report: bool = False
    places: dict[str, Place] = Field(default_factory=dict)
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
        if isinstance(self.source, FolderSource) and self.source.control is not None:
            self._check_control(self.source.control)
        if isinstance(self.perturbation, LaggedPerturbation):
            self._check_lag(self.perturbation.lag_hours)
        if self.main_output is None and (self.products or self.plots or self.report or self.scores):
            raise ValueError(
                "products, plots, the report and scores are made of an output of all members without points; add one"
            )
        if self.places and not self.report and not any(plot.is_at_a_place for plot in self.plots):
            raise ValueError("places are for meteograms; give 'report: true' too, or plots of kind meteogram at them")
        products = (self.products or ProductsConfig()).name
        names = [products, SCORES, *(output.name for output in self.outputs), *(plot.name for plot in self.plots)]
        if len(set(names)) < len(names):
            raise ValueError(f"got files with the names {', '.join(names)}, expected each once; give other names")
        return self

    def _check_control(self, control: int) -> None:
        of_analysis = isinstance(self.perturbation, AnalysisMembers)
        if not of_analysis:
            raise ValueError("source.control names a member of an ensemble; give 'perturbation: {kind: analysis}' too")
        if control >= self.members:
            raise ValueError(f"got source.control {control}, expected one of the members 0 to {self.members - 1}")

    def _check_lag(self, hours: int) -> None:
        if isinstance(self.source, EcmwfOpenDataSource | GefsSource | GfsSource) and hours % CYCLE_HOURS:
            raise ValueError(
                f"got perturbation.lag_hours {hours}, expected a multiple of {CYCLE_HOURS}: {self.source.kind} has an "
                f"analysis every {CYCLE_HOURS} hours; 24 is the usual lag"
            )

    @property
    def main_output(self) -> OutputConfig | None:
        """The first output that holds fields of all members: products, plots and scores are made of it."""
        return next((output for output in self.outputs if output.is_whole), None)

    @property
    def source_in_words(self) -> str:
        """What is taken, wherever (``mirrors``) and whenever (``quiet_seconds``) that is."""
        values = self.source.model_dump(
            mode="json", exclude_defaults=True, exclude={"kind", "mirrors", "quiet_seconds"}
        )
        return f"{self.source.kind} {json.dumps(values)}" if values else self.source.kind

    @property
    def calendar(self) -> Calendar:
        """When cycles are."""
        return Calendar.of(self.cycles)

    def require_cycle(self, cycle: datetime) -> None:
        """Raise a ConfigError if ``cycle`` is none of the job's."""
        if not self.calendar.holds(cycle):
            near = self.calendar.last(cycle)
            raise ConfigError(
                f"{cycle:%Y-%m-%dT%H} is no cycle of the job {self.name!r}; the one before is {near:%Y-%m-%dT%H} "
                "(key 'cycles')"
            )

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
