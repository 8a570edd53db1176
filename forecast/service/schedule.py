"""The scheduler: one cycle after the other, whatever the clock does; the one shot has the logic."""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from data_pipeline.errors import SphercastError
from forecast.service.clock import LONGEST_NAP
from forecast.service.cycles import due_cycles, name_of
from forecast.service.follow_up import is_to_score, report
from forecast.service.ledger import DamagedError
from forecast.service.lock import holder
from forecast.service.one_shot import give_up
from forecast.service.states import AT_WORK, DONE, ENDED, FATAL, TRY_LATER, State

if TYPE_CHECKING:
    from collections.abc import Callable

    from forecast.service.changes import JobWatch
    from forecast.service.ledger import Entry
    from forecast.service.service import Service

_LOG = logging.getLogger(__name__)


@dataclass
class Scheduler:
    """Works on what is due, with ``attempt``: one shot at a cycle that does not wait, and its exit code.

    All is decided anew from the time and the ledger after each, so that nothing piles up after a pause, and neither a
    clock that jumps nor another scheduler does harm. Between two tries of a cycle it rests for ``poll.first``, so that
    one that is killed again and again leaves time for the others. While ``watch`` holds, nothing is begun.
    """

    service: Service
    attempt: Callable[[datetime], int]
    watch: JobWatch | None = None
    _tried: dict[datetime, datetime] = field(default_factory=dict)
    _ledger: os.stat_result = field(init=False)

    def __post_init__(self) -> None:
        self._ledger = self.service.folders.ledger.stat()

    def serve(self) -> None:
        """Never returns; a signal ends it, or what ``work_off`` raises."""
        self._say_gap()
        nap = min(LONGEST_NAP, self.service.job.poll.first.total_seconds())
        while True:
            self.work_off()
            self.service.clock.sleep(nap)

    def work_off(self) -> int:
        """Work on cycles until none is to be tried now: 1 if one failed, else 75 if one is to be tried later, else 0.

        Raises
        ------
        DamagedError
            If the ledger is damaged, or was made anew by another process: it must be opened again.
        ChangedError
            If the job file was changed, and must be read again.
        """
        codes = set()
        while (cycle := self._choice()) is not None:
            codes.add(self.attempt(cycle))
            self._tried[cycle] = self.service.clock.now()
        try:
            self._give_up_old()
            report(self.service)
            states = {entry.state for entry in self.service.ledger.entries()}
        except DamagedError:
            raise
        except (SphercastError, OSError) as error:
            _LOG.warning("%s", error)
            return TRY_LATER
        later = TRY_LATER if states & {State.DUE, State.WAITING, *AT_WORK} else DONE
        return FATAL if FATAL in codes else later

    def _choice(self) -> datetime | None:
        now = self.service.clock.now()
        if self._is_replaced():
            raise DamagedError("the ledger was made anew meanwhile")
        if self.watch is not None and self.watch.holds():
            return None
        try:
            rested = (cycle for cycle in self._candidates(now) if self._is_rested(cycle, now))
            return next((cycle for cycle in rested if not holder(self.service.folders.lock(cycle))), None)
        except DamagedError:
            raise
        except (SphercastError, OSError) as error:  # of the ledger or the disk; they may be back in a minute
            _LOG.warning("%s", error)
            return None

    def _is_replaced(self) -> bool:
        with suppress(FileNotFoundError):
            return not os.path.samestat(self._ledger, self.service.folders.ledger.stat())
        return True

    def _candidates(self, now: datetime) -> list[datetime]:
        """What to try, in order: cycles that are due, those asked for again or begun, and those to score."""
        entries = {entry.cycle: entry for entry in self.service.ledger.entries()}
        due = due_cycles(self.service.job.calendar, self.service.job.timing, now)
        asked = [name for name, entry in entries.items() if entry.state in {State.DUE, *AT_WORK} and name not in due]
        to_score = [cycle for cycle, entry in entries.items() if is_to_score(self.service.job, entry, now)]
        return [cycle for cycle in due if self._is_to_make(entries.get(cycle), now)] + asked + to_score

    def _is_to_make(self, entry: Entry | None, now: datetime) -> bool:
        if entry is None or entry.next_look is None:
            return entry is None or entry.state not in ENDED
        longest = self.service.job.poll.longest
        return entry.state not in ENDED and not now < entry.next_look <= now + longest  # later: the clock was set back

    def _is_rested(self, cycle: datetime, now: datetime) -> bool:
        tried = self._tried.get(cycle)
        return tried is None or not tried <= now < tried + self.service.job.poll.first

    def _give_up_old(self) -> None:
        """What was waiting when it became too old, perhaps while no scheduler ran."""
        oldest = self.service.clock.now() - self.service.job.timing.reach
        for entry in self.service.ledger.entries():
            is_old = entry.state is State.WAITING and entry.cycle < oldest
            if is_old and not holder(self.service.folders.lock(entry.cycle)):
                give_up(self.service, entry)

    def _say_gap(self) -> None:
        done = [entry.cycle for entry in self.service.ledger.entries() if entry.state is State.DONE]
        oldest = self.service.clock.now() - self.service.job.timing.reach
        if done and (lost := self.service.job.calendar.between(done[-1] + timedelta.resolution, oldest)):
            _LOG.warning(
                "%d cycles from %s to %s are too old to be made up (catch_up.window); 'sphercast run' makes them",
                len(lost), name_of(lost[0]), name_of(lost[-1]),
            )  # fmt: skip
