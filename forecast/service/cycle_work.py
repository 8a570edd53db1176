"""The work of a cycle with the job's own source, checkpoint and outputs."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import xarray as xr

from data_pipeline.errors import ConfigError, DataError, TemporaryError
from data_pipeline.publish import publish_directory, write_netcdf, write_text
from data_pipeline.realtime import (
    EcmwfOpenDataSource,
    GefsSource,
    GfsSource,
    Readiness,
    Request,
    initial_states,
)
from data_pipeline.times import shown
from forecast.checkpoint import find_checkpoint, load_checkpoint, provenance
from forecast.devices import choose_device
from forecast.files import file_names
from forecast.initial import given_members, initial_state
from forecast.job import NAME, Job, Origin, run, steps_for
from forecast.output import EnsembleLayout
from forecast.output.layout import select
from forecast.perturbation_kinds import AnalysisMembers, described
from forecast.perturbations import perturbed_states
from forecast.products.source import CONTROL
from forecast.published import remove_unlisted
from forecast.service.clock import SystemClock
from forecast.service.folders import INITIAL
from forecast.service.work import Step, Work
from forecast.stepping import Stepping

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from pathlib import Path

    from data_pipeline.grid import Grid
    from forecast.files import FileConfig
    from forecast.forecaster import Forecaster
    from forecast.initial import InitialEnsemble
    from forecast.output import Manifest
    from forecast.output.layout import Selection
    from forecast.service.clock import Clock
    from forecast.service.job_file import JobFile

    Check = Callable[[JobFile, Selection], None]

_WANTED = "wanted.txt"
"""Beside the initial states: the source and times that they are of."""


def cycle_work(
    job: JobFile, clock: Clock, steps: Sequence[Step], score: Callable[[Path], bool] | None, *, progress: bool,
    check: Check | None = None,
) -> Work:  # fmt: skip
    """Everything that ``job`` says, with the ``steps`` after its forecast, and ``score``.

    The checkpoint is loaded when it is needed first; then ``check`` looks at what comes after the forecast.
    """
    work = _CycleWork(job, clock, progress, check)
    return Work(work.look, work.fetch, work.forecast, tuple(steps), score)


def check_job(job: JobFile, cycle: datetime, check: Check | None = None) -> None:
    """Load what ``cycle`` will need, and let it go.

    Raises
    ------
    CheckpointError
        If the checkpoint cannot be read.
    ConfigError
        If the length, the outputs or the device do not fit it, or what ``check`` raises.
    DataError
        If the source never has the variables, the members or the hour of the cycle.
    """
    _CycleWork(job, SystemClock(), False, check).require_possible(cycle)


class _Model(NamedTuple):
    forecaster: Forecaster
    sha256: str
    stepping: Stepping
    steps: int


@dataclass(frozen=True)
class _CycleWork:
    job: JobFile
    clock: Clock
    progress: bool
    check: Check | None = None

    @cached_property
    def model(self) -> _Model:
        path = find_checkpoint(self.job.checkpoint)
        sha256 = provenance(path)["sha256"]
        forecaster = load_checkpoint(path)
        if provenance(path)["sha256"] != sha256:
            raise TemporaryError(f"{path} was replaced while it was read; run the same command again")
        choose_device(self.job.device)
        stepping = Stepping.of(forecaster, self.job.step_hours, self.job.output_hours)
        steps = steps_for(forecaster, self.job.days, stepping)
        attributes = {} if self.control is None else {CONTROL: str(self.control)}
        layout = _layout(forecaster, self.job.members, steps, stepping)
        file_names(self.outputs, layout, attributes)
        if self.check is not None and self.job.main_output is not None:
            self.check(self.job, select(layout, self.job.main_output))
        return _Model(forecaster, sha256, stepping, steps)

    @property
    def control(self) -> int | None:
        """The number of the unperturbed member."""
        return described(self.job.perturbation, self.job.source.control)[1]

    @property
    def outputs(self) -> Sequence[FileConfig]:
        """Products are made while the forecast runs."""
        return self.job.outputs if self.job.products is None else (*self.job.outputs, self.job.products)

    def require_possible(self, cycle: datetime) -> None:
        """Raise a DataError for what an archive never has; whatever reads files finds out when they are there."""
        source = self.job.source
        for request in self._requests(cycle):
            if isinstance(source, EcmwfOpenDataSource | GefsSource | GfsSource):
                source.require_possible(request)

    def look(self, cycle: datetime) -> Readiness:
        now = _instant(self.clock.now())
        missing: dict[str, None] = {}
        for request in self._requests(cycle):
            readiness = self.job.source.look(request, now=now)
            if readiness.gone:
                return readiness
            missing |= dict.fromkeys(readiness.missing)
        return Readiness(tuple(missing))

    def fetch(self, cycle: datetime, folder: Path) -> None:
        """What was fetched of another source, before the job was changed, is not gone on with."""
        wanted, requests, grid = self._wanted(cycle), self._requests(cycle), self.model.forecaster.grid
        name = f"{INITIAL}-{hashlib.sha256(repr((wanted, requests, grid)).encode()).hexdigest()[:12]}"
        aside = folder / f"{name}.partial"
        for number, request in enumerate(requests):
            path, fetched = aside / f"{number:04d}.nc", folder / f"{name}-{number:04d}.fetched"
            if not path.exists():
                write_netcdf(self._states(request, grid, fetched), path)
            shutil.rmtree(fetched, ignore_errors=True)
        write_text(aside / _WANTED, wanted)
        publish_directory(aside, folder / INITIAL)

    def _states(self, request: Request, grid: Grid, fetched: Path) -> xr.Dataset:
        """What is refused is not kept: the source may mend it."""
        try:
            return initial_states(self.job.source, request, grid, fetched)
        except DataError as error:
            if not isinstance(error, TemporaryError):
                shutil.rmtree(fetched, ignore_errors=True)
            raise

    def forecast(self, cycle: datetime, initial: Path, folder: Path) -> Manifest:
        if (got := (initial / _WANTED).read_text(encoding="utf-8")) != (wanted := self._wanted(cycle)):
            raise ConfigError(
                f"the initial states were fetched from {got}, and the job now says {wanted}; put that back, or begin "
                "anew with 'sphercast jobs retry --fresh'"
            )
        job = self.job
        forecaster = self.model.forecaster.to(choose_device(job.device))
        origin = Origin(
            find_checkpoint(job.checkpoint).name, self.model.sha256, job.source_in_words,
            *described(job.perturbation, job.source.control),
        )  # fmt: skip
        stepping = None if job.step_hours is None and job.output_hours is None else self.model.stepping
        states = _initial(job, forecaster, _instant(cycle), initial, self.model.stepping)
        run_of = Job(
            states, job.members, self.model.steps, job.seed, job.antithetic, origin, job.batch, job.memory,
            stepping=stepping,
        )  # fmt: skip
        names = file_names(self.outputs, run_of.layout(forecaster), run_of.attributes())
        remove_unlisted(folder, names, NAME)
        return run(run_of, forecaster, folder, self.outputs, name=NAME, progress=self.progress)

    def _wanted(self, cycle: datetime) -> str:
        """What the initial states depend on, in words."""
        requests = self._requests(cycle)
        members = [request.member for request in requests if request.member is not None]
        of = f" of {len(members)} members" if members else ""
        times = ", ".join(map(shown, requests[0].times))
        return f"{self.job.source_in_words}{of} at {times}"

    def _requests(self, cycle: datetime) -> list[Request]:
        forecaster, kind, time = self.model.forecaster, self.job.perturbation, _instant(cycle)
        times = tuple(sorted(time + length for length in self.model.stepping.initial_lengths))
        members: Sequence[int | None] = [None]
        if isinstance(kind, AnalysisMembers):
            members = range(self.job.members)
        elif kind is not None:
            times = kind.times(times, self.job.members)
        return [Request(times, forecaster.channels, member, forecaster.model.step_hours) for member in members]


def _initial(
    job: JobFile, forecaster: Forecaster, time: np.datetime64, folder: Path, stepping: Stepping
) -> InitialEnsemble:
    states = [xr.open_dataset(path, engine="netcdf4") for path in sorted(folder.glob("*.nc"))]
    if job.perturbation is None:
        return initial_state(forecaster, states[0], time, stepping)
    if isinstance(job.perturbation, AnalysisMembers):
        return given_members(forecaster, states, time, job.members, stepping)
    return perturbed_states(
        forecaster, states[0], time, job.perturbation, members=job.members, seed=job.seed, stepping=stepping
    )


def _layout(forecaster: Forecaster, members: int, steps: int, stepping: Stepping) -> EnsembleLayout:
    """Of some forecast: what fits one fits all."""
    time = np.datetime64("2000-01-01", "ns")
    times = time + np.arange(1, steps + 1) * stepping.output_length
    return EnsembleLayout(forecaster.channels, forecaster.grid, range(members), time, times)


def _instant(time: datetime) -> np.datetime64:
    return np.datetime64(time.replace(tzinfo=None), "ns")
