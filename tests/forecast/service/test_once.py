"""``schedule --once``, as timers, cron and Kubernetes start it again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from data_pipeline.errors import DataError
from forecast.service.one_shot import run_cycle
from forecast.service.schedule import Scheduler
from tests.forecast.service.world import HOUR, FakeClock, World, a_job, at, serving, states

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from forecast.service.job_file import JobFile


@pytest.fixture
def world() -> World:
    return World(FakeClock(at(0)))


def once(job: JobFile, world: World) -> int:
    with serving(job, world) as service:
        return Scheduler(service, lambda cycle: run_cycle(service, cycle, patient=False).exit_code).work_off()


def every_15_min(job: JobFile, world: World, until: datetime) -> set[int]:
    codes = set()
    while world.clock.now() < until:
        codes.add(once(job, world))
        world.clock.sleep(900)
    return codes


def test_cycles_beside_one_that_never_comes_are_made(tmp_path: Path, world: World) -> None:
    """Deadlines are longer than the time between cycles; whoever waits for one cycle alone loses the next."""
    job = a_job(tmp_path, delay="0 h", deadline="12 h")
    world.arrives[at(0)] = None
    assert every_15_min(job, world, at(11)) == {75}
    assert {hours: states(job, world)[hours] for hours in (0, 6)} == {0: "waiting", 6: "done"}
    assert every_15_min(job, world, at(30)) == {0, 75}
    after = states(job, world)
    assert {hours: after[hours] for hours in (0, 6, 12, 18)} == {0: "missed", 6: "done", 12: "done", 18: "done"}


def test_a_late_cycle_holds_none_up(tmp_path: Path, world: World) -> None:
    job, world.arrives[at(6)] = a_job(tmp_path, cycles=[6, 12]), at(20)
    world.clock.time = at(9)
    every_15_min(job, world, at(17))
    assert {6: "missed", 12: "done"}.items() <= states(job, world).items()
    every_15_min(job, world, at(17) + 4 * HOUR)
    assert states(job, world)[6] == "done"


def test_a_failure_is_told_once(tmp_path: Path, world: World) -> None:
    job, world.clock.time = a_job(tmp_path, cycles=[0], catch_up={"window": "0 h"}), at(5)
    world.trouble["fetch", at(0)] = [DataError("a variable is NaN")]
    assert [once(job, world) for _ in range(2)] == [1, 0]
