"""The states that a cycle goes through."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """What the ledger says of a cycle. docs/operations.md says what to do in each."""

    DUE = "due"
    WAITING = "waiting"
    FETCHING = "fetching"
    FORECASTING = "forecasting"
    PROCESSING = "processing"
    DONE = "done"
    MISSED = "missed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REMOVED = "removed"


INTERRUPTED = "interrupted"
"""Shown instead of a state of ``AT_WORK`` where no process works on the cycle; the next start resumes it."""

AT_WORK = frozenset({State.FETCHING, State.FORECASTING, State.PROCESSING})

ENDED = frozenset({State.DONE, State.FAILED, State.CANCELLED, State.REMOVED})
"""Not worked on any more unless someone asks for it."""

DONE, TRY_LATER, FATAL = 0, 75, 1
"""Exit codes: done or nothing to do; not now, and nothing is lost (EX_TEMPFAIL of sysexits.h); what time won't mend."""

EXIT_CODES = {
    State.DUE: TRY_LATER,
    State.WAITING: TRY_LATER,
    State.MISSED: TRY_LATER,
    State.DONE: DONE,
    State.CANCELLED: DONE,
    State.REMOVED: DONE,
    State.FAILED: FATAL,
}
