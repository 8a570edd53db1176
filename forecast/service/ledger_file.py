"""The ledger's file: made, opened, checked, and put aside where it is damaged."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from data_pipeline.errors import SphercastError
from forecast.service.ledger import DamagedError, Ledger, speaking, write_event, write_row
from forecast.service.lock import locked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    Published = Callable[[], Mapping[datetime, Mapping[str, Any]]]

VERSION = 1

_TABLES = """
CREATE TABLE cycles (
    cycle TEXT PRIMARY KEY, state TEXT NOT NULL, message TEXT NOT NULL, updated TEXT NOT NULL, began TEXT NOT NULL,
    looks INTEGER NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0, next_look TEXT, started TEXT, ended TEXT,
    scores TEXT NOT NULL DEFAULT '');
CREATE TABLE events (
    number INTEGER PRIMARY KEY, cycle TEXT NOT NULL, time TEXT NOT NULL, state TEXT NOT NULL, message TEXT NOT NULL);
CREATE TABLE job (name TEXT NOT NULL);
"""

_SECONDS_TO_WAIT = 30.0
_FOUND = "found in the folder"

_LOG = logging.getLogger(__name__)


@contextmanager
def open_ledger(path: Path, job: str, published: Published, now: datetime) -> Iterator[Ledger]:
    """The ledger at ``path``; a new one starts with what ``published()`` finds: cycles, and fields of their ``Entry``.

    One that is damaged is put aside, and said so.

    Raises
    ------
    SphercastError
        If it belongs to another job or another version of sphercast.
    LedgerBusyError
        If it cannot be written now.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        connection = _opened(path, job, published, now)
    except DamagedError:
        with locked(path.with_name(f"{path.name}.lock"), "the damaged ledger"):
            connection = _made_anew(path, job, published, now)
    with closing(connection):
        yield Ledger(connection)


def _opened(path: Path, job: str, published: Published, now: datetime) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_SECONDS_TO_WAIT, isolation_level=None)
    connection.row_factory = sqlite3.Row
    try:
        with speaking(connection), connection:
            _prepare(connection, job, published, now)
            _check(connection, path, job)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, job: str, published: Published, now: datetime) -> None:
    """The journal is deleted, not SQLite's WAL, which needs one machine: machines may share the folder."""
    connection.execute("PRAGMA synchronous = FULL")
    if connection.execute("PRAGMA quick_check").fetchone()[0] != "ok":
        raise DamagedError("its pages do not fit together")
    connection.execute("BEGIN IMMEDIATE")
    if _version(connection) or connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        return
    for statement in _TABLES.split(";"):
        connection.execute(statement)
    connection.execute("INSERT INTO job VALUES (?)", (job,))
    for cycle, values in published().items():
        write_row(connection, cycle, {**values, "message": _FOUND, "updated": now}, now)
        write_event(connection, cycle, values["state"], now, _FOUND)
    connection.execute(f"PRAGMA user_version = {VERSION}")


def _check(connection: sqlite3.Connection, path: Path, job: str) -> None:
    if _version(connection) != VERSION:
        raise SphercastError(
            f"{path} is a ledger of version {_version(connection)}, expected {VERSION}; use the sphercast that wrote "
            "it, or move it away: a new one is made from the published cycles"
        )
    name = connection.execute("SELECT name FROM job").fetchone()["name"]
    if name != job:
        raise SphercastError(
            f"{path.parent.parent} belongs to the job {name!r}, got {job!r}; give each job its own 'folder'"
        )


def _made_anew(path: Path, job: str, published: Published, now: datetime) -> sqlite3.Connection:
    try:
        return _opened(path, job, published, now)  # another process has mended it meanwhile
    except DamagedError as damage:
        _put_aside(path, damage)
        return _opened(path, job, published, now)


def _put_aside(path: Path, damage: Exception) -> None:
    number = 1 + sum(1 for _ in path.parent.glob(f"{path.name}.damaged-*[0-9]"))
    aside = path.with_name(f"{path.name}.damaged-{number}")
    path.replace(aside)
    with suppress(FileNotFoundError):  # it would be rolled back into the new one
        path.with_name(f"{path.name}-journal").replace(aside.with_name(f"{aside.name}-journal"))
    _LOG.warning(
        "the ledger %s was damaged (%s): put aside as %s, and made anew from the published cycles; cycles that were "
        "waiting, failed or cancelled are looked at again", path, damage.__cause__ or damage, aside.name,
    )  # fmt: skip


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
