"""A world for the service: a clock that only the test moves, a provider with its delays, and a model that is none."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from data_pipeline.realtime import Readiness
from forecast.output.manifest import MANIFEST, Manifest, publish
from forecast.service.folders import INITIAL, Folders
from forecast.service.job_file import JobFile
from forecast.service.ledger_file import open_ledger
from forecast.service.one_shot import Outcome, run_cycle
from forecast.service.schedule import Scheduler
from forecast.service.service import Service, published
from forecast.service.work import Step, Work

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

HOUR = timedelta(hours=1)
MONDAY = datetime(2026, 3, 2, tzinfo=UTC)


def at(hours: float) -> datetime:
    """So many hours after Monday 00 UTC."""
    return MONDAY + hours * HOUR


@dataclass
class FakeClock:
    """Stands still until someone sleeps; ``jumps`` are done when their time has come."""

    time: datetime = MONDAY
    jumps: dict[datetime, timedelta] = field(default_factory=dict)

    def now(self) -> datetime:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)
        for moment in [moment for moment in self.jumps if moment <= self.time]:
            self.time += self.jumps.pop(moment)


class EndOfTheWorldError(BaseException):
    """The test's time is over; like a signal, it ends the scheduler."""


@dataclass
class World:
    """What the provider and the model do, and what was asked of them.

    ``arrives``: when a cycle's data are complete, 4 h after it by default, None for never. ``trouble``: what fetching
    or forecasting a cycle raises, in turn. ``takes``: how long a forecast computes.
    """

    clock: FakeClock
    arrives: dict[datetime, datetime | None] = field(default_factory=dict)
    gone: dict[datetime, str] = field(default_factory=dict)
    trouble: dict[tuple[str, datetime], list[BaseException]] = field(default_factory=dict)
    takes: timedelta = 0.5 * HOUR
    calls: list[tuple[str, datetime]] = field(default_factory=list)
    stopped: tuple[int, ...] = ()
    truth_until: datetime | None = None

    def look(self, cycle: datetime) -> Readiness:
        self._called("look", cycle)
        arrival = self.arrives.get(cycle, cycle + 4 * HOUR)
        if cycle in self.gone:
            return Readiness(gone=self.gone[cycle])
        if arrival is None or self.clock.now() < arrival:
            return Readiness(missing=("temperature on 3 of 13 levels",))
        return Readiness()

    def fetch(self, cycle: datetime, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._called("fetch", cycle)
        (folder / INITIAL).write_text(f"{cycle}")

    def forecast(self, cycle: datetime, initial: Path, folder: Path) -> Manifest:
        assert initial.read_text() == f"{cycle}"
        self._called("forecast", cycle)
        FakeClock.sleep(self.clock, self.takes.total_seconds())
        return fake_forecast(cycle, folder, self.stopped)

    def draw(self, folder: Path) -> None:
        self._called("draw", datetime.strptime(f"{folder.name}Z", "%Y%m%dT%HZ").replace(tzinfo=UTC))
        (folder / "map.png").write_bytes(b"map")

    def score(self, folder: Path) -> bool:
        cycle = datetime.strptime(f"{folder.name}Z", "%Y%m%dT%HZ").replace(tzinfo=UTC)
        self._called("score", cycle)
        if self.truth_until is None or self.truth_until < cycle + 10 * 24 * HOUR:
            return False
        (folder / "scores.nc").write_bytes(b"scores")
        return True

    def work(self) -> Work:
        return Work(self.look, self.fetch, self.forecast, (Step("the map", ("map.png",), self.draw),), self.score)

    def count(self, name: str, cycle: datetime) -> int:
        return self.calls.count((name, cycle))

    def _called(self, name: str, cycle: datetime) -> None:
        self.calls.append((name, cycle))
        if self.trouble.get((name, cycle)):
            raise self.trouble[name, cycle].pop(0)


def fake_forecast(
    cycle: datetime, folder: Path, stopped: tuple[int, ...] = (), files: tuple[str, ...] = ("forecast.nc",)
) -> Manifest:
    work = folder / ".forecast.partial"
    work.mkdir(parents=True, exist_ok=True)
    for file in files:
        (work / file).write_text(f"{file} of {cycle}")
    why = [{"member": member, "step": 1, "time": "x", "reason": "NaN"} for member in stopped]
    manifest = Manifest(
        complete=not stopped, initial_time=f"{cycle:%Y-%m-%dT%H}", members=(0, 1, 2), steps=4, step_hours=6.0,
        hours_complete=24.0, stopped=tuple(why), checkpoint="planet", checkpoint_sha256="0", seed=0, initial_data="x",
        initial_sha256="0", versions={}, started="x", finished="x",
    )  # fmt: skip
    written = publish(work, folder, files, manifest)
    shutil.rmtree(work)
    return written


def a_job(folder: Path, **values: Any) -> JobFile:
    given = {"name": "test", "checkpoint": "planet", "source": {"kind": "folder", "path": "x"}, "folder": folder}
    poll = {"first": "10 min", "longest": "30 min"}
    return JobFile.model_validate({**given, "delay": "3 h", "deadline": "9 h", "poll": poll, **values})


@contextmanager
def serving(job: JobFile, world: World) -> Iterator[Service]:
    path, work = Folders(job.folder).ledger, world.work()
    with open_ledger(path, job.name, lambda: published(job, work.steps), world.clock.now()) as ledger:
        yield Service(job, work, ledger, world.clock)


def shoot(job: JobFile, world: World, cycle: datetime, *, patient: bool = False) -> Outcome:
    with serving(job, world) as service:
        return run_cycle(service, cycle, patient=patient)


def schedule(job: JobFile, world: World, until: datetime, after_each: Callable[[], None] = lambda: None) -> list[int]:
    """Let the scheduler work until a moment; the exit codes of its shots."""
    codes = []

    with serving(job, world) as service:

        def attempt(cycle: datetime) -> int:
            codes.append(run_cycle(service, cycle, patient=False).exit_code)
            after_each()
            return codes[-1]

        scheduler = Scheduler(service, attempt)
        sleep = world.clock.sleep

        def sleep_until_the_end(seconds: float) -> None:
            if world.clock.now() >= until:
                raise EndOfTheWorldError
            sleep(seconds)

        world.clock.sleep = sleep_until_the_end  # type: ignore[method-assign]
        try:
            scheduler.serve()
        except EndOfTheWorldError:
            pass
        finally:
            world.clock.sleep = sleep  # type: ignore[method-assign]
    return codes


def states(job: JobFile, world: World) -> dict[float, str]:
    """{hours after Monday: state in the ledger}."""
    with serving(job, world) as service:
        return {(entry.cycle - MONDAY) / HOUR: str(entry.state) for entry in service.ledger.entries()}


def readers_see(job: JobFile) -> dict[float, list[str]]:
    """{hours after Monday: what is in the folder of a cycle}; every forecast that has a name has its manifest."""
    folders, seen = Folders(job.folder), {}
    for cycle in folders.cycles():
        seen[(cycle - MONDAY) / HOUR] = [path.name for path in folders.files(cycle)]
        if "forecast.nc" in seen[(cycle - MONDAY) / HOUR]:
            assert MANIFEST in seen[(cycle - MONDAY) / HOUR]
    return seen
