"""Several separate periods in one dataset, which it declares itself: the gaps between them are no defect.

The declaration is the global attribute ``sampled_periods`` of a file: ``START..STOP START..STOP ...``, both ends
included, ISO times in UTC. Inside each period every time must be there, the first and the last too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from data_pipeline.times import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from data_pipeline.quality.findings import Report

    Span = tuple[np.datetime64, np.datetime64]

SAMPLED_PERIODS = "sampled_periods"
"""Name of the global attribute."""


def written_periods(spans: Iterable[Span]) -> str:
    """First and last times as the attribute has them; the inverse of ``declared_periods``.

    >>> first, last = np.datetime64("2001-01-01", "ns"), np.datetime64("2001-01-25T12", "ns")
    >>> written_periods([(first, last)])
    '2001-01-01T00..2001-01-25T12'
    """
    return " ".join(f"{shown(first)}..{shown(last)}" for first, last in spans)


def declared_periods(attributes: Mapping[str, Any], report: Report) -> list[Span]:
    """First and last times of the periods that global attributes declare, in order; none where they declare none.

    A declaration that cannot be read is put in the report.
    """
    text = str(attributes.get(SAMPLED_PERIODS, ""))
    try:
        spans = [_span(part) for part in text.split()]
    except ValueError:
        message = f"the attribute {SAMPLED_PERIODS} is {text!r}, expected START..STOP of each period; mend or remove it"
        report.add("time-invalid", message)
        return []
    return sorted(spans)


def _span(text: str) -> Span:
    first, last = (np.datetime64(end, "ns") for end in text.split(".."))
    if not first <= last:  # NaT is no end either
        raise ValueError(text)
    return first, last
