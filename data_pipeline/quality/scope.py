"""What a check looked at, so that a report without findings says what they were not found in."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from data_pipeline.quality.codes import CODES

DEFECT_KINDS = sum(code.severity != "info" for code in CODES.values())
"""Kinds of errors and warnings that every check looks for."""

_WIDTH = 120


@dataclass(frozen=True)
class Scope:
    """``variables`` have the levels (hPa) that hold values, none without levels; ``states`` had their values read.

    ``period`` is the first and the last time, one of them where they are the same, none where there is no time.
    """

    path: str
    grid: str
    variables: dict[str, list[int]]
    times: int
    period: tuple[str, ...]
    states: int
    kinds: int = DEFECT_KINDS

    def __str__(self) -> str:
        lines = [f"checked {self.path}: {self.grid}", "; ".join(self._fields()), self._states()]
        return "\n".join(
            part
            for number, line in enumerate(lines)
            for part in textwrap.wrap(line, _WIDTH, initial_indent="    " * (number > 0), subsequent_indent="    ")
        )

    def _fields(self) -> list[str]:
        """Variables with the same levels together."""
        alike: dict[tuple[int, ...], list[str]] = {}
        for name, levels in self.variables.items():
            alike.setdefault(tuple(levels), []).append(name)
        return [
            ", ".join(names) + (f" at {', '.join(map(str, levels))} hPa" if levels else "")
            for levels, names in alike.items()
        ]

    def _states(self) -> str:
        held = f"{self.times} time{'s' * (self.times != 1)}"
        period = "".join(f"{', ' if number == 0 else ' to '}{time}" for number, time in enumerate(self.period))
        looked = "all" if self.states == self.times else f"{self.states}"
        return f"{held}{period}, {looked} looked at; {self.kinds} kinds of defects looked for"
