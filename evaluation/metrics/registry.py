"""The registries: STATISTICS, averaged over points and times, and METRICS, computed from their means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_pipeline.errors import ScoreError
from evaluation.metrics import (
    basic,
    correlation,
    crps_family,
    density,
    efi_roc,
    events,
    extremes,
    multivariate,
    neighbourhood,
    physical,
    quantiles,
    ranks,
    reliability,
    seeps,
    spectra,
    spread,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evaluation.metrics.definitions import Metric, Statistic

_FAMILIES = (
    basic, crps_family, correlation, spread, quantiles, ranks, events, reliability, extremes, efi_roc, neighbourhood,
    seeps, multivariate, density, spectra, physical,
)  # fmt: skip

STATISTICS: dict[str, Statistic] = {name: entry for family in _FAMILIES for name, entry in family.STATISTICS.items()}
METRICS: dict[str, Metric] = {name: entry for family in _FAMILIES for name, entry in family.METRICS.items()}

DEFAULT_METRICS = ("crps", "rmse", "spread", "spread_skill", "bias")


def metric(name: str) -> Metric:
    """The metric called ``name``; a ScoreError lists those that exist.

    >>> metric("rmse").statistics
    ('squared_error',)
    """
    try:
        return METRICS[name]
    except KeyError:
        raise ScoreError(f"unknown metric {name!r}; expected one of: {', '.join(METRICS)}") from None


def needed_statistics(metrics: Sequence[str]) -> tuple[str, ...]:
    """The statistics that ``metrics`` need, each once, and always the count of missing values.

    >>> needed_statistics(["rmse", "spread_skill"])
    ('squared_error', 'expected_squared_error', 'missing')
    """
    return tuple(dict.fromkeys([*(name for key in metrics for name in metric(key).statistics), "missing"]))
