"""The ledger: what became of each cycle, when, and what was said. SQLite, one file in the job's folder."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from data_pipeline.errors import SphercastError
from forecast.service.cycles import name_of, parse_cycle
from forecast.service.states import State

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TIMES = ("updated", "began", "next_look", "started", "ended")
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT}


class LedgerBusyError(SphercastError):
    """The ledger cannot be written now: locked by another process for long, or the disk is full."""


class CancelledError(SphercastError):
    """Someone has cancelled the cycle meanwhile."""


class DamagedError(LedgerBusyError):
    """The ledger is damaged; whoever opens it next puts it aside and makes it anew."""


@dataclass(frozen=True)
class Entry:
    """A cycle in the ledger.

    ``looks`` counts how often its initial conditions were looked for in vain, ``attempts`` how often work on it began;
    ``next_look`` is when it is worth looking again; ``scores`` is "" (none asked for), "waiting", "done" or "missed".
    """

    cycle: datetime
    state: State
    message: str
    updated: datetime
    began: datetime
    looks: int = 0
    attempts: int = 0
    next_look: datetime | None = None
    started: datetime | None = None
    ended: datetime | None = None
    scores: str = ""


@dataclass(frozen=True)
class Event:
    """One line of a cycle's history."""

    time: datetime
    state: State
    message: str


@dataclass(frozen=True)
class Ledger:
    """An open ledger; ``ledger_file.open_ledger`` gives one."""

    _connection: sqlite3.Connection

    def entry(self, cycle: datetime) -> Entry | None:
        """What is known of a cycle."""
        with speaking(self._connection) as connection:
            row = connection.execute("SELECT * FROM cycles WHERE cycle = ?", (name_of(cycle),)).fetchone()
        return _entry(row) if row else None

    def entries(self) -> list[Entry]:
        """All cycles, oldest first."""
        with speaking(self._connection) as connection:
            return [_entry(row) for row in connection.execute("SELECT * FROM cycles ORDER BY cycle")]

    def events(self, cycle: datetime) -> list[Event]:
        """The history of a cycle, oldest first."""
        query = "SELECT * FROM events WHERE cycle = ? ORDER BY number"
        with speaking(self._connection) as connection:
            rows = connection.execute(query, (name_of(cycle),)).fetchall()
        return [Event(_time(row["time"]), State(row["state"]), row["message"]) for row in rows]

    def record(
        self, cycle: datetime, state: State, now: datetime, message: str = "", *, anew: bool = False, **changes: Any
    ) -> None:
        """Write a cycle's state, and other fields of its ``Entry`` by name; what is said twice is one event.

        Raises
        ------
        CancelledError
            If the cycle is cancelled; ``anew`` overrides that.
        """
        with speaking(self._connection) as connection, connection:
            connection.execute("BEGIN IMMEDIATE")
            before = connection.execute("SELECT * FROM cycles WHERE cycle = ?", (name_of(cycle),)).fetchone()
            if before and before["state"] == State.CANCELLED and not anew:
                raise CancelledError(f"cycle {name_of(cycle)} was cancelled; 'sphercast jobs retry' makes it due again")
            write_row(connection, cycle, {"state": state, "message": message, "updated": now, **changes}, now)
            if not before or (before["state"], before["message"]) != (state, message):
                write_event(connection, cycle, state, now, message)


@contextmanager
def speaking(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """What SQLite raises, in words."""
    try:
        yield connection
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED:
            raise DamagedError(f"the ledger is damaged ({error}); run again to make it anew") from error
        raise LedgerBusyError(f"the ledger cannot be written ({error}); free the disk and run again") from error


def write_row(connection: sqlite3.Connection, cycle: datetime, values: Mapping[str, Any], now: datetime) -> None:
    """Set columns of a cycle's row, which is made if it is not there."""
    connection.execute(
        "INSERT OR IGNORE INTO cycles (cycle, state, message, updated, began) VALUES (?, '', '', ?, ?)",
        (name_of(cycle), _text(now), _text(now)),
    )
    assignments = ", ".join(f"{name} = ?" for name in values)
    texts = [_text(value) if isinstance(value, datetime) else value for value in values.values()]
    connection.execute(f"UPDATE cycles SET {assignments} WHERE cycle = ?", (*texts, name_of(cycle)))


def write_event(connection: sqlite3.Connection, cycle: datetime, state: State, now: datetime, message: str) -> None:
    """Add a line to a cycle's history."""
    connection.execute(
        "INSERT INTO events (cycle, time, state, message) VALUES (?, ?, ?, ?)",
        (name_of(cycle), _text(now), state, message),
    )


def _entry(row: sqlite3.Row) -> Entry:
    values = dict(row)
    values |= {name: values[name] and _time(values[name]) for name in _TIMES}
    return Entry(**{**values, "cycle": parse_cycle(values["cycle"]), "state": State(values["state"])})


def _text(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="seconds")


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
