"""Which of the scores that are asked for a variable can have, and in words which not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evaluation.metrics.registry import metric
from evaluation.metrics.seeps import PRECIPITATION

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from evaluation.settings import Settings


def applicable(metrics: Sequence[str], variable: str, settings: Settings) -> list[str]:
    """Those of ``metrics`` that the variable can have.

    >>> from evaluation.settings import Settings
    >>> applicable(["crps", "brier_score", "seeps"], "total_precipitation", Settings())
    ['crps', 'brier_score', 'seeps']
    >>> applicable(["crps", "brier_score", "seeps"], "2m_temperature", Settings())
    ['crps']
    """
    lacks = _lacks(variable, settings)
    return [name for name in metrics if not metric(name).needs & lacks]


def inapplicable(metrics: Sequence[str], variables: Collection[str], settings: Settings) -> list[str]:
    """A sentence for each kind of scores that some variables cannot have, with their names."""
    found = []
    for need, why in _WHY.items():
        names = [name for name in metrics if need in metric(name).needs]
        without = sorted(variable for variable in variables if need in _lacks(variable, settings))
        if names and without:
            found.append(f"no {', '.join(names)} of {', '.join(without)}, {why}")
    return found


_WHY = {
    "thresholds": "without thresholds (--threshold 'VARIABLE>VALUE')",
    "precipitation": f"which only {' and '.join(PRECIPITATION)} have",
}
"""What of the needs of scores depends on the variable."""


def _lacks(variable: str, settings: Settings) -> set[str]:
    thresholds = set() if settings.thresholds.get(variable) else {"thresholds"}
    return thresholds if variable in PRECIPITATION else thresholds | {"precipitation"}
