"""Which cycles there are, and which of them a moment calls for: pure functions of the time, all of it UTC."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from apscheduler.triggers.cron import CronTrigger

from data_pipeline.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

Order = Literal["newest", "oldest"]

_BACK = tuple(timedelta(days=days) for days in (1, 8, 32, 400, 8 * 366 + 1))
"""How far to look for the last cycle before a moment; a cron expression may fire on leap days only."""

_NAME = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)T(\d\d)(?::?00)?Z?")
_SOON = timedelta.resolution
FIRST_YEAR, LAST_YEAR = 1700, 2150
"""Of cycles: times in nanoseconds (64 bits) reach from 1677 to 2262, and forecasts are up to a century long."""


def name_of(cycle: datetime) -> str:
    """The name of a cycle's folder.

    >>> name_of(datetime(2001, 1, 5, 6, tzinfo=UTC))
    '20010105T06'
    """
    return f"{cycle:%Y%m%dT%H}"


def parse_cycle(text: str) -> datetime:
    """A cycle by its initial time, as 2001-01-05T06 or 20010105T06.

    Raises
    ------
    ConfigError
        If it is no such time, or its year cannot be.
    """
    found = _NAME.fullmatch(text)
    try:
        cycle = datetime(*map(int, found.groups()), tzinfo=UTC)  # type: ignore[union-attr, arg-type, misc]
    except (AttributeError, ValueError):
        raise ConfigError(f"got the cycle {text!r}, expected its initial time in UTC as 2001-01-05T06") from None
    if not FIRST_YEAR <= cycle.year <= LAST_YEAR:
        raise ConfigError(
            f"got the cycle {text!r}, expected one in the years {FIRST_YEAR} to {LAST_YEAR}; mend the year"
        )
    return cycle


@dataclass(frozen=True)
class Calendar:
    """The initial times of a job: hours of every day, or a cron expression."""

    trigger: CronTrigger

    @classmethod
    def of(cls, cycles: Sequence[int] | str) -> Calendar:
        """From the job file's ``cycles``.

        Raises
        ------
        ValueError
            If they cannot mean anything, or nothing that cron understands too.
        """
        if not isinstance(cycles, str):
            return cls(CronTrigger(hour=",".join(map(str, cycles)), minute=0, timezone=UTC))
        fields = cycles.split()
        if len(fields) != 5 or fields[0] != "0":
            raise ValueError("expected five fields, the first 0 as cycles start at whole hours, as in '0 0,12 * * *'")
        if re.search(r"\d", fields[4]):  # cron counts weekdays from Sunday, APScheduler from Monday
            raise ValueError("expected weekdays by name, as in '0 0 * * mon,thu'")
        if "*" not in (fields[2], fields[4]):  # cron takes either, APScheduler both
            raise ValueError("expected days of the month or weekdays, not both")
        try:
            calendar = cls(CronTrigger.from_crontab(cycles, timezone=UTC))
        except ValueError as error:
            raise ValueError(f"expected a cron expression ({error})") from error
        if calendar._first(datetime(2000, 1, 1, tzinfo=UTC)) is None:
            raise ValueError("expected a cron expression of days that exist")
        return calendar

    def _first(self, at_or_after: datetime) -> datetime | None:
        found: datetime | None = self.trigger.get_next_fire_time(None, at_or_after)
        return found

    def between(self, first: datetime, last: datetime) -> list[datetime]:
        """The cycles from ``first`` to ``last``, both included."""
        found, cycle = [], self._first(first)
        while cycle is not None and cycle <= last:
            found.append(cycle)
            cycle = self._first(cycle + _SOON)
        return found

    def holds(self, cycle: datetime) -> bool:
        """Whether it is one of the cycles."""
        return self._first(cycle) == cycle

    def last(self, at_or_before: datetime) -> datetime:
        """The latest cycle until a moment."""
        found = next(found for back in _BACK if (found := self.between(at_or_before - back, at_or_before)))
        return found[-1]

    def next(self, after: datetime) -> datetime:
        """The first cycle after a moment."""
        found = self._first(after + _SOON)
        assert found is not None, "a calendar has no end"
        return found


@dataclass(frozen=True)
class Timing:
    """When a cycle is due, until when its initial conditions are waited for, how long it may be made up; and polling.

    All but the pauses ``first`` and ``longest`` count from the cycle's initial time.
    """

    delay: timedelta
    deadline: timedelta
    window: timedelta
    order: Order
    first: timedelta
    longest: timedelta

    def pause(self, looks: int) -> timedelta:
        """Between two looks at what is not there yet, after so many: twice the last, up to ``longest``."""
        return min(self.longest, self.first * (1 << min(looks - 1, 30)))

    @property
    def reach(self) -> timedelta:
        """The age until which a cycle is worked on unasked."""
        return max(self.window, self.deadline)


def due_cycles(calendar: Calendar, timing: Timing, now: datetime) -> list[datetime]:
    """The cycles that are due at ``now`` and not too old to be made up, in the order in which to make them."""
    found = calendar.between(now - timing.reach, now - timing.delay)
    return found[::-1] if timing.order == "newest" else found
