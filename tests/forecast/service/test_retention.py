"""What is removed, and what never is."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from forecast.service.folders import INITIAL, Folders
from forecast.service.job_sections import Retention
from forecast.service.lock import locked
from forecast.service.retention import prunable, prune, superfluous
from forecast.service.states import State
from tests.forecast.service.world import HOUR, FakeClock, World, a_job, at, fake_forecast, serving, shoot, states

if TYPE_CHECKING:
    from pathlib import Path


def gone(published: list[float], unfinished: tuple[float, ...] = (), reach: float = 0, **values: Any) -> list[float]:
    found = superfluous([*map(at, published)], [*map(at, unfinished)], Retention(**values), timedelta(hours=reach))
    return [(cycle - at(0)) / HOUR for cycle in found]


def test_the_newest_are_kept() -> None:
    assert gone([0, 6, 12, 18], cycles=2) == [0, 6]
    assert gone([18, 0, 12, 6], days="6 h") == [0, 6]
    assert gone([0, 6, 12, 18], cycles=1, days="12 h") == [0]
    assert gone([0, 6, 12, 18], cycles=9) == []


def test_the_last_complete_one_is_never_removed() -> None:
    assert gone([0], days="0 h") == []
    assert gone([0, 6], days="0 h") == [0]
    assert gone([], (0, 6), cycles=1) == []


def test_what_can_be_made_up_is_kept() -> None:
    assert gone([0, 6, 12, 18], reach=12, cycles=1) == [0]


def test_unfinished_work_goes_with_what_is_older() -> None:
    assert gone([12, 18, 24], (0, 6, 15, 21), cycles=2) == [0, 6, 12, 15]


@pytest.fixture
def world() -> World:
    return World(FakeClock(at(400)))


def test_a_cycle_that_is_done_prunes(tmp_path: Path, world: World) -> None:
    job, folders = a_job(tmp_path, retention={"cycles": 2}, catch_up={"window": "0 h"}), Folders(tmp_path)
    for hours in (0, 6, 12, 396):
        shoot(job, world, at(hours))
    assert folders.cycles() == [at(12), at(396)]
    assert states(job, world) == {0: "removed", 6: "removed", 12: "done", 396: "done"}
    assert not folders.removing.exists()
    outcome = shoot(job, world, at(0))
    assert (outcome.state, outcome.exit_code) == (State.REMOVED, 0)
    assert outcome.message == "removed by retention; 'sphercast jobs retry' makes it due again"


def test_an_old_cycle_made_by_hand_outlives_itself(tmp_path: Path, world: World) -> None:
    job = a_job(tmp_path, retention={"cycles": 1})
    shoot(job, world, at(396))
    shoot(job, world, at(0))
    assert Folders(tmp_path).cycles() == [at(0), at(396)]


def test_what_someone_works_on_stays(tmp_path: Path, world: World) -> None:
    job, folders = a_job(tmp_path, retention={"cycles": 1}), Folders(tmp_path)
    for hours in (0, 6, 396):
        fake_forecast(at(hours), folders.cycle(at(hours)))
    with serving(job, world) as service, locked(folders.lock(at(0)), "0"):
        assert prunable(service) == [at(0), at(6)]
        assert prune(service) == [at(6)]
    assert folders.cycles() == [at(0), at(396)]


def test_nothing_but_cycles_is_touched(tmp_path: Path, world: World) -> None:
    job, folders = a_job(tmp_path, retention={"cycles": 1}), Folders(tmp_path)
    for hours in (0, 396):
        fake_forecast(at(hours), folders.cycle(at(hours)))
    (folders.initial(at(6)) / INITIAL).mkdir(parents=True)
    (tmp_path / "20260302").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "20260302T12").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "20260302T18").write_text("a file")
    with serving(job, world) as service:
        assert prune(service) == [at(0), at(6)]
    assert {path.name for path in tmp_path.iterdir()} == {
        ".sphercast", "20260302", "20260302T12", "20260302T18", "20260318T12", "elsewhere",
    }  # fmt: skip
    assert not folders.initial(at(6)).exists()


def test_without_retention_everything_is_kept(tmp_path: Path, world: World) -> None:
    for hours in (0, 6):
        fake_forecast(at(hours), Folders(tmp_path).cycle(at(hours)))
    with serving(a_job(tmp_path), world) as service:
        assert prune(service) == []
