"""What is kept: the newest cycles, and never less than the last complete one."""

from __future__ import annotations

import logging
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

from data_pipeline.publish import sync
from forecast.service.cycles import name_of
from forecast.service.lock import BusyError, locked
from forecast.service.states import State

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from forecast.service.job_sections import Retention
    from forecast.service.service import Service

_LOG = logging.getLogger(__name__)


def superfluous(
    published: Sequence[datetime], unfinished: Sequence[datetime], retention: Retention, reach: timedelta
) -> list[datetime]:
    """The cycles of which files may go, oldest first.

    A ``published`` one is kept if it is among the newest ``cycles``, or within ``days`` of the newest one, or within
    ``reach``, so that none is removed while it could still be made up. Not the clock counts, which may be wrong. What
    is ``unfinished`` goes if it is older than all that is kept.
    """
    ordered = sorted(published)
    if not ordered:
        return []
    age = max(retention.days or reach, reach)
    kept = {*ordered[-(retention.cycles or 1) :], *(cycle for cycle in ordered if ordered[-1] - cycle <= age)}
    return sorted({*ordered, *(cycle for cycle in unfinished if cycle < min(kept))} - kept)


def prunable(service: Service) -> list[datetime]:
    """The cycles of which files may go by the job's ``retention``; none without one."""
    if service.job.retention is None:
        return []
    folders = service.folders
    published = [cycle for cycle in folders.cycles() if folders.has_manifest(cycle) and not service.lost(cycle)]
    unfinished = set(folders.cycles()) | set(folders.fetched())
    return superfluous(published, sorted(unfinished - set(published)), service.job.retention, service.job.timing.reach)


def prune(service: Service, but: datetime | None = None) -> list[datetime]:
    """Remove what may go, ``but`` one; the cycles that were removed. What someone works on stays."""
    shutil.rmtree(service.folders.removing, ignore_errors=True)  # of a process that was killed meanwhile
    removed = []
    for cycle in prunable(service):
        with suppress(BusyError):
            if cycle != but:
                with locked(service.folders.lock(cycle), f"cycle {name_of(cycle)}"):
                    _remove(service, cycle)
                removed.append(cycle)
    return removed


def _remove(service: Service, cycle: datetime) -> None:
    """Readers see the folder whole or not at all: it is moved away first."""
    folders = service.folders
    if folders.has_manifest(cycle):
        service.ledger.record(cycle, State.REMOVED, service.clock.now(), "removed by retention", anew=True)
    folders.removing.mkdir(parents=True, exist_ok=True)
    if folders.cycle(cycle).is_dir():
        folders.cycle(cycle).rename(folders.removing / name_of(cycle))
        sync(folders.top)
    shutil.rmtree(folders.removing, ignore_errors=True)
    shutil.rmtree(folders.initial(cycle), ignore_errors=True)
    _LOG.info("cycle %s: removed by retention", name_of(cycle))
