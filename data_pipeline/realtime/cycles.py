"""What the archives of ECMWF and NCEP have in common: a cycle every six hours, and what they can be asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.errors import DataError, GoneError, listed
from data_pipeline.realtime.fields import fields_of
from data_pipeline.times import shown

if TYPE_CHECKING:
    from collections.abc import Collection

    from data_pipeline.realtime.request import Request

CYCLE_HOURS = 6
"""From one cycle to the next, from 00 UTC on."""


def require_variables(request: Request, held: Collection[str], name: str) -> None:
    """Raise a DataError that lists the variables which an archive never has, if there are any."""
    lacking = [wanted for wanted in request.channels.variables if wanted not in held]
    if lacking:
        raise DataError(f"{name} has no {', '.join(lacking)}; it has {', '.join(sorted(held))}; take another source")


def require_cycles(request: Request, first: np.datetime64, name: str) -> None:
    """Raise a DataError if a time, or the start of a sum, is no cycle's, a GoneError if one is before ``first``."""
    cycles = np.unique([wanted.cycle for wanted in fields_of(request)])
    wrong = [shown(cycle) for cycle in cycles if _hour(cycle) % CYCLE_HOURS]
    if wrong:
        raise DataError(f"{name} has no cycle at {listed(wrong)}, expected the hours 00, 06, 12 and 18; take another")
    if cycles[0] < first:
        raise GoneError(f"{name} is there as it is now since {shown(first)}, got {shown(cycles[0])}; take other data")


def require_member(request: Request, last: int | None, name: str) -> None:
    """Raise a DataError if there is no such member: ``last`` is the number of the last one, None without members."""
    if last is None and request.member is not None:
        raise DataError(f"{name} has no members, got member {request.member}; leave it out, or take another source")
    if last is not None and not 0 <= (request.member or 0) <= last:
        raise DataError(f"{name} has no member {request.member}, expected 0 (control) to {last}; choose one of them")


def date_and_hour(cycle: np.datetime64) -> tuple[str, str]:
    """As paths have them.

    >>> date_and_hour(np.datetime64("2026-06-01T06"))
    ('20260601', '06')
    """
    text = str(np.datetime_as_string(cycle, unit="h"))
    return text[:10].replace("-", ""), text[11:]


def _hour(cycle: np.datetime64) -> float:
    return float((cycle - cycle.astype("M8[D]")) / np.timedelta64(1, "h"))
