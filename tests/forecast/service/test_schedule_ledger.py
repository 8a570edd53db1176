"""A scheduler and its ledger: lost, damaged, replaced."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from forecast.service.folders import Folders
from forecast.service.ledger import DamagedError
from forecast.service.schedule import Scheduler
from tests.forecast.service.world import FakeClock, World, a_job, at, fake_forecast, schedule, serving, states

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr("forecast.service.schedule.LONGEST_NAP", 600.0)
    return World(FakeClock(at(5)))


def test_a_ledger_that_is_lost_is_made_of_what_is_published(tmp_path: Path, world: World, caplog) -> None:
    job = a_job(tmp_path)
    world.clock.time = at(20)
    fake_forecast(at(6), Folders(tmp_path).cycle(at(6)))
    schedule(job, world, until=at(21))
    before = states(job, world)
    Folders(tmp_path).ledger.write_bytes(b"\x00garbage" * 1000)
    made = len(world.calls)
    schedule(job, world, until=at(21.5))
    assert states(job, world) == before
    assert {name for name, _ in world.calls[made:]} <= {"look"}
    assert "was damaged (file is not a database): put aside as" in caplog.text
    assert Folders(tmp_path).ledger.with_name("ledger.sqlite.damaged-1").exists()


def test_a_ledger_that_is_damaged_while_the_scheduler_runs(tmp_path: Path, world: World) -> None:
    """Whoever opens it again has a new one; with the old one nothing would be made for ever."""
    world.clock.time = at(5)
    with serving(a_job(tmp_path), world) as service:
        scheduler = Scheduler(service, lambda cycle: 0)
        Folders(tmp_path).ledger.write_bytes(b"garbage" * 1000)
        with pytest.raises(DamagedError, match="is damaged"):
            scheduler.work_off()


def test_a_ledger_that_another_process_made_anew(tmp_path: Path, world: World) -> None:
    world.clock.time = at(5)
    ledger = Folders(tmp_path).ledger
    with serving(a_job(tmp_path), world) as service:
        scheduler = Scheduler(service, lambda cycle: 0)
        ledger.rename(tmp_path / "aside")
        for _ in range(2):  # gone, and then another one
            with pytest.raises(DamagedError, match="was made anew meanwhile"):
                scheduler.work_off()
            ledger.touch()


def test_a_ledger_that_is_damaged_at_the_end_of_a_round(tmp_path: Path, world: World) -> None:
    world.clock.time = at(5)

    def damage(cycle: object) -> int:
        Folders(tmp_path).ledger.write_bytes(b"garbage" * 1000)
        return 0

    with serving(a_job(tmp_path, cycles=[0], catch_up={"window": "0 h"}), world) as service:
        scheduler = Scheduler(service, damage)
        scheduler._choice = iter([at(0), None]).__next__  # type: ignore[method-assign]
        with pytest.raises(DamagedError, match="is damaged"):
            scheduler.work_off()
