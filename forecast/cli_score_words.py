"""What the words of ``sphercast score``'s options mean."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evaluation.settings import Settings


def names_of(words: list[str]) -> tuple[str, ...]:
    """Names with commas between them.

    >>> names_of(["crps, rmse", "acc"])
    ('crps', 'rmse', 'acc')
    """
    return tuple(name.strip() for word in words for name in word.split(",") if name.strip())


def regions_of(words: list[str] | None) -> tuple[str, ...]:
    """Names with commas between them; numbers belong to the name before them. Without any: the globe.

    >>> regions_of(["land,box:20,60,-10,40,europe"])
    ('land', 'box:20,60,-10,40', 'europe')
    """
    names = [name.strip() for word in words or ["global"] for name in re.split(r",(?=\s*[a-z])", word)]
    return tuple(dict.fromkeys(name for name in names if name))


def members_of(words: list[str] | None) -> tuple[int, ...]:
    """Numbers with commas between them, and all from one to another, ascending.

    >>> members_of(["0,10-12", "5"])
    (0, 5, 10, 11, 12)

    Raises
    ------
    ScoreError
        If it is anything else.
    """
    from data_pipeline.errors import ScoreError

    found: set[int] = set()
    for word in names_of(words or []):
        first, dash, last = word.partition("-")
        if not (first.isdecimal() and (last.isdecimal() or not dash)) or int(last or first) < int(first):
            raise ScoreError(f"got --without-member {word}, expected numbers, e.g. 0 or 0,10-19")
        found.update(range(int(first), int(last or first) + 1))
    return tuple(sorted(found))


def part_of(text: str) -> tuple[int, int]:
    """(i, n) of ``i/n``.

    Raises
    ------
    ScoreError
        If it is anything else.
    """
    from data_pipeline.errors import ScoreError

    number, _, count = text.partition("/")
    if not (number.isdecimal() and count.isdecimal()):
        raise ScoreError(f"got --part {text}, expected i/n, e.g. 1/4")
    return int(number), int(count)


def settings_of(words: list[str] | None, thresholds: list[str] | None) -> Settings:
    """Settings of words such as ``alpha=1``, thresholds of words such as ``2m_temperature>303.15``.

    Raises
    ------
    ScoreError
        If one cannot be understood.
    """
    from data_pipeline.errors import ScoreError
    from evaluation.settings import Settings

    found: dict[str, list[float]] = {}
    for text in thresholds or ():
        variable, _, value = text.partition(">")
        try:
            found.setdefault(variable.strip(), []).append(float(value))
        except ValueError:
            raise ScoreError(f"got --threshold {text!r}, expected VARIABLE>VALUE, e.g. 2m_temperature>303.15") from None
    own = {name: tuple(sorted(values)) for name, values in found.items()}
    return Settings.of(words or (), own if thresholds else None)


def refuse_inputs(out: Path, inputs: Sequence[str | Path]) -> None:
    """Refuse an ``out`` that would replace what is read.

    Raises
    ------
    ScoreError
        If one of ``inputs`` is the file ``out``.
    """
    from data_pipeline.errors import ScoreError

    if out.exists() and any(Path(path).exists() and out.samefile(path) for path in inputs):
        raise ScoreError(f"got --out {out}, which is also read and would be lost; give another name")


_MOST_MISSING = 10
"""Of what was not scored, so many are named on standard error."""


def warn(text: str) -> None:
    """On standard error, in one line."""
    print(f"sphercast: warning: {text}", file=sys.stderr)


def warn_of_missing(missing: str) -> None:
    """Say on standard error what was not scored, an attribute of scores, if it is anything."""
    if missing != "none":
        first, *more = missing.split("; ", _MOST_MISSING)
        said = "; ".join([first, *more[: _MOST_MISSING - 1]])
        rest = f"; and {more[-1].count('; ') + 1} more" if len(more) == _MOST_MISSING else ""
        warn(f"not scored: {said}{rest} (attribute 'missing')")
