"""Time as the service sees it: UTC, and a clock that may be set, or stand still while a laptop sleeps."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

LONGEST_NAP = 60.0
"""Seconds: after each the clock is looked at anew, since a suspended machine does not count the time it slept."""


class Clock(Protocol):
    """What tells the time and waits."""

    def now(self) -> datetime:
        """The time, in UTC."""
        ...

    def sleep(self, seconds: float) -> None:
        """Return after so many seconds."""
        ...


@dataclass(frozen=True)
class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The time, in UTC."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Return after so many seconds."""
        time.sleep(seconds)


def wait_until(clock: Clock, moment: datetime) -> None:
    """Return at ``moment`` by the clock, or after as long as it was away: a clock that is set back delays nothing."""
    left = (moment - clock.now()).total_seconds()
    while left > 0 and clock.now() < moment:
        nap = min(LONGEST_NAP, left)
        clock.sleep(nap)
        left -= nap
