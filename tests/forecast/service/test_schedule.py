"""A week of cycles with an injected clock: late, missing and broken data, clocks that jump, and other schedulers."""

from __future__ import annotations

import errno
import logging
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from data_pipeline.errors import DataError
from forecast.service.folders import Folders
from forecast.service.lock import locked
from forecast.service.schedule import Scheduler
from forecast.service.states import State
from tests.forecast.service.world import (
    HOUR,
    FakeClock,
    World,
    a_job,
    at,
    readers_see,
    schedule,
    serving,
    shoot,
    states,
)

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

WHOLE = ["forecast.manifest.json", "forecast.nc", "map.png"]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr("forecast.service.schedule.LONGEST_NAP", 600.0)
    return World(FakeClock(at(0)))


def test_a_week(tmp_path: Path, world: World) -> None:
    """28 cycles, of which one is late, one too late, one never comes, one is broken, and one meets a full disk."""
    late, too_late, never, broken, full = at(12), at(30), at(54), at(78), at(102)
    world.arrives |= {late: late + 8 * HOUR, too_late: too_late + 20 * HOUR, never: None}
    world.trouble |= {
        ("fetch", broken): [DataError("temperature at 500 hPa is NaN everywhere")] * 99,
        ("forecast", full): [OSError(errno.ENOSPC, "No space left on device", "forecast.nc")] * 3,
    }
    told = tmp_path / "told"
    hook = f'echo "$SPHERCAST_CYCLE $SPHERCAST_STATE" >> {told}'
    job = a_job(tmp_path / "job", hooks={"success": hook, "failure": hook}, prometheus=tmp_path / "x.prom")
    codes = schedule(job, world, until=at(7 * 24 + 11), after_each=lambda: readers_see(job))
    after = states(job, world)
    assert {hours: state for hours, state in after.items() if state != "done"} == {54: "missed", 78: "failed"}
    assert set(after) >= {6.0 * n for n in range(30)}
    whole = {hours for hours, files in readers_see(job).items() if files == WHOLE}
    assert whole == {hours for hours, state in after.items() if state == "done"}
    assert set(codes) == {0, 75, 1}
    assert codes.count(1) == 1, "what is broken is not tried again unasked"
    assert world.count("forecast", full) == 4
    assert max(world.calls.count(("forecast", at(6 * n))) for n in range(30) if at(6 * n) != full) == 1
    lines = told.read_text().splitlines()
    assert len(lines) == len(set(lines)), "nothing is told twice"
    assert {line for line in lines if "done" not in line} == {
        "20260303T06 missed", "20260304T06 missed", "20260305T06 failed",
    }  # fmt: skip
    assert "20260303T06 done" in lines, "what came after its deadline was made up"
    assert 'sphercast_cycles{job="test",state="failed"} 1' in (tmp_path / "x.prom").read_text()


def test_nobody_polls_more_often_than_asked(tmp_path: Path, world: World) -> None:
    world.arrives[at(0)] = None
    schedule(a_job(tmp_path, cycles=[0]), world, until=at(23))
    looks = world.count("look", at(0))
    assert 2 * 20 <= looks <= 2 * 20 + 4


def test_while_one_cycle_waits_others_are_made(tmp_path: Path, world: World) -> None:
    world.clock.time, world.arrives[at(18)] = at(20), at(40)
    schedule(a_job(tmp_path, deadline="30 h", catch_up={"window": "0 h"}), world, until=at(30))
    assert states(a_job(tmp_path), world) == {-6: "done", 0: "done", 6: "done", 12: "done", 18: "waiting", 24: "done"}


@pytest.mark.parametrize(("order", "expected"), [("newest", [18, 12, 6]), ("oldest", [6, 12, 18])])
def test_missed_cycles_are_made_up_in_the_order_asked_for(
    tmp_path: Path, world: World, order: str, expected: list[float]
) -> None:
    world.clock.time = at(22)
    schedule(a_job(tmp_path, catch_up={"window": "21 h", "order": order}), world, until=at(22.1))
    made = [(cycle - at(0)) / HOUR for name, cycle in world.calls if name == "forecast"]
    assert made == expected


def test_a_suspended_laptop(tmp_path: Path, world: World) -> None:
    """It sleeps for nine hours and then for three days: every cycle in the window once, and none twice."""
    world.clock.time = at(24)
    world.clock.jumps = {at(31): 9 * HOUR, at(48): 72 * HOUR}
    job = a_job(tmp_path, catch_up={"window": "24 h"})
    schedule(job, world, until=at(126))
    made = [(cycle - at(0)) / HOUR for name, cycle in world.calls if name == "forecast"]
    assert len(made) == len(set(made))
    assert set(made) == {6, 12, 18, 24, 30, 36, 42, *(102, 108, 114, 120)}
    assert {hours for hours, state in states(job, world).items() if state == "done"} == set(made)


def test_a_clock_that_is_set_back_does_nothing_twice(tmp_path: Path, world: World) -> None:
    world.clock.time, world.clock.jumps = at(24), {at(36): -30 * HOUR}
    schedule(a_job(tmp_path), world, until=at(40))
    made = [cycle for name, cycle in world.calls if name == "forecast"]
    assert len(made) == len(set(made))
    assert states(a_job(tmp_path), world)[36] == "done"


def test_a_clock_that_is_set_back_does_not_stop_the_polling(tmp_path: Path, world: World) -> None:
    job = a_job(tmp_path, cycles=[0])
    world.clock.time, world.trouble["fetch", at(0)] = at(8), [OSError(errno.ENOSPC, "full", "x")]
    schedule(job, world, until=at(8))
    world.clock.time = at(4)
    schedule(job, world, until=at(4))
    assert states(job, world)[0] == "done"


def test_a_clock_that_was_ahead_loses_nothing(tmp_path: Path, world: World) -> None:
    """For a day it shows next year: cycles are missed there, nothing is removed, and the present goes on."""
    world.clock.time = at(24)
    job = a_job(tmp_path, retention={"days": 3}, catch_up={"window": "48 h"})
    schedule(job, world, until=at(30))
    done = {hours for hours, state in states(job, world).items() if state == "done"}
    world.clock.time += timedelta(days=365)
    world.arrives = {at(6 * n): None for n in range(1400, 1480)}
    schedule(job, world, until=world.clock.time + 10 * HOUR)
    world.clock.time = at(31)
    schedule(job, world, until=at(48))
    after = states(job, world)
    assert done <= {hours for hours, state in after.items() if state == "done"}
    assert after[42] == "done"
    assert set(readers_see(job)) == {hours for hours, state in after.items() if state == "done"}


def test_two_schedulers_on_one_ledger(tmp_path: Path, world: World) -> None:
    """While one works on a cycle the other comes, and leaves it alone; afterwards it finds it done."""
    job, seen = a_job(tmp_path, cycles=[0], at_once=2), []

    class Watched(World):
        def forecast(self, cycle, initial, folder):
            with serving(job, world) as other:
                seen.append(Scheduler(other, lambda cycle: pytest.fail(f"{cycle} is taken")).work_off())
            return super().forecast(cycle, initial, folder)

    world.clock.time = at(5)
    schedule(job, Watched(world.clock), until=at(6))
    assert seen == [75]
    with serving(job, world) as other:
        assert Scheduler(other, lambda cycle: pytest.fail(f"{cycle} is done")).work_off() == 0


def test_what_was_interrupted_is_gone_on_with_whatever_its_age(tmp_path: Path, world: World) -> None:
    job = a_job(tmp_path, cycles=[0])
    world.clock.time = at(5)
    world.trouble["forecast", at(0)] = [KeyboardInterrupt()]
    with pytest.raises(KeyboardInterrupt):
        shoot(job, world, at(0))
    world.clock.time = at(200)
    schedule(job, world, until=at(201))
    assert states(job, world)[0] == "done"


def test_what_is_asked_for_again_is_made_whatever_its_age(tmp_path: Path, world: World) -> None:
    job = a_job(tmp_path, cycles=[0])
    world.clock.time = at(200)
    with serving(job, world) as service:
        service.ledger.record(at(0), State.DUE, at(200), "asked for again")
    schedule(job, world, until=at(201))
    assert states(job, world)[0] == "done"


def test_what_became_too_old_is_missed_and_told(tmp_path: Path, world: World) -> None:
    told = tmp_path / "told"
    job = a_job(tmp_path / "job", cycles=[0], hooks={"failure": f'echo "$SPHERCAST_MESSAGE" >> {told}'})
    world.clock.time, world.arrives[at(0)] = at(5), None
    schedule(job, world, until=at(6))
    world.clock.time = at(100)
    schedule(job, world, until=at(101))
    assert states(job, world)[0] == "missed"
    assert told.read_text().startswith("too old to be made up (1 d): not there yet: temperature")


def test_a_gap_is_said(tmp_path: Path, world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.clock.time = at(5)
    job = a_job(tmp_path)
    shoot(job, world, at(0))
    world.clock.time = at(100)
    with caplog.at_level(logging.WARNING):
        schedule(job, world, until=at(100.1))
    assert "12 cycles from 20260302T06 to 20260305T00 are too old to be made up" in caplog.text


def test_scores_are_looked_for(tmp_path: Path, world: World) -> None:
    job = a_job(tmp_path, cycles=[0], days=1, scores={"truth": "era5.zarr"}, catch_up={"window": "0 h"})
    world.clock.time, world.truth_until = at(5), at(0)
    schedule(job, world, until=at(6))
    world.truth_until = at(11 * 24)
    schedule(job, world, until=at(25))
    assert world.count("score", at(0)) == 1
    with serving(job, world) as service:
        assert service.ledger.entry(at(0)).scores == "done"


def test_one_that_is_killed_again_and_again_leaves_time_for_the_others(tmp_path: Path, world: World) -> None:
    """Each try takes longer than its rest."""
    job, tried = a_job(tmp_path, catch_up={"window": "12 h"}, poll={"first": "1 min"}), []
    world.clock.time = at(10)

    def killed(cycle: datetime) -> int:
        tried.append((cycle - at(0)) / HOUR)
        world.clock.sleep(120)
        if len(tried) == 4:
            raise KeyboardInterrupt
        return -9

    with serving(job, world) as service, pytest.raises(KeyboardInterrupt):
        Scheduler(service, killed).work_off()
    assert tried == [6, 0, 6, 0]


def test_a_retry_that_waits_for_its_turn_is_not_lost(tmp_path: Path, world: World) -> None:
    job = a_job(tmp_path, cycles=[0])
    world.clock.time = at(200)
    with serving(job, world) as service:
        service.ledger.record(at(0), State.DUE, at(200), "asked for again")
    with locked(Folders(tmp_path).slot(0), "another cycle"):
        schedule(job, world, until=at(200.5))
        assert states(job, world)[0] == "due"
    schedule(job, world, until=at(201))
    assert states(job, world)[0] == "done"


def test_scores_that_nobody_wants_any_more_are_not_looked_for(tmp_path: Path, world: World) -> None:
    world.clock.time = at(5)
    shoot(a_job(tmp_path, cycles=[0], scores={"truth": "era5.zarr"}), world, at(0))
    world.clock.time = at(300)
    with serving(a_job(tmp_path, cycles=[0]), world) as service:
        scheduler = Scheduler(service, lambda cycle: pytest.fail("it would be so every minute"))
        assert scheduler._candidates(at(300)) == [at(288)]


def test_a_locked_cycle_is_not_waited_for(tmp_path: Path, world: World) -> None:
    world.clock.time = at(10)
    with locked(Folders(tmp_path).lock(at(6)), "6"):
        schedule(a_job(tmp_path, catch_up={"window": "10 h"}), world, until=at(10.2))
    assert states(a_job(tmp_path), world) == {0: "done"}
