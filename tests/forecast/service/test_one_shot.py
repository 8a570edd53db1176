"""One shot at a cycle: idempotent, and every trouble has its state, its exit code and its sentence."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

from data_pipeline.errors import CheckpointError, DataError, TemporaryError
from forecast.service.folders import BEGUN, Folders
from forecast.service.lock import locked
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
    from pathlib import Path

WHOLE = ["forecast.manifest.json", "forecast.nc", "map.png"]


@pytest.fixture
def world() -> World:
    return World(FakeClock(at(5)))


def test_done_once(tmp_path: Path, world: World) -> None:
    job = a_job(tmp_path)
    first = shoot(job, world, at(0))
    assert (first.state, first.exit_code, first.message) == (State.DONE, 0, "3 members, 4 steps")
    assert [path.name for path in first.files] == WHOLE
    assert [name for name, _ in world.calls] == ["look", "fetch", "forecast", "draw"]
    assert not Folders(tmp_path).initial(at(0)).exists()
    assert shoot(job, world, at(0)) == first
    assert len(world.calls) == 4


def test_killed_when_it_had_just_published(tmp_path: Path, world: World) -> None:
    """What the forecast grew in is removed, which the kill has left behind."""
    job, begun = a_job(tmp_path), Folders(tmp_path).cycle(at(0)) / BEGUN
    world.trouble["draw", at(0)] = [KeyboardInterrupt()]
    with pytest.raises(KeyboardInterrupt):
        shoot(job, world, at(0))
    begun.mkdir()
    (begun / "run.json").touch()
    assert shoot(job, world, at(0)).state is State.DONE
    assert not begun.exists()
    assert world.count("forecast", at(0)) == 1


def test_not_due_yet(tmp_path: Path, world: World) -> None:
    outcome = shoot(a_job(tmp_path), world, at(6))
    assert (outcome.state, outcome.exit_code) == (State.DUE, 75)
    assert outcome.message == "it is due at 2026-03-02 09:00 UTC"
    assert (world.calls, readers_see(a_job(tmp_path))) == ([], {})


def test_not_there_yet_without_patience(tmp_path: Path, world: World) -> None:
    world.arrives[at(0)] = at(6)
    outcome = shoot(a_job(tmp_path), world, at(0))
    assert (outcome.state, outcome.exit_code) == (State.WAITING, 75)
    assert "not there yet: temperature on 3 of 13 levels" in outcome.message


def test_patience_polls_with_growing_pauses_until_it_is_there(tmp_path: Path, world: World) -> None:
    world.arrives[at(0)] = at(6)
    outcome = shoot(a_job(tmp_path), world, at(0), patient=True)
    assert (outcome.state, outcome.exit_code) == (State.DONE, 0)
    assert world.count("look", at(0)) == 4  # after 0, 10, 30 and 60 minutes
    assert world.clock.now() == at(6.5)


def test_patience_ends_at_the_deadline(tmp_path: Path, world: World) -> None:
    world.arrives[at(0)] = None
    outcome = shoot(a_job(tmp_path), world, at(0), patient=True)
    assert (outcome.state, outcome.exit_code) == (State.MISSED, 75)
    assert "not made until the deadline, 2026-03-02 09:00 UTC: not there yet" in outcome.message
    assert world.clock.now() == at(9)


def test_a_missed_cycle_can_be_made_by_hand(tmp_path: Path, world: World) -> None:
    world.arrives[at(0)], world.clock.time = at(30), at(20)
    assert shoot(a_job(tmp_path), world, at(0), patient=True).state is State.MISSED
    world.clock.time = at(31)
    assert shoot(a_job(tmp_path), world, at(0)).state is State.DONE


def test_older_than_the_source_keeps(tmp_path: Path, world: World) -> None:
    world.gone[at(0)] = "GFS keeps ten days, and 2026-03-02T00 is older"
    outcome = shoot(a_job(tmp_path), world, at(0), patient=True)
    assert (outcome.state, outcome.exit_code) == (State.FAILED, 1)
    assert outcome.message == "GFS keeps ten days, and 2026-03-02T00 is older"
    assert readers_see(a_job(tmp_path)) == {}


@pytest.mark.parametrize(
    ("stage", "error", "state", "code", "words"),
    [
        ("fetch", TemporaryError("the mirrors answer 503"), "waiting", 75, "503"),
        ("fetch", DataError("temperature at 500 hPa is NaN everywhere"), "failed", 1, "NaN everywhere"),
        ("forecast", CheckpointError("another checkpoint"), "failed", 1, "another checkpoint"),
        ("forecast", OSError(errno.ENOSPC, "No space left", "/x"), "waiting", 75, "No space left: /x"),
        ("fetch", OSError(errno.ENOSPC, "No space left", "/x"), "waiting", 75, "No space left: /x"),
        ("draw", OSError(errno.EDQUOT, "Disk quota exceeded", "/x"), "waiting", 75, "Disk quota exceeded: /x"),
        ("look", ConnectionResetError(errno.ECONNRESET, "reset by peer"), "waiting", 75, "reset by peer"),
        ("forecast", PermissionError(errno.EACCES, "Permission denied", "/x"), "failed", 1, "Permission denied: /x"),
        ("forecast", RuntimeError("a bug\nin two lines"), "failed", 1, "unexpected RuntimeError: a bug in two lines"),
        ("draw", DataError("no such level"), "failed", 1, "no such level"),
    ],
)  # fmt: skip
def test_trouble_is_said_and_goes_on_from_there(
    tmp_path: Path, world: World, stage: str, error: Exception, state: str, code: int, words: str
) -> None:
    job = a_job(tmp_path)
    world.trouble[stage, at(0)] = [error]
    outcome = shoot(job, world, at(0))
    assert (outcome.state, outcome.exit_code) == (state, code)
    assert words in outcome.message
    assert "\n" not in outcome.message
    assert states(job, world) == {0: state}
    published = {"draw": {0: WHOLE[:2]}}.get(stage, {})
    assert readers_see(job) == published
    world.calls.clear()
    assert shoot(job, world, at(0)).state is State.DONE
    assert ("fetch" in dict(world.calls)) == (stage in {"fetch", "look"}), "what was fetched is not fetched again"
    assert ("forecast" in dict(world.calls)) == (stage != "draw"), "what is published is not computed again"


def test_someone_else_is_at_it(tmp_path: Path, world: World) -> None:
    with locked(Folders(tmp_path).lock(at(0)), "the cycle"):
        outcome = shoot(a_job(tmp_path), world, at(0))
    assert (outcome.state, outcome.exit_code, world.calls) == (State.WAITING, 75, [])
    assert "cycle 20260302T00 is being worked on by process" in outcome.message


def test_no_more_runs_at_once_than_the_job_says(tmp_path: Path, world: World) -> None:
    world.clock.time = at(11)
    with locked(Folders(tmp_path).slot(0), "another cycle"):
        assert shoot(a_job(tmp_path), world, at(6)).state is State.WAITING
        assert shoot(a_job(tmp_path, at_once=2), world, at(6)).state is State.DONE


def test_a_cycle_that_waits_for_its_turn_is_not_missed(tmp_path: Path, world: World) -> None:
    world.clock.time = at(8)
    job = a_job(tmp_path, hooks={"failure": f"touch {tmp_path / 'told'}"})
    with locked(Folders(tmp_path).slot(0), "another cycle"):
        assert shoot(job, world, at(0), patient=True).state is State.WAITING
        assert world.clock.now() == at(9), "patience ends at the deadline"
        world.clock.time = at(20)
        assert shoot(job, world, at(0), patient=True).state is State.WAITING
    assert not (tmp_path / "told").exists()
    assert shoot(job, world, at(0)).state is State.DONE


@pytest.mark.parametrize("before", [None, State.MISSED, State.FAILED, State.FORECASTING])
def test_an_old_cycle_that_waits_for_its_turn_stays_asked_for(
    tmp_path: Path, world: World, before: State | None
) -> None:
    """Nobody but a person asks for it, or it was begun; the scheduler makes it when there is room."""
    world.clock.time, job = at(100), a_job(tmp_path, cycles=[0], catch_up={"window": "1 d"})
    if before is not None:
        with serving(job, world) as service:
            service.ledger.record(at(0), before, at(50))
    with locked(Folders(tmp_path).slot(0), "another cycle"):
        outcome = shoot(job, world, at(0))
    assert (outcome.state, outcome.exit_code) == (State.DUE, 75)
    assert "is being worked on by" in outcome.message
    schedule(job, world, until=at(101))
    assert states(job, world)[0] == "done"


def test_stopped_members_are_said(tmp_path: Path, world: World) -> None:
    world.stopped = (1,)
    assert shoot(a_job(tmp_path), world, at(0)).message == "3 members, 4 steps; 1 stopped before the end: 1"


def test_a_signal_is_noted_and_the_next_start_goes_on(tmp_path: Path, world: World) -> None:
    job = a_job(tmp_path)
    world.trouble["forecast", at(0)] = [KeyboardInterrupt()]
    with pytest.raises(KeyboardInterrupt):
        shoot(job, world, at(0))
    with serving(job, world) as service:
        last = service.ledger.events(at(0))[-1]
    assert (last.state, last.message) == (State.FORECASTING, "stopped by a signal; the next start goes on")
    world.gone[at(0)] = "the source has dropped it meanwhile"
    assert shoot(job, world, at(0)).state is State.DONE
    with serving(job, world) as service:
        entry, events = service.ledger.entry(at(0)), service.ledger.events(at(0))
    assert [event.state for event in events].count(State.FETCHING) == 1, "what is there is not fetched"
    assert (entry.attempts, entry.started) == (2, at(5))


def test_cancelled_while_it_runs(tmp_path: Path, world: World) -> None:
    job = a_job(tmp_path)

    class Cancelling(World):
        def fetch(self, cycle, folder) -> None:
            super().fetch(cycle, folder)
            with serving(job, world) as service:
                service.ledger.record(cycle, State.CANCELLED, self.clock.now(), "cancelled by hand")

    outcome = shoot(job, Cancelling(world.clock), at(0))
    assert (outcome.state, outcome.exit_code) == (State.CANCELLED, 0)
    assert shoot(job, world, at(0)).message == "cancelled by hand; 'sphercast jobs retry' makes it due again"
    assert (world.calls, readers_see(job)) == ([], {})


def test_what_was_deleted_by_hand_is_made_again(tmp_path: Path, world: World) -> None:
    job = a_job(tmp_path)
    shoot(job, world, at(0))
    for path in Folders(tmp_path).files(at(0)):
        path.unlink()
    assert shoot(job, world, at(0)).state is State.DONE
    assert world.count("forecast", at(0)) == 2


def test_scores_come_when_the_truth_has_arrived(tmp_path: Path, world: World) -> None:
    job = a_job(tmp_path, scores={"truth": "era5.zarr", "give_up": "2 d"})
    shoot(job, world, at(0))
    assert world.count("score", at(0)) == 0
    for days, tries in ((9.9, 0), (10, 1), (10.1, 1), (10.3, 2)):
        world.clock.time = at(days * 24)
        assert shoot(job, world, at(0)).exit_code == 0
        assert world.count("score", at(0)) == tries
    world.clock.time, world.truth_until = at(11 * 24), at(10 * 24)
    shoot(job, world, at(0))
    with serving(job, world) as service:
        entry = service.ledger.entry(at(0))
    assert (entry.state, entry.scores, entry.message) == (State.DONE, "done", "3 members, 4 steps; scored")


def test_earlier_cycles_are_scored_by_later_ones(tmp_path: Path, world: World) -> None:
    """Cron and Kubernetes make the latest only; one that someone works on waits."""
    job = a_job(tmp_path, scores={"truth": "era5.zarr"})
    for hours in (0, 6):
        world.clock.time = at(hours + 5)
        shoot(job, world, at(hours))
    world.clock.time, world.truth_until = at(11 * 24 + 5), at(11 * 24)
    with locked(Folders(tmp_path).lock(at(6)), "6"):
        assert shoot(job, world, at(11 * 24)).state is State.DONE
    with serving(job, world) as service:
        assert [entry.scores for entry in service.ledger.entries()] == ["done", "waiting", "waiting"]
    shoot(job, world, at(11 * 24))
    with serving(job, world) as service:
        assert [entry.scores for entry in service.ledger.entries()] == ["done", "done", "waiting"]


@pytest.mark.parametrize(
    ("error", "end"),
    [(DataError("no truth"), "failed"), (ValueError("a bug"), "failed"), (OSError(28, "full", "scores.nc"), "waiting")],
)
def test_scores_that_fail_leave_the_cycle_done(
    tmp_path: Path, world: World, error: Exception, end: str, caplog: pytest.LogCaptureFixture
) -> None:
    job = a_job(tmp_path, scores={"truth": "era5.zarr", "every": "6 h"})
    shoot(job, world, at(0))
    world.clock.time, world.trouble["score", at(0)] = at(10.5 * 24), [error]
    assert shoot(job, world, at(0)).state is State.DONE
    with serving(job, world) as service:
        entry = service.ledger.entry(at(0))
    assert (entry.scores, entry.next_look) == (end, at(10.5 * 24 + 6) if end == "waiting" else None)
    assert "cycle 20260302T00: after it: " in caplog.text
    assert ("Traceback" in caplog.text) == isinstance(error, ValueError)


def test_metrics_with_a_bug_leave_the_cycle_done(
    tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("forecast.service.follow_up.report", lambda service: {}["x"])
    assert shoot(a_job(tmp_path), world, at(0)).state is State.DONE
    assert "after it: unexpected KeyError: 'x'; see the log" in caplog.text


@pytest.mark.parametrize(("error", "end"), [(None, "missed"), (DataError("no truth"), "failed")])
def test_scores_that_never_come(tmp_path: Path, world: World, error: DataError | None, end: str) -> None:
    job = a_job(tmp_path, scores={"truth": "era5.zarr", "give_up": "2 d"})
    shoot(job, world, at(0))
    world.clock.time = at(12.5 * 24)
    world.trouble["score", at(0)] = [error] if error else []
    assert shoot(job, world, at(0)).state is State.DONE
    with serving(job, world) as service:
        assert service.ledger.entry(at(0)).scores == end
    shoot(job, world, at(0) + 6 * HOUR)
    assert world.count("score", at(0)) == 1
