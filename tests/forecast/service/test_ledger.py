"""The ledger remembers, and one that is damaged is put aside and made anew."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from data_pipeline.errors import SphercastError
from forecast.service import ledger_file
from forecast.service.ledger import CancelledError, DamagedError, Ledger, LedgerBusyError
from forecast.service.ledger_file import open_ledger
from forecast.service.states import State
from tests.forecast.service.world import at

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager
    from datetime import datetime
    from pathlib import Path


def opened(
    path: Path, job: str = "test", published: Mapping[datetime, State] | None = None
) -> AbstractContextManager[Ledger]:
    return open_ledger(
        path / ".sphercast" / "ledger.sqlite",
        job,
        lambda: {cycle: {"state": state} for cycle, state in (published or {}).items()},
        at(9),
    )


def test_it_remembers(tmp_path: Path) -> None:
    with opened(tmp_path) as ledger:
        ledger.record(at(6), State.WAITING, at(9), "no data", looks=3, next_look=at(9.5))
        ledger.record(at(0), State.DONE, at(9), "fine", ended=at(9))
    with opened(tmp_path) as ledger:
        assert [entry.cycle for entry in ledger.entries()] == [at(0), at(6)]
        entry = ledger.entry(at(6))
        assert (entry.state, entry.message, entry.looks) == (State.WAITING, "no data", 3)
        assert (entry.began, entry.updated, entry.next_look, entry.ended) == (at(9), at(9), at(9.5), None)
        assert ledger.entry(at(12)) is None


def test_history_does_not_repeat_itself(tmp_path: Path) -> None:
    with opened(tmp_path) as ledger:
        for hours, message in ((1, "no data"), (2, "no data"), (3, "half the data")):
            ledger.record(at(0), State.WAITING, at(hours), message)
        assert [(event.time, event.message) for event in ledger.events(at(0))] == [
            (at(1), "no data"), (at(3), "half the data"),
        ]  # fmt: skip
        assert ledger.entry(at(0)).updated == at(3)


def test_cancelled_stays_cancelled(tmp_path: Path) -> None:
    with opened(tmp_path) as ledger:
        ledger.record(at(0), State.CANCELLED, at(9))
        with pytest.raises(CancelledError, match="cycle 20260302T00 was cancelled; 'sphercast jobs retry'"):
            ledger.record(at(0), State.FORECASTING, at(9))
        ledger.record(at(0), State.DUE, at(9), anew=True)
        assert ledger.entry(at(0)).state is State.DUE


def test_a_new_one_is_made_of_what_is_published(tmp_path: Path) -> None:
    with opened(tmp_path, published={at(0): State.DONE, at(6): State.PROCESSING}) as ledger:
        assert [entry.state for entry in ledger.entries()] == [State.DONE, State.PROCESSING]
        assert ledger.events(at(0))[0].message == "found in the folder"


def damage_header(path: Path) -> None:
    path.write_bytes(b"garbage" * 1000)


def damage_pages(path: Path) -> None:
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))


def cut(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(5000)


@pytest.mark.parametrize("damage", [damage_header, damage_pages, cut])
def test_damage(tmp_path: Path, caplog: pytest.LogCaptureFixture, damage) -> None:
    path = tmp_path / ".sphercast" / "ledger.sqlite"
    for number in (1, 2):
        with opened(tmp_path) as ledger:
            ledger.record(at(0), State.WAITING, at(9), "no data")
        damage(path)
        damaged = path.read_bytes()
        with opened(tmp_path, published={at(6): State.DONE}) as ledger:
            assert [entry.cycle for entry in ledger.entries()] == [at(6)]
        assert f"put aside as ledger.sqlite.damaged-{number}, and made anew" in caplog.text
        assert path.with_name(f"ledger.sqlite.damaged-{number}").read_bytes() == damaged


def test_a_hot_journal_goes_with_the_damaged_file(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    damage_header(path)
    path.with_name("ledger.sqlite-journal").write_bytes(b"old")
    ledger_file._put_aside(path, ValueError("damage"))
    assert path.with_name("ledger.sqlite.damaged-1-journal").read_bytes() == b"old"


def test_two_that_find_the_damage_put_it_aside_once(tmp_path: Path) -> None:
    path = tmp_path / ".sphercast" / "ledger.sqlite"
    with opened(tmp_path):
        pass
    damage_header(path)
    both = threading.Barrier(2, timeout=10)

    def mend() -> None:
        both.wait()
        with opened(tmp_path):
            pass

    threads = [threading.Thread(target=mend) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [each.name for each in path.parent.glob("*.damaged-*")] == ["ledger.sqlite.damaged-1"]


def test_damage_that_shows_later(tmp_path: Path) -> None:
    damage_header(tmp_path / "x")
    said = pytest.raises(DamagedError, match=r"the ledger is damaged \(.*\); run again to make it anew")
    with closing(sqlite3.connect(tmp_path / "x")) as connection, said:
        Ledger(connection).entries()


def test_locked_for_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_file, "_SECONDS_TO_WAIT", 0.1)
    with opened(tmp_path) as ledger:
        other = sqlite3.connect(tmp_path / ".sphercast" / "ledger.sqlite", isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(LedgerBusyError, match=r"the ledger cannot be written \(database is locked\)"):
            ledger.record(at(0), State.DONE, at(9))
        other.close()


def test_another_jobs_folder(tmp_path: Path) -> None:
    with opened(tmp_path):
        pass
    with pytest.raises(SphercastError, match="belongs to the job 'test', got 'other'; give each job its own 'folder'"):
        opened(tmp_path, "other").__enter__()


def test_another_version(tmp_path: Path) -> None:
    with opened(tmp_path):
        pass
    other = sqlite3.connect(tmp_path / ".sphercast" / "ledger.sqlite")
    other.execute("PRAGMA user_version = 7")
    other.close()
    with pytest.raises(SphercastError, match="is a ledger of version 7, expected 1; use the sphercast that wrote it"):
        opened(tmp_path).__enter__()
