"""Lengths of time as people write them: ``90 s``, ``15 min``, ``6 h``, ``2 d``."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer

UNITS = {"d": timedelta(days=1), "h": timedelta(hours=1), "min": timedelta(minutes=1), "s": timedelta(seconds=1)}

LONGEST = timedelta(days=36_500)
"""Longer ones lead out of the calendar."""

_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(d|h|min|s)")


def parse_duration(value: Any) -> timedelta:
    """The sum of numbers with units; a ValueError for anything else.

    >>> parse_duration("1 h 30 min") == timedelta(hours=1.5)
    True
    """
    if isinstance(value, timedelta):
        return value
    text = str(value).strip()
    parts = _PART.findall(text)
    if not parts or _PART.sub("", text).strip():
        raise ValueError("expected a length of time with its unit, as in 90 s, 15 min, 6 h or 2 d")
    try:
        length = sum((float(number) * UNITS[unit] for number, unit in parts), timedelta())
    except OverflowError:
        length = timedelta.max
    if length > LONGEST:
        raise ValueError(f"expected at most {LONGEST.days} d")
    return length


def show_duration(length: timedelta) -> str:
    """In the largest units that it has, rounded to seconds.

    >>> show_duration(timedelta(hours=30)), show_duration(timedelta(seconds=90)), show_duration(timedelta())
    ('1 d 6 h', '1 min 30 s', '0 s')
    """
    left, words = timedelta(seconds=round(abs(length.total_seconds()))), []
    for unit, size in UNITS.items():
        count, left = divmod(left, size)
        words += [f"{count} {unit}"] if count else []
    return " ".join(words) or "0 s"


Duration = Annotated[timedelta, BeforeValidator(parse_duration), PlainSerializer(show_duration)]
