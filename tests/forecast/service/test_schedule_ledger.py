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


@pytest.mark.parametrize("scores", [None, {"truth": "era5.zarr"}])
def test_scores_are_looked_for_by_a_ledger_made_anew(tmp_path: Path, world: World, scores: dict | None) -> None:
    """Those that are there are not made again, and those that are not wanted are not looked for."""
    job = a_job(tmp_path, cycles=[0], scores=scores, catch_up={"window": "0 h"})
    for cycle in (at(0), at(24)):
        folder = Folders(tmp_path).cycle(cycle)
        fake_forecast(cycle, folder)
        (folder / "map.png").touch()
    (Folders(tmp_path).cycle(at(0)) / "scores.nc").touch()
    Folders(tmp_path).ledger.parent.mkdir()
    Folders(tmp_path).ledger.write_bytes(b"garbage" * 1000)
    with serving(job, world) as service:
        found = {entry.cycle: (entry.scores, entry.next_look) for entry in service.ledger.entries()}
    wanted = {at(0): ("done", None), at(24): ("waiting", at(11 * 24))}
    assert found == (wanted if scores else dict.fromkeys(wanted, ("", None)))
    world.clock.time = world.truth_until = at(11 * 24)
    schedule(job, world, until=at(11 * 24 + 1))
    looked_for = [cycle for name, cycle in world.calls if name == "score"]
    assert looked_for == ([at(24)] if scores else [])
    assert states(job, world)[24] == "done"


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
