"""One cycle, once: what is done already is not done again, and what cannot be done now is said."""

from __future__ import annotations

import logging
import shutil
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from data_pipeline.errors import SphercastError
from forecast.output.manifest import read_manifest
from forecast.service.clock import wait_until
from forecast.service.cycles import name_of
from forecast.service.durations import show_duration
from forecast.service.entries import in_short
from forecast.service.folders import INITIAL
from forecast.service.follow_up import follow_up
from forecast.service.hooks import call_hook
from forecast.service.ledger import CancelledError, LedgerBusyError
from forecast.service.lock import BusyError, locked, locked_one
from forecast.service.logs import STOPPED
from forecast.service.states import AT_WORK, EXIT_CODES, State
from forecast.service.troubles import in_words, is_foreseen, passes

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from forecast.service.ledger import Entry
    from forecast.service.service import Service

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """What became of a cycle: its state, a sentence, and the files that readers find."""

    cycle: datetime
    state: State
    message: str
    files: tuple[Path, ...] = ()

    @property
    def exit_code(self) -> int:
        """0: done, or nothing to do; 75: not now; 1: what time does not mend."""
        return EXIT_CODES[self.state]


def run_cycle(service: Service, cycle: datetime, *, patient: bool) -> Outcome:
    """Bring ``cycle`` as far as it can be brought; ``patient``: wait for what is not there, until the deadline.

    Whatever fails is in the outcome; only what ends the process is raised (a signal), after it is noted.
    """
    shot = _Shot(service, cycle)
    try:
        with locked(service.folders.lock(cycle), f"cycle {name_of(cycle)}"):
            outcome = shot.fire()
            while patient and outcome.state is State.WAITING and service.clock.now() < cycle + service.job.deadline:
                wait_until(service.clock, shot.next_look())
                outcome = shot.fire()
            follow_up(service, cycle)
    except CancelledError as cancelled:
        outcome = Outcome(cycle, State.CANCELLED, str(cancelled))
    except (BusyError, LedgerBusyError) as busy:
        outcome = Outcome(cycle, State.WAITING, str(busy))
    else:
        return outcome
    _say(logging.WARNING, cycle, outcome.state, outcome.message)
    return outcome


def give_up(service: Service, entry: Entry) -> None:
    """Note that a cycle that was waited for has become too old to be made up, and tell the hook."""
    message = f"too old to be made up ({show_duration(service.job.timing.reach)}): {entry.message}"
    _Shot(service, entry.cycle).miss(message, next_look=None)


@dataclass(frozen=True)
class _Shot:
    service: Service
    cycle: datetime

    def fire(self) -> Outcome:
        """One try, without waiting."""
        try:
            outcome = self._settled() or self._made()
        except (CancelledError, LedgerBusyError):
            raise
        except Exception as error:  # unattended: every failure is said in the ledger and to the hook
            outcome = self._later(error) if passes(error) else self._failed(error)
        except BaseException:
            self._stopped()
            raise
        bad = outcome.state in {State.FAILED, State.MISSED}
        _say(logging.ERROR if bad else logging.INFO, self.cycle, outcome.state, outcome.message)
        return outcome

    def next_look(self) -> datetime:
        """When it is worth firing again."""
        entry = self._entry()
        return entry.next_look if entry and entry.next_look else self.service.clock.now()

    def _settled(self) -> Outcome | None:
        entry, folders = self._entry(), self.service.folders
        if entry and entry.state in {State.CANCELLED, State.REMOVED}:
            return self._outcome(entry.state, f"{entry.message}; 'sphercast jobs retry' makes it due again")
        target, steps = folders.cycle(self.cycle), self.service.work.steps
        is_done = entry is not None and entry.state is State.DONE and all(step.is_done_in(target) for step in steps)
        if entry and is_done and not self.service.lost(self.cycle):
            return self._outcome(State.DONE, entry.message)
        due = self.cycle + self.service.job.delay
        if self.service.clock.now() < due:
            return self._outcome(State.DUE, f"it is due at {due:%Y-%m-%d %H:%M} UTC")
        return None

    def _made(self) -> Outcome:
        folders, work = self.service.folders, self.service.work
        initial, target = folders.initial(self.cycle), folders.cycle(self.cycle)
        has_forecast = self._has_forecast()
        if not has_forecast and not (initial / INITIAL).exists():
            work.look(self.cycle).require_complete()
        slots = [folders.slot(number) for number in range(self.service.job.at_once)]
        with locked_one(slots, f"the job {self.service.job.name!r}"):
            if not has_forecast:
                self._forecast(initial, target)
            folders.remove_begun(self.cycle)  # of a run that was killed when it had just published
            for step in work.steps:
                if not step.is_done_in(target):
                    self._record(State.PROCESSING, f"making {step.name}")
                    step.make(target)
        shutil.rmtree(initial, ignore_errors=True)
        return self._done()

    def _has_forecast(self) -> bool:
        lost = self.service.lost(self.cycle)
        if lost and self.service.folders.has_manifest(self.cycle):
            words = f"no longer there as published: {', '.join(lost)}; the forecast is made again"
            _say(logging.WARNING, self.cycle, State.DUE, words)
        return not lost

    def _forecast(self, initial: Path, target: Path) -> None:
        entry, now = self._entry(), self.service.clock.now()
        begun: dict[str, Any] = {
            "started": now, "next_look": None, "attempts": 1 + (entry.attempts if entry else 0),
        }  # fmt: skip
        if not (initial / INITIAL).exists():
            self._record(State.FETCHING, "fetching the initial conditions", **begun)
            self.service.work.fetch(self.cycle, initial)
        self._record(State.FORECASTING, "forecasting and writing", **begun)
        self._forget_steps(target)
        self.service.work.forecast(self.cycle, initial / INITIAL, target)

    def _forget_steps(self, target: Path) -> None:
        """What was made of an older forecast, which is damaged.

        Without its manifest a file may be another program's, or has just got its name when a run was ended.
        """
        if self.service.folders.has_manifest(self.cycle):
            for file in (file for step in self.service.work.steps for file in step.files):
                (target / file).unlink(missing_ok=True)

    def _done(self) -> Outcome:
        job, message = self.service.job, in_short(read_manifest(self.service.folders.cycle(self.cycle)))
        scores: dict[str, Any] = {"scores": "", "next_look": None}
        if job.scores is not None:
            scores = {"scores": "waiting", "next_look": self.cycle + job.length}
        self._record(State.DONE, message, ended=self.service.clock.now(), **scores)
        return self._told(job.hooks.success, self._outcome(State.DONE, message))

    def _later(self, error: Exception) -> Outcome:
        message = in_words(error)
        entry, now, job = self._entry(), self.service.clock.now(), self.service.job
        looks = 1 + (entry.looks if entry else 0)
        deadline, next_look = self.cycle + job.deadline, now + job.timing.pause(looks)
        if now < deadline:
            self._record(State.WAITING, message, looks=looks, next_look=min(next_look, deadline))
            return self._outcome(State.WAITING, message)
        if isinstance(error, BusyError):  # the deadline is for data, not for the turn
            state = State.DUE if self._is_asked_for(entry) else State.WAITING
            self._record(state, message, looks=looks, next_look=next_look)
            return self._outcome(state, message)
        message = f"not made until the deadline, {deadline:%Y-%m-%d %H:%M} UTC: {message}"
        return self.miss(message, looks=looks, next_look=now + job.poll.longest)

    def _is_asked_for(self, entry: Entry | None) -> bool:
        """Whatever its age: it was begun or made due, or nobody but a person would try it now."""
        too_old = self.service.clock.now() > self.cycle + self.service.job.timing.reach
        return too_old or (entry is not None and entry.state in {State.DUE, *AT_WORK})

    def miss(self, message: str, **changes: Any) -> Outcome:
        """Note that the deadline has passed; the hook hears of it once."""
        entry = self._entry()
        self._record(State.MISSED, message, **changes)
        outcome = self._outcome(State.MISSED, message)
        if entry and entry.state is State.MISSED:
            return outcome
        return self._told(self.service.job.hooks.failure, outcome)

    def _failed(self, error: Exception) -> Outcome:
        if not is_foreseen(error):
            _say(logging.ERROR, self.cycle, State.FAILED, "this should not happen; please report it", error)
        message = in_words(error)
        self._record(State.FAILED, message, ended=self.service.clock.now(), next_look=None)
        return self._told(self.service.job.hooks.failure, self._outcome(State.FAILED, message))

    def _stopped(self) -> None:
        """Of an orderly stop the ledger knows; whoever is killed is found by the lock that nobody holds."""
        with suppress(SphercastError):
            entry = self._entry()
            if entry and entry.state in AT_WORK:
                self.service.ledger.record(self.cycle, entry.state, self.service.clock.now(), STOPPED)

    def _told(self, command: str | None, outcome: Outcome) -> Outcome:
        if command is not None:
            values = {
                "job": self.service.job.name, "cycle": name_of(self.cycle), "state": outcome.state,
                "exit_code": str(outcome.exit_code), "message": outcome.message,
                "folder": str(self.service.folders.cycle(self.cycle).absolute()),
                "files": "\n".join(map(str, outcome.files)),
            }  # fmt: skip
            call_hook(command, values, self.service.job.hooks.timeout)
        return outcome

    def _entry(self) -> Entry | None:
        return self.service.ledger.entry(self.cycle)

    def _record(self, state: State, message: str, **changes: Any) -> None:
        if state in AT_WORK:
            _say(logging.INFO, self.cycle, state, message)
        self.service.ledger.record(self.cycle, state, self.service.clock.now(), message, **changes)

    def _outcome(self, state: State, message: str) -> Outcome:
        files = (path.absolute() for path in self.service.folders.files(self.cycle))
        return Outcome(self.cycle, state, message, tuple(files))


def _say(level: int, cycle: datetime, state: State, message: str, error: Exception | None = None) -> None:
    name = name_of(cycle)
    _LOG.log(level, "cycle %s: %s: %s", name, state, message, extra={"cycle": name}, exc_info=error)
