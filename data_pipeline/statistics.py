"""Statistics of a store per channel, summed slab by slab in any order: range, mean, spread and spread of the change.

Each slab of states gives a ``SlabSummary``, each seam between two slabs the moments of the changes that cross it;
merged in slab order they are the statistics of the whole record, whatever the cuts.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from data_pipeline.errors import DataError
from data_pipeline.moments import Moments, merge

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Fields = NDArray[np.floating]

__all__ = [
    "TENDENCY_HOURS", "Moments", "SlabSummary", "Statistics", "compute_statistics", "longest_lag", "merge_summaries",
    "summarise_seam", "summarise_slab",
]  # fmt: skip

TENDENCY_HOURS = (6, 12, 24)


@dataclass(frozen=True)
class Statistics:
    """What scales the network's inputs and targets: arrays of shape (channel,), in the channels' units.

    ``tendency_std[h]`` is the standard deviation of the change over ``h`` hours. ``valid_fraction`` is the share of
    points and times that are not NaN. A channel without any value is NaN throughout.
    """

    mean: Floats
    std: Floats
    tendency_std: dict[int, Floats]
    minimum: Floats | None = None
    maximum: Floats | None = None
    valid_fraction: Floats | None = None


@dataclass(frozen=True)
class SlabSummary:
    """Moments of a slab's states and of the changes inside it, by hours; ``total`` is its values per channel."""

    states: Moments
    changes: dict[int, Moments]
    total: int

    def with_changes(self, changes: Mapping[int, Moments]) -> SlabSummary:
        """With further changes, by hours: those that end in this slab and start before it."""
        return replace(self, changes=_together([self.changes, changes]))

    def __add__(self, other: SlabSummary) -> SlabSummary:
        changes = _together([self.changes, other.changes])
        return SlabSummary(self.states + other.states, changes, self.total + other.total)

    def to_json(self) -> str:
        """As strict JSON, from which ``from_json`` gives back the same bits; NaN is written as null."""
        changes = {str(hours): _columns(moments) for hours, moments in self.changes.items()}
        content = {"states": _columns(self.states), "changes": changes, "total": self.total}
        return json.dumps(content, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> SlabSummary:
        """The inverse of ``to_json``; a DataError if the text is something else."""
        try:
            content = json.loads(text)
            changes = {int(hours): _moments(columns) for hours, columns in content["changes"].items()}
            return cls(_moments(content["states"]), changes, int(content["total"]))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise DataError(f"not the summary of a slab: {text[:80]!r}; remove it and build the slab again") from error


def summarise_slab(fields: Fields, area_weights: Floats, interval_hours: int) -> SlabSummary:
    """Summary of consecutive states ``(time, channel, latitude, longitude)`` in steps of ``interval_hours``.

    Parameters
    ----------
    fields
        float32 or float64; NaN is where there is no value. It is read once for the states and once for each of the
        6, 12 and 24 hours that the interval divides; no temporary array is made.
    area_weights
        Of the latitudes, to any scale.

    Raises
    ------
    DataError
        If there are no states, or infinite values.
    """
    if not len(fields):
        raise DataError("got a slab without states, expected one or more; choose a longer period")
    states = Moments.of(fields, area_weights)
    infinite = np.flatnonzero(np.isinf(states.minimum) | np.isinf(states.maximum))
    if infinite.size:
        raise DataError(f"channels {infinite.tolist()} hold infinite values, expected numbers or NaN; mend the source")
    changes = {
        hours: Moments.of_changes(zip(fields[:-lag], fields[lag:], strict=True), area_weights)
        for hours, lag in _lags(interval_hours).items()
        if len(fields) > lag
    }
    return SlabSummary(states, changes, fields[:, 0].size)


def summarise_seam(
    before: Fields | Sequence[Fields], after: Fields | Sequence[Fields], area_weights: Floats, interval_hours: int
) -> dict[int, Moments]:
    """Moments, by hours, of the changes that end in the slab of ``after`` and start before it.

    Each change ends in exactly one slab, so that each is counted once if every slab but the first has its seam.

    Parameters
    ----------
    before
        The states next before the slab, an array or a sequence of (channel, latitude, longitude): up to 24 hours of
        them (``longest_lag``), or as many as there are, from however many slabs.
    after
        The first 24 hours of the slab or, if it is shorter, the whole slab; more does no harm.
    """
    changes = {}
    for hours, lag in _lags(interval_hours).items():
        ends = range(max(lag - len(before), 0), min(lag, len(after)))
        if ends:
            pairs = ((before[len(before) + end - lag], after[end]) for end in ends)
            changes[hours] = Moments.of_changes(pairs, area_weights)
    return changes


def merge_summaries(summaries: Sequence[SlabSummary], seams: Sequence[Mapping[int, Moments]]) -> Statistics:
    """Statistics of the whole record, from the slabs in order and the seams between them in order.

    Raises
    ------
    DataError
        If there are no slabs.
    """
    if not summaries:
        raise DataError("got no slabs to take statistics of, expected one or more; choose a longer training period")
    states = merge([summary.states for summary in summaries])
    changes = _together([*(summary.changes for summary in summaries), *seams])
    return Statistics(
        mean=np.where(states.count > 0, states.mean, np.nan),
        std=states.std,
        tendency_std={hours: moments.std for hours, moments in changes.items()},
        minimum=states.minimum,
        maximum=states.maximum,
        valid_fraction=states.count / sum(summary.total for summary in summaries),
    )


def compute_statistics(slabs: Iterable[Fields], area_weights: Floats, interval_hours: int) -> Statistics:
    """Statistics of consecutive slabs ``(time, channel, latitude, longitude)``, of any lengths, each held once."""
    reach = longest_lag(interval_hours)
    summaries: list[SlabSummary] = []
    seams: list[dict[int, Moments]] = []
    before: Fields | None = None
    for slab in slabs:
        summaries.append(summarise_slab(slab, area_weights, interval_hours))
        if before is not None:
            seams.append(summarise_seam(before, slab, area_weights, interval_hours))
        known = slab if before is None or len(slab) >= reach else np.concatenate([before, slab])
        before = known[len(known) - min(reach, len(known)) :]
    return merge_summaries(summaries, seams)


def longest_lag(interval_hours: int) -> int:
    """How many states before a slab its seam reaches back.

    >>> longest_lag(6), longest_lag(12), longest_lag(48)
    (4, 2, 0)
    """
    return max(_lags(interval_hours).values(), default=0)


def _together(parts: Sequence[Mapping[int, Moments]]) -> dict[int, Moments]:
    """Changes of all parts by their hours, merged in order."""
    by_hours = {hours: [part[hours] for part in parts if hours in part] for hours in TENDENCY_HOURS}
    return {hours: merge(moments) for hours, moments in by_hours.items() if moments}


def _lags(interval_hours: int) -> dict[int, int]:
    """States between the two of a change, by its hours."""
    return {hours: hours // interval_hours for hours in TENDENCY_HOURS if hours % interval_hours == 0}


def _columns(moments: Moments) -> dict[str, list[float | None]]:
    return {name: [None if np.isnan(x) else x for x in values.tolist()] for name, values in asdict(moments).items()}


def _moments(columns: Mapping[str, Sequence[float | None]]) -> Moments:
    def column(name: str) -> NDArray[Any]:
        return np.array([np.nan if x is None else x for x in columns[name]], dtype=np.float64)

    floats = {name: column(name) for name in ("weight", "mean", "squares", "minimum", "maximum")}
    return Moments(**floats, count=column("count").astype(np.int64))
