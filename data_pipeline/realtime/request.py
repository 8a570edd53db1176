"""What a forecast starts from, whether it is there, and what every source in real time can do."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

import numpy as np

from data_pipeline.errors import DataError, GoneError, TemporaryError, listed
from data_pipeline.times import HOUR, shown

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import xarray as xr

    from data_pipeline.channels import Channels

_NO_MEMBER, _HERE = re.compile(r"\bno member (\d+)"), "\0"
_MOST_MEMBERS = 10


@dataclass(frozen=True)
class Request:
    """The states that a forecast starts from: ``channels`` at ``times`` (UTC, ascending).

    ``member`` is one of an ensemble analysis: 0 the control, None the unperturbed analysis. Accumulated channels are
    sums over ``accumulation_hours``, by default the interval between the times.

    Raises
    ------
    DataError
        If there is no time, times do not ascend or are no whole hours, or it is not known what a sum is over, or that
        is no time.
    """

    times: tuple[np.datetime64, ...]
    channels: Channels
    member: int | None = None
    accumulation_hours: int | None = None

    def __post_init__(self) -> None:
        ascending = all(earlier < later for earlier, later in zip(self.times, self.times[1:], strict=False))
        whole = all(time == time.astype("datetime64[h]") for time in self.times)
        if not self.times or not ascending or not whole:
            got = ", ".join(map(shown, self.times)) or "none"
            raise DataError(f"got the times {got}, expected whole hours in ascending order; name them once each")
        if self.accumulation_hours is not None and self.accumulation_hours < 1:
            raise DataError(
                f"got sums over {self.accumulation_hours} h, expected 1 h or more; give 'accumulation_hours'"
            )
        if self.accumulation_hours is None and len(self.times) == 1 and self._accumulated:
            raise DataError(
                f"{', '.join(self._accumulated)} are sums and one time has no interval; give 'accumulation_hours'"
            )

    @property
    def _accumulated(self) -> list[str]:
        return [channel.name for channel in self.channels if channel.variable.accumulated]

    @property
    def hours_accumulated(self) -> int:
        """Hours that accumulated channels are sums over; 0 where there are none."""
        if not self._accumulated:
            return 0
        return self.accumulation_hours or int((self.times[-1] - self.times[-2]) / HOUR)

    def each_time(self) -> list[Request]:
        """A request for each of the times."""
        hours = self.hours_accumulated or None
        return [replace(self, times=(time,), accumulation_hours=hours) for time in self.times]


@dataclass(frozen=True)
class Readiness:
    """What a source lacks of a request, in words: a few clauses with counts; ``gone`` says why it will never come."""

    missing: tuple[str, ...] = ()
    gone: str | None = None

    @property
    def complete(self) -> bool:
        """Whether every variable, level and time is there."""
        return not self.missing and self.gone is None

    def require_complete(self) -> None:
        """Raise a GoneError for what will never come, a TemporaryError for what is not there yet."""
        if self.gone is not None:
            raise GoneError(self.gone)
        if self.missing:
            raise TemporaryError(f"not there yet: {'; '.join(_together(self.missing))}; try again later")


def _together(missing: Sequence[str]) -> list[str]:
    """What differs in nothing but a member that is not there, with all of these."""
    members: dict[str, list[str]] = {}
    for words in missing:
        members.setdefault(_NO_MEMBER.sub(_HERE, words), []).extend(_NO_MEMBER.findall(words))
    return [
        words.replace(_HERE, f"no member{'s' * (len(lacking) > 1)} {listed(lacking, _MOST_MEMBERS)}")
        for words, lacking in members.items()
    ]


class RealtimeSource(Protocol):
    """Analyses as they come in; a small frozen model for a job file.

    A DataError that is no TemporaryError means that trying again is of no use.
    """

    @property
    def kind(self) -> str:
        """The source's name in job files."""
        ...

    @property
    def control(self) -> int | None:
        """The member that is the control of the ensemble analysis; None without members, or where nobody says it."""
        ...

    def look(self, request: Request, *, now: np.datetime64 | None = None) -> Readiness:
        """What is missing, found with a few small requests; ``now`` is the time (UTC), by default the machine's.

        Raises
        ------
        DataError
            If the source never has what is asked for: a variable, a member, an hour of the day.
        """
        ...

    def fetch(self, request: Request, folder: Path) -> xr.Dataset:
        """Canonical states on the source's own grid: exactly the times, variables and levels of the request.

        What was fetched stays in ``folder``, whole pieces only, so that the same call after a kill goes on.

        Raises
        ------
        TemporaryError
            If something is missing or cannot be had just now; what was got stays.
        DataError
            If it can never be had.
        """
        ...


def utc_now() -> np.datetime64:
    """The machine's time in UTC."""
    return np.datetime64(datetime.now(UTC).replace(tzinfo=None), "ns")
