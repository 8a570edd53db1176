"""Where two things that were asked for differ, for messages."""

from __future__ import annotations

import json
from typing import Any

_LONGEST = 60
_ABSENT = "absent"


def difference(place: str, old: Any, new: Any) -> tuple[str, Any, Any]:
    """The innermost place where two values differ, and what is there.

    >>> difference("outputs", [{"name": "f.nc", "keep_bits": None}], [{"name": "f.nc", "keep_bits": 7}])
    ('outputs, f.nc, keep_bits', None, 7)
    >>> difference("variables", {}, {"2m_temperature": None})
    ('variables, 2m_temperature', 'absent', None)
    >>> difference("objective", {"alpha": 1, "kind": "crps"}, {"kind": "mean", "norm": "mse"})
    ('objective, kind', 'crps', 'mean')
    """
    if isinstance(old, dict) and isinstance(new, dict):
        differing = [key for key in {**new, **old} if old.get(key, _ABSENT) != new.get(key, _ABSENT)]
        key = min(differing, key=lambda key: (key not in old or key not in new, key != "kind"))  # of several, the cause
        missing = _ABSENT if old.get(key) is new.get(key) is None else None
        return difference(f"{place}, {key}", old.get(key, missing), new.get(key, missing))
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        number = next(number for number, pair in enumerate(zip(old, new, strict=True)) if pair[0] != pair[1])
        name = new[number].get("name", number) if isinstance(new[number], dict) else number
        return difference(f"{place}, {name}", old[number], new[number])
    return place, old, new


def in_words(value: object) -> str:
    """As JSON, cut where it is long."""
    text = json.dumps(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
