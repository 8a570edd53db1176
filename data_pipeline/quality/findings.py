"""A finding is one defect with its code and place; a report collects them and writes them for people and programs."""

from __future__ import annotations

import json
import textwrap
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

from data_pipeline.errors import DataError
from data_pipeline.quality.codes import CODES, Code, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from data_pipeline.quality.scope import Scope

__all__ = ["CODES", "Code", "DefectError", "Finding", "Report", "Severity"]

_LISTED = 10
"""Errors that one exception names; the report has them all."""
_WIDTH = 120
_ORDER = ("error", "warning", "info")


class DefectError(DataError):
    """A defect that cannot be repaired, with the ``code`` and ``variable`` that a report gives it."""

    def __init__(self, code: str, message: str, variable: str | None = None) -> None:
        super().__init__(message)
        self.code, self.variable = code, variable

    def __reduce__(self) -> tuple[type[DefectError], tuple[str, str, str | None]]:
        return type(self), (self.code, str(self), self.variable)


@dataclass(frozen=True)
class Finding:
    """One defect, or one repair: what, where first, and how often.

    ``message`` is one sentence: got, expected, what to do (or what was done). ``variable`` may be a channel's name.
    ``count`` is of points, times or fields, as the code has it. ``time`` is as ``data_pipeline.times.shown`` writes it.

    Raises
    ------
    DataError
        If the code is not in ``CODES``.
    """

    code: str
    message: str
    variable: str | None = None
    time: str | None = None
    location: str | None = None
    count: int = 1
    repaired: bool = False

    def __post_init__(self) -> None:
        if self.code not in CODES:
            raise DataError(f"unknown finding code {self.code!r}; expected one of: {', '.join(CODES)}")

    @property
    def severity(self) -> Severity:
        """``info`` where it was repaired, the code's otherwise."""
        return "info" if self.repaired else CODES[self.code].severity

    def merged(self, other: Finding) -> Finding:
        """Both as one: the earlier place and its message, the sum of the counts."""
        earlier = min(self, other, key=lambda finding: finding.time or "")  # ISO times sort as text
        return replace(earlier, count=self.count + other.count, repaired=self.repaired and other.repaired)

    def __str__(self) -> str:
        place = ", ".join(part for part in (self.variable, self.time, self.location) if part)
        return f"{self.code}{f' ({place})' if place else ''}: {self.message}"


@dataclass
class Report:
    """Findings, one for each (code, variable): a second one adds to the count of the first; and what was looked at.

    >>> report = Report()
    >>> report.add("time-missing", "1 of 5 times is missing; complete the source", time="2000-01-01T12")
    >>> [finding.code for finding in report.errors]
    ['time-missing']
    """

    findings: list[Finding] = field(default_factory=list)
    scope: Scope | None = None

    def add(
        self, code: str, message: str, *, variable: str | None = None, time: str | None = None,
        location: str | None = None, count: int = 1, repaired: bool = False,
    ) -> None:  # fmt: skip
        """Add a finding; a DataError if the code is not in ``CODES``."""
        self._put(Finding(code, message, variable, time, location, count, repaired))

    def merge(self, other: Report) -> None:
        """Add every finding of another report."""
        for finding in other.findings:
            self._put(finding)

    def _put(self, finding: Finding) -> None:
        for position, old in enumerate(self.findings):
            if (old.code, old.variable) == (finding.code, finding.variable):
                self.findings[position] = old.merged(finding)
                return
        self.findings.append(finding)

    def of(self, severity: Severity) -> list[Finding]:
        """The findings that are as grave as that."""
        return [finding for finding in self.findings if finding.severity == severity]

    @property
    def errors(self) -> list[Finding]:
        """What stops a build."""
        return self.of("error")

    @property
    def warnings(self) -> list[Finding]:
        """What a person should judge."""
        return self.of("warning")

    @property
    def codes(self) -> set[str]:
        """The codes that occur."""
        return {finding.code for finding in self.findings}

    def raise_errors(self) -> None:
        """Raise one DataError that lists every error, if there is any."""
        errors = self.errors
        if errors:
            listed = "; ".join(map(str, errors[:_LISTED]))
            more = f"; and {len(errors) - _LISTED} more" if len(errors) > _LISTED else ""
            raise DataError(f"{len(errors)} error(s) in the data: {listed}{more}")

    def to_json(self) -> str:
        """The findings as a JSON object, after ``checked``, what was looked at, where that is known.

        >>> print(Report().to_json())
        {
          "errors": 0,
          "warnings": 0,
          "findings": []
        }
        """
        rows = [{"severity": finding.severity, **asdict(finding)} for finding in self._sorted()]
        checked = {"checked": asdict(self.scope)} if self.scope else {}
        summary = {**checked, "errors": len(self.errors), "warnings": len(self.warnings), "findings": rows}
        return json.dumps(summary, indent=2, ensure_ascii=False)

    def table(self) -> str:
        """What was looked at, and the findings for people, graver ones first, each message on lines of its own.

        It is at most 120 columns wide.
        """
        rows = [_row(finding) for finding in self._sorted()]
        widths = [max(len(cell) for cell in column) for column in zip(_HEADER, *rows, strict=True)]
        lines = [str(self.scope)] if self.scope else []
        lines += [_aligned(_HEADER, widths)] if rows else []
        for row, finding in zip(rows, self._sorted(), strict=True):
            lines.append(_aligned(row, widths))
            lines += textwrap.wrap(finding.message, _WIDTH, initial_indent="    ", subsequent_indent="    ")
        return "\n".join([*lines, self._summary()])

    def _summary(self) -> str:
        numbers = (len(self.errors), len(self.warnings), len(self.of("info")))
        return "{} error(s), {} warning(s), {} repaired or noted".format(*numbers)

    def _sorted(self) -> list[Finding]:
        return sorted(self.findings, key=lambda finding: _ORDER.index(finding.severity))

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)


_HEADER = ("severity", "code", "variable", "time", "location", "count")


def _row(finding: Finding) -> tuple[str, ...]:
    place = (finding.variable or "-", finding.time or "-", finding.location or "-")
    return ("repaired" if finding.repaired else finding.severity, finding.code, *place, str(finding.count))


def _aligned(cells: tuple[str, ...], widths: list[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
