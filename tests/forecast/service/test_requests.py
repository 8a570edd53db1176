"""What an operator asks for."""

from __future__ import annotations

import os
import signal
import socket
from typing import TYPE_CHECKING

import pytest

from data_pipeline.errors import ConfigError, DataError, SphercastError
from forecast.service.folders import INITIAL, Folders
from forecast.service.lock import BusyError, Holder, locked
from forecast.service.requests import cancel, retry
from forecast.service.states import State
from tests.forecast.service.world import FakeClock, World, a_job, at, serving, shoot, states

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def world() -> World:
    return World(FakeClock(at(5)))


def test_retry_makes_a_failed_cycle_due(tmp_path: Path, world: World) -> None:
    job, folders = a_job(tmp_path), Folders(tmp_path)
    world.trouble["forecast", at(0)] = [DataError("all members stopped")]
    shoot(job, world, at(0))
    begun = folders.cycle(at(0)) / ".forecast.partial"
    begun.mkdir(parents=True)
    with serving(job, world) as service:
        assert retry(service, at(0)).startswith("cycle 20260302T00: due; the scheduler takes it, or 'sphercast run")
        assert begun.exists()
        assert (folders.initial(at(0)) / INITIAL).exists()
        retry(service, at(0), fresh=True)
    assert not begun.exists()
    assert not folders.initial(at(0)).exists()
    assert states(job, world) == {0: "due"}
    assert shoot(job, world, at(0)).state is State.DONE


def test_what_is_done_is_not_made_again(tmp_path: Path, world: World) -> None:
    job = a_job(tmp_path)
    shoot(job, world, at(0))
    with (
        serving(job, world) as service,
        pytest.raises(SphercastError, match="is done; to make it anew, remove"),
    ):
        retry(service, at(0))


def test_scores_again(tmp_path: Path, world: World) -> None:
    job = a_job(tmp_path, scores={"truth": "x"})
    shoot(job, world, at(0))
    world.clock.time, world.trouble["score", at(0)] = at(250), [DataError("damaged")]
    shoot(job, world, at(0))
    with serving(job, world) as service:
        assert retry(service, at(0)) == "cycle 20260302T00: its scores are due again"
    world.truth_until = at(250)
    shoot(job, world, at(0))
    with serving(job, world) as service:
        assert service.ledger.entry(at(0)).scores == "done"


def test_not_while_someone_works_on_it(tmp_path: Path, world: World) -> None:
    busy = pytest.raises(BusyError)
    with serving(a_job(tmp_path), world) as service, locked(service.folders.lock(at(0)), "x"), busy:
        retry(service, at(0))


def test_cancel_and_think_again(tmp_path: Path, world: World) -> None:
    job = a_job(tmp_path)
    with serving(job, world) as service:
        assert cancel(service, at(0)) == "cycle 20260302T00: cancelled"
        assert shoot(job, world, at(0)).state is State.CANCELLED
        retry(service, at(0))
    assert shoot(job, world, at(0)).state is State.DONE
    with serving(job, world) as service, pytest.raises(SphercastError, match="is done and cannot be cancelled"):
        cancel(service, at(0))


def test_what_is_no_cycle_is_not_made_due(tmp_path: Path, world: World) -> None:
    said = pytest.raises(ConfigError, match="2026-03-02T01 is no cycle of the job 'test'; the one before is 2026-03")
    with serving(a_job(tmp_path), world) as service, said:
        retry(service, at(1))
    with serving(a_job(tmp_path), world) as service, pytest.raises(ConfigError, match="T01 is no cycle of the job"):
        cancel(service, at(1))
    assert states(a_job(tmp_path), world) == {}


def test_cancel_meets_one_that_has_just_ended(tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*arguments: object) -> None:
        raise ProcessLookupError

    monkeypatch.setattr(os, "kill", gone)
    monkeypatch.setattr("forecast.service.requests.holder", lambda path: Holder(4711, socket.gethostname()))
    with serving(a_job(tmp_path), world) as service:
        cancel(service, at(0))
    assert states(a_job(tmp_path), world) == {0: "cancelled"}


@pytest.mark.parametrize("here", [True, False])
def test_cancel_stops_who_works_on_it(
    tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch, *, here: bool
) -> None:
    killed: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda *arguments: killed.append(arguments))
    by = Holder(4711, socket.gethostname() if here else "elsewhere")
    monkeypatch.setattr("forecast.service.requests.holder", lambda path: by)
    with serving(a_job(tmp_path), world) as service:
        said = cancel(service, at(0))
    assert killed == ([(4711, signal.SIGTERM)] if here else [])
    assert said.endswith("was asked to stop" if here else "still works on it and ends at its next stage")
