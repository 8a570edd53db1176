"""What a store holds in numbers, as a table for people and as JSON for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from data_pipeline.store import TrainingStore


def statistics_table(store: TrainingStore) -> str:
    """A line for each channel, in its units."""
    columns = _columns(store)
    rows = [["channel", "units", *columns]]
    for position, channel in enumerate(store.channels):
        numbers = [f"{column[position]:.5g}" for column in columns.values()]
        rows.append([channel.name, channel.variable.units, *numbers])
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return "\n".join(_aligned(row, widths) for row in rows)


def statistics_json(store: TrainingStore) -> str:
    """``{channel: {statistic: value}}``; what is not known is null."""
    columns = _columns(store)
    rows = {
        name: {key: _plain(column[position]) for key, column in columns.items()}
        for position, name in enumerate(store.channels.names)
    }
    return json.dumps(rows, indent=2)


def listed(values: NDArray[np.floating]) -> object:
    """Numbers as nested lists, null where there is none.

    >>> listed(np.array([[1.5, np.nan]]))
    [[1.5, None]]
    """
    return [listed(part) for part in values] if values.ndim else _plain(float(values))


def _columns(store: TrainingStore) -> dict[str, NDArray[np.float64]]:
    statistics = store.statistics
    columns = {name: getattr(statistics, name) for name in ("mean", "std", "minimum", "maximum", "valid_fraction")}
    tendencies = sorted(statistics.tendency_std.items())
    return {**columns, **{f"tendency_std_{hours}h": values for hours, values in tendencies}}


def _plain(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _aligned(row: list[str], widths: list[int]) -> str:
    """Names to the left, numbers to the right."""
    left = [cell.ljust(width) for cell, width in zip(row[:2], widths[:2], strict=True)]
    return "  ".join([*left, *(cell.rjust(width) for cell, width in zip(row[2:], widths[2:], strict=True))])
