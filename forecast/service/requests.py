"""What an operator asks of a cycle: to be made again, or not to be made."""

from __future__ import annotations

import os
import shutil
import signal
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from data_pipeline.errors import SphercastError
from forecast.output import read_manifest
from forecast.service.cycles import name_of
from forecast.service.entries import in_short
from forecast.service.lock import holder, locked
from forecast.service.states import State
from forecast.service.work import SCORES

if TYPE_CHECKING:
    from datetime import datetime

    from forecast.service.ledger import Entry
    from forecast.service.service import Service


def retry(service: Service, cycle: datetime, *, fresh: bool = False) -> str:
    """Make a cycle due again, or its scores if it is done; ``fresh``: forget its initial conditions and its beginning.

    Raises
    ------
    SphercastError
        If it is done, or someone works on it.
    ConfigError
        If it is none of the job's cycles, so that nobody would make it.
    """
    folders, now, name = service.folders, service.clock.now(), name_of(cycle)
    service.job.require_cycle(cycle)
    with locked(folders.lock(cycle), f"cycle {name}"):
        entry = service.ledger.entry(cycle)
        if entry and entry.state is State.DONE and not service.lost(cycle):
            if not _lacks_scores(service, entry):
                raise SphercastError(_settled(service, entry))
            made = in_short(read_manifest(folders.cycle(cycle)))
            service.ledger.record(cycle, State.DONE, now, made, scores="waiting", next_look=now)
            return f"cycle {name}: its scores are due again"
        if fresh:
            _forget(service, cycle)
        service.ledger.record(
            cycle, State.DUE, now, "asked for again", anew=True, looks=0, next_look=None, ended=None
        )  # fmt: skip
    return f"cycle {name}: due; the scheduler takes it, or 'sphercast run --cycle {cycle:%Y-%m-%dT%H}'"


def cancel(service: Service, cycle: datetime) -> str:
    """Have a cycle not made; a process of this machine that works on it is asked to stop.

    Raises
    ------
    SphercastError
        If it is done already.
    ConfigError
        If it is none of the job's cycles.
    """
    folders, name, entry = service.folders, name_of(cycle), service.ledger.entry(cycle)
    if entry is None:
        service.job.require_cycle(cycle)
    if entry and entry.state in {State.DONE, State.REMOVED}:
        raise SphercastError(f"cycle {name} is {entry.state} and cannot be cancelled; remove its folder if it must go")
    service.ledger.record(cycle, State.CANCELLED, service.clock.now(), "cancelled by hand", next_look=None)
    by = holder(folders.lock(cycle))
    if by is None:
        return f"cycle {name}: cancelled"
    if by.host != socket.gethostname() or not by.process:
        return f"cycle {name}: cancelled; {by} still works on it and ends at its next stage"
    with suppress(ProcessLookupError):  # it has ended meanwhile
        os.kill(by.process, signal.SIGTERM)
    return f"cycle {name}: cancelled; {by} was asked to stop"


def _lacks_scores(service: Service, entry: Entry) -> bool:
    if service.job.scores is None or entry.scores == "waiting":
        return False
    return entry.scores in {"failed", "missed"} or not (service.folders.cycle(entry.cycle) / SCORES).exists()


def _settled(service: Service, entry: Entry) -> str:
    folder = service.folders.cycle(entry.cycle)
    said = f"cycle {name_of(entry.cycle)} is done; to make it anew, remove {folder} first"
    return f"{said}; to score it anew, {folder / SCORES}" if entry.scores == "done" else said


def _forget(service: Service, cycle: datetime) -> None:
    """All but what readers see."""
    shutil.rmtree(service.folders.initial(cycle), ignore_errors=True)
    service.folders.remove_begun(cycle)
