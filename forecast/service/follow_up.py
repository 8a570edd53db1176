"""What comes after a cycle, and must not fail it: scores when the truth has arrived, retention, metrics."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from data_pipeline.errors import SphercastError
from forecast.service.cycles import name_of
from forecast.service.prometheus import write_metrics
from forecast.service.retention import prune
from forecast.service.states import State

if TYPE_CHECKING:
    from datetime import datetime

    from forecast.service.ledger import Entry
    from forecast.service.service import Service

_LOG = logging.getLogger(__name__)


def follow_up(service: Service, cycle: datetime) -> None:
    """Score ``cycle`` if that is due, remove what is old, and write the metrics."""
    for part in (lambda: _score(service, cycle), lambda: prune(service, but=cycle), lambda: report(service)):
        try:
            part()
        except (SphercastError, OSError) as error:
            _LOG.warning("cycle %s: after it: %s", name_of(cycle), error)


def is_to_score(entry: Entry, now: datetime) -> bool:
    """Whether it is time to look for the truth of a cycle."""
    return entry.state is State.DONE and entry.scores == "waiting" and (entry.next_look or now) <= now


def _score(service: Service, cycle: datetime) -> None:
    entry, now, scores = service.ledger.entry(cycle), service.clock.now(), service.job.scores
    if scores is None or service.work.score is None or entry is None or not is_to_score(entry, now):
        return
    try:
        state = "done" if service.work.score(service.folders.cycle(cycle)) else "waiting"
    except (SphercastError, OSError) as error:
        state, said = "failed", f"scores failed: {error}"
    else:
        said = "scored" if state == "done" else ""
    if state == "waiting" and now > cycle + service.job.length + scores.give_up:
        state, said = "missed", f"not scored: {scores.truth} has not had all its times in time"
    message = "; ".join(filter(None, (entry.message, said)))
    next_look = now + scores.every if state == "waiting" else None
    service.ledger.record(cycle, State.DONE, now, message, scores=state, next_look=next_look)


def report(service: Service) -> None:
    """Write the metrics, if the job wants them."""
    if service.job.prometheus is not None:
        write_metrics(service.job.prometheus, service.job.name, service.ledger.entries(), service.clock.now())
