"""What comes after a cycle, and must not fail it: scores when the truth has arrived, retention, metrics."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from forecast.service.cycles import name_of
from forecast.service.lock import BusyError, locked
from forecast.service.prometheus import write_metrics
from forecast.service.retention import prune
from forecast.service.states import State
from forecast.service.troubles import in_words, is_foreseen, passes

if TYPE_CHECKING:
    from datetime import datetime

    from forecast.service.job_file import JobFile
    from forecast.service.ledger import Entry
    from forecast.service.service import Service

_LOG = logging.getLogger(__name__)


def follow_up(service: Service, cycle: datetime) -> None:
    """Score what is due for it, remove what is old, and write the metrics; the lock of ``cycle`` is held."""
    for part in (lambda: _score_all(service, cycle), lambda: prune(service, but=cycle), lambda: report(service)):
        try:
            part()
        except Exception as error:
            _warn(cycle, error)


def is_to_score(job: JobFile, entry: Entry, now: datetime) -> bool:
    """Whether it is time to look for the truth of a cycle; it may have been made before the job wanted scores."""
    if job.scores is None or entry.state is not State.DONE:
        return False
    end = entry.cycle + job.length
    if not entry.scores:
        return end <= now <= end + job.scores.give_up
    return entry.scores == "waiting" and (entry.next_look or now) <= now


def _score_all(service: Service, cycle: datetime) -> None:
    """Earlier ones too: where only the latest cycle is ever made, nobody else comes back to them."""
    if service.job.scores is None:
        return
    _score(service, cycle)
    now = service.clock.now()
    for earlier in [entry.cycle for entry in service.ledger.entries() if is_to_score(service.job, entry, now)]:
        with suppress(BusyError), locked(service.folders.lock(earlier), f"cycle {name_of(earlier)}"):
            _score(service, earlier)


def _score(service: Service, cycle: datetime) -> None:
    entry, now, scores = service.ledger.entry(cycle), service.clock.now(), service.job.scores
    if scores is None or service.work.score is None or entry is None or not is_to_score(service.job, entry, now):
        return
    try:
        state = "done" if service.work.score(service.folders.cycle(cycle)) else "waiting"
    except Exception as error:
        state, said = ("waiting", "") if passes(error) else ("failed", f"scores failed: {in_words(error)}")
        _warn(cycle, error)
    else:
        said = "scored" if state == "done" else ""
    if state == "waiting" and now > cycle + service.job.length + scores.give_up:
        state, said = "missed", f"not scored: {scores.truth} has not had all its times in time"
    message = "; ".join(filter(None, (entry.message, said)))
    next_look = now + scores.every if state == "waiting" else None
    service.ledger.record(cycle, State.DONE, now, message, scores=state, next_look=next_look)


def _warn(cycle: datetime, error: Exception) -> None:
    trace = None if is_foreseen(error) else error
    _LOG.warning("cycle %s: after it: %s", name_of(cycle), in_words(error), exc_info=trace)


def report(service: Service) -> None:
    """Write the metrics, if the job wants them."""
    if service.job.prometheus is not None:
        write_metrics(service.job.prometheus, service.job.name, service.ledger.entries(), service.clock.now())
